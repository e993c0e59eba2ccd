"""What one process has: open files, of which every connection is one; and garbage."""

import asyncio
import errno
import gc
import logging
import sys
from typing import Any

MIDDLE_ROUNDS = 50  # of garbage collection, before one of all; Python's own is 10
WANTED_FILES = 65_536  # a fleet of that size is beyond one process; some systems call "unlimited" what they refuse
FEW_FILES = 2048
LOG_AGAIN_AFTER_S = 60.0
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

logger = logging.getLogger(__name__)


def allow_many_files() -> None:
    """Take as many open files as this process may have: shells start it with 256 or 1024, a fleet needs more."""
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
    """Look through what lives long for garbage less often than Python does: with ten thousand devices that takes a
    quarter of a second, or a whole one over WebSocket, and nobody is served meanwhile.

    A connection that ends leaves about 1 KB that is found so; all else goes at once.
    """
    gc.freeze()  # what the start has made stays: it need not be looked at at all
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, MIDDLE_ROUNDS)


class LoopExceptionHandler:
    """An event loop's exception handler that says once in a while when no more connections can be taken.

    asyncio tries again, and would log a trace for every try: a thousand a second, hundreds of megabytes in a minute.
    """

    def __init__(self) -> None:
        self._silent_until_s = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error, is_silent = context.get("exception"), loop.time() < self._silent_until_s
        if isinstance(error, OSError) and error.errno in EXHAUSTED:
            if not is_silent:
                self._silent_until_s = loop.time() + LOG_AGAIN_AFTER_S
                logger.warning("no more connections can be taken now: %s", error.strerror)
        elif is_silent and _is_closed_socket(error):
            logger.debug("a try to take connections again, after the end of listening")
        else:
            loop.default_exception_handler(context)


def _is_closed_socket(error: Any) -> bool:
    return isinstance(error, ValueError) and "Invalid file descriptor" in str(error)
