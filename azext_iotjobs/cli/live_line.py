"""The line on stderr that changes in place, below what stays: on a terminal alone. There is one at a time."""

import os
import sys
from typing import ClassVar

from azext_iotjobs.cli.streams import wrote

DEFAULT_WIDTH = 80


class LiveLine:
    """Who shows one clears it before anything is said that stays."""

    _shown: ClassVar["LiveLine | None"] = None  # stderr is one for all

    def __init__(self, *, is_silent: bool = False) -> None:
        """is_silent: nobody wants to see it."""
        self.is_live = sys.stderr.isatty() and not is_silent

    def show(self, line: str) -> None:
        """Put `line` where the last one is; what is wider than the terminal is cut off."""
        if self.is_live:
            LiveLine._shown = self
            _write(f"\r{line[: _width() - 1]}\x1b[K")

    def clear(self) -> None:
        """Leave nothing of it."""
        if self.is_live:
            LiveLine._shown = None
            _write("\r\x1b[K")

    @classmethod
    def clear_any(cls) -> None:
        """The same by one who does not know whether there is one."""
        if cls._shown is not None:
            cls._shown.clear()


def _write(text: str) -> None:
    wrote(sys.stderr, text)


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or DEFAULT_WIDTH
    except (OSError, ValueError):  # what stands for stderr may have no number
        return DEFAULT_WIDTH
