"""Lines on stderr that change in place: on a terminal alone. For commands that show nothing else meanwhile."""

import sys
from collections.abc import Sequence

from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.cli.output.terminals import cut_between_words, is_dumb, width_of_stderr

UP, CLEAR_BELOW = "\x1b[{}F", "\x1b[J"


class StatusBlock:
    """The lines that are shown now; other ones take their place."""

    def __init__(self, *, is_silent: bool = False) -> None:
        """is_silent: nobody wants to see them."""
        self.is_live = sys.stderr.isatty() and not is_dumb() and not is_silent
        self._height = 0  # of what is shown

    def show(self, lines: Sequence[str]) -> None:
        """Put lines where the last ones are; of one that is wider than the terminal the first words stay."""
        if not self.is_live:
            return
        width = width_of_stderr() - 1
        up = UP.format(self._height) if self._height else ""
        text = "".join(f"{cut_between_words(line, width)}\n" for line in lines)
        self._height = len(lines)
        wrote(sys.stderr, f"{up}{CLEAR_BELOW}{text}")
