"""The line on stderr that changes in place, below what stays: on a terminal alone. There is one at a time."""

import os
import sys
from typing import ClassVar

from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.cli.output.terminals import cut_between_words, is_dumb, width_of_stderr


class StatusLine:
    """Who shows one clears it before anything is said that stays."""

    _shown: ClassVar["StatusLine | None"] = None  # stderr is one for all

    def __init__(self, *, is_silent: bool = False) -> None:
        """is_silent: nobody wants to see it."""
        self.is_live = sys.stderr.isatty() and not is_dumb() and not is_silent
        self._width = 0  # of what is shown

    def show(self, line: str) -> None:
        """Put `line` where the last one is; of what is wider than the terminal its first words stay."""
        if self.is_live:
            StatusLine._shown = self
            self._put(cut_between_words(line, width_of_stderr() - 1))

    def clear(self) -> None:
        """Leave nothing of it."""
        if self.is_live:
            StatusLine._shown = None
            self._put("")

    @classmethod
    def clear_any(cls) -> None:
        """The same by one who does not know whether there is one."""
        if cls._shown is not None:
            cls._shown.clear()

    def _put(self, text: str) -> None:
        # NO_COLOR is about color alone; who sets it may still be spared what a log would show as rubbish.
        rest = " " * (self._width - len(text)) + "\r" if os.environ.get("NO_COLOR") else "\x1b[K"
        self._width = len(text)
        wrote(sys.stderr, f"\r{text}{rest}")
