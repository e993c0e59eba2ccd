"""Limits of the process: open files, of which every connection needs one, and garbage collection."""

import asyncio
import errno
import gc
import logging
import sys
from typing import Any

MIDDLE_ROUNDS = 50  # of garbage collection before a full one; Python's default is 10
WANTED_FILES = 65_536  # more devices are beyond one process; some systems say "unlimited" and then refuse
FEW_FILES = 2048
LOG_AGAIN_AFTER_S = 60.0
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

logger = logging.getLogger(__name__)


def allow_many_files() -> None:
    """Raise the limit of open files as far as allowed: shells set 256 or 1024, which is too few for many devices."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    if wanted < FEW_FILES:
        logger.warning("only %d files may be open, and every connection is one: see `ulimit -Hn`", wanted)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError) as err:  # macOS has a smaller limit of its own beside this one
        logger.info("the limit of %d open files stays: %s", soft, err)


def collect_garbage_rarely() -> None:
    """Make full garbage collections rarer: with ten thousand devices one takes a quarter of a second, or a whole second
    over WebSocket, and no request is served meanwhile.

    A closed connection leaves about 1 KB for it; everything else is freed at once.
    """
    gc.freeze()  # objects of the start stay alive: they need not be examined
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, MIDDLE_ROUNDS)


class LoopExceptionHandler:
    """An event loop's exception handler that logs at intervals that no more connections can be accepted.

    asyncio would log a trace for every attempt: a thousand a second, hundreds of megabytes in a minute.
    """

    def __init__(self) -> None:
        self._silent_until_s = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error, is_silent = context.get("exception"), loop.time() < self._silent_until_s
        if isinstance(error, OSError) and error.errno in EXHAUSTED:
            if not is_silent:
                self._silent_until_s = loop.time() + LOG_AGAIN_AFTER_S
                logger.warning("no more connections can be accepted at present: %s", error.strerror)
        elif is_silent and _is_closed_socket(error):
            logger.debug("an attempt to accept connections after the end of listening")
        else:
            loop.default_exception_handler(context)


def _is_closed_socket(error: Any) -> bool:
    return isinstance(error, ValueError) and "Invalid file descriptor" in str(error)
