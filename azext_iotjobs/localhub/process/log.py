"""The hub's log: on stderr, and in a file of limited size that only its owner can read."""

import logging
import os
import sys
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

LEVELS = {"warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"
MAX_BYTES = 2 * 1024 * 1024
OLDER_FILES = 1  # hub.log.1, of the same size at most

logger = logging.getLogger(__name__)


class PrivateLogFile(RotatingFileHandler):
    """A log file of limited size, and an older one beside it."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        super().__init__(path, maxBytes=MAX_BYTES, backupCount=OLDER_FILES, encoding="utf-8", errors="backslashreplace")

    def _open(self) -> TextIOWrapper:
        file = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return TextIOWrapper(open(file, "ab"), encoding=self.encoding, errors=self.errors)


def start_logging(level: str, path: Path | None) -> None:
    """Log to stderr, and to `path` unless it is None.

    A log that cannot be written, on a full disk for example, does not stop the hub.
    """
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.setLevel(LEVELS[level])
    _add(logging.StreamHandler(sys.stderr))
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # a device that disconnects does not deserve a warning
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _add(PrivateLogFile(path))
        except OSError as err:
            logger.warning("the log file %s cannot be written: %s", path, err.strerror)


def detach_stderr() -> None:
    """Write only to the log file from now on: the reader of stderr is about to exit."""
    for handler in list(logging.getLogger().handlers):
        if type(handler) is logging.StreamHandler:
            logging.getLogger().removeHandler(handler)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _add(handler: logging.Handler) -> None:
    handler.setFormatter(logging.Formatter(FORM))
    logging.getLogger().addHandler(handler)
