"""The user's terminal: its width, whether it has colors, and whether a line can be rewritten in place.

NO_COLOR (no-color.org) and TERM=dumb are respected, as by other programs; az itself only knows its own setting.
"""

import logging
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

DEFAULT_WIDTH = 80
# Names of loggers; knack puts "cli." before a module's name. The second logs the error that ends a command.
OUR_MESSAGES = ("cli.azext_iotjobs", "cli.azure.cli.core.azclierror")
COMMAND = re.compile(r"(?:^|\s+)(?=az (?:iot|config|extension) )")
LINE_TO_COPY = re.compile(r"\s|export ")  # the beginning of a line to type, which a message contains as it is


def wants_no_color() -> bool:
    """Whether the user has turned colors off, or the terminal does not support them."""
    return bool(os.environ.get("NO_COLOR")) or is_dumb()


def is_dumb() -> bool:
    """Whether the terminal does not support control sequences."""
    return os.environ.get("TERM") == "dumb"


def width_of_stderr() -> int:
    """The number of columns, or DEFAULT_WIDTH if it is not known."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or DEFAULT_WIDTH
    except (OSError, ValueError):  # a replacement of stderr may have no descriptor
        return DEFAULT_WIDTH


def cut_between_words(line: str, width: int) -> str:
    """As much of a line as fits, cut between words, without a separator at its end; a long first word is cut inside."""
    if len(line) <= width:
        return line
    fits = line[:width] if line[width] == " " else line[:width].rpartition(" ")[0]
    return fits.rstrip(" ,;|(") or line[:width]


def heed_no_color(cli_ctx: Any) -> None:
    """Have az print results, messages, errors and help without color, if the user or the terminal wants none."""
    if not wants_no_color():
        return
    cli_ctx.enable_color = False
    for handler in _handlers():
        if hasattr(handler, "enable_color"):
            handler.enable_color = False
    from azure.cli.core.style import format_styled_text

    format_styled_text.theme = "none"


def fit_messages() -> None:
    """Have az wrap our messages at the width of the terminal."""
    for handler in _handlers():
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler.formatter, _Fitting):
            handler.setFormatter(_Fitting(handler.formatter or logging.Formatter()))


def _handlers() -> list[logging.Handler]:
    return [*logging.getLogger().handlers, *logging.getLogger("cli").handlers]


class _Fitting(logging.Formatter):
    """Wraps our messages between words if stderr is a terminal. Commands stay whole, so that they can be copied."""

    def __init__(self, plain: logging.Formatter) -> None:
        super().__init__()
        self._plain = plain

    def format(self, record: logging.LogRecord) -> str:
        text = self._plain.format(record)
        if not record.name.startswith(OUR_MESSAGES) or record.levelno < logging.WARNING:
            return text
        given = record.args if isinstance(record.args, tuple) else ()
        return fitted(text, [each for each in given if isinstance(each, str) and each.startswith("az ")])


def fitted(text: str, commands: Sequence[str] = ()) -> str:
    """A text for stderr, wrapped at the width of the terminal; unchanged if stderr is not a terminal.

    commands: the commands in it that are known. Any other is found by its beginning, and lasts to the end of its line.
    """
    if not sys.stderr.isatty():
        return text
    return "\n".join(broken(line, width_of_stderr(), commands) for line in text.split("\n"))


def broken(line: str, width: int, commands: Sequence[str] = ()) -> str:
    """A line, wrapped at `width`: a command in it gets a line of its own, and a line to copy is not wrapped."""
    if len(line) <= width or LINE_TO_COPY.match(line):
        return line
    import textwrap  # most messages fit

    lines: list[str] = []
    for piece in _pieces(line, commands):
        if piece in commands:
            lines.append(piece)
            continue
        # A full stop behind a command would be copied with it, and makes no sense on a line of its own.
        words, *more = COMMAND.split(piece.lstrip(" .,;:") if lines else piece)
        lines += textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False, drop_whitespace=True)
        lines += more
    return "\n".join(lines)


def _pieces(line: str, commands: Sequence[str]) -> list[str]:
    if not commands:
        return [line]
    longest_first = sorted(commands, key=len, reverse=True)
    return re.split(f"({'|'.join(map(re.escape, longest_first))})", line)
