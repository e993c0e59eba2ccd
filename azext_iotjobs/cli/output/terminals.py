"""What a person's terminal can do, and wants: how wide it is, whether lines may change in place, whether in color.

NO_COLOR (no-color.org) and TERM=dumb are what other programs heed too; az knows a setting of its own alone.
"""

import logging
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

DEFAULT_WIDTH = 80
# Loggers by name; knack puts "cli." before a module's. The second tells what ended one of our commands.
OUR_MESSAGES = ("cli.azext_iotjobs", "cli.azure.cli.core.azclierror")
COMMAND = re.compile(r"(?:^|\s+)(?=az (?:iot|config|extension) )")
LINE_TO_COPY = re.compile(r"\s|export ")  # how one begins that stands in a message as it is to be typed


def wants_no_color() -> bool:
    """Whether the user wants none, or the terminal knows none."""
    return bool(os.environ.get("NO_COLOR")) or is_dumb()


def is_dumb() -> bool:
    """Whether the terminal knows no control sequences."""
    return os.environ.get("TERM") == "dumb"


def width_of_stderr() -> int:
    """Its columns, or as many as a terminal has that does not say."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or DEFAULT_WIDTH
    except (OSError, ValueError):  # what stands for stderr may have no number
        return DEFAULT_WIDTH


def cut_between_words(line: str, width: int) -> str:
    """As much of a line as fits, without half a word or a sign of division at its end; a first word that is too long
    alone is cut.
    """
    if len(line) <= width:
        return line
    fits = line[:width] if line[width] == " " else line[:width].rpartition(" ")[0]
    return fits.rstrip(" ,;|(") or line[:width]


def heed_no_color(cli_ctx: Any) -> None:
    """Have az print what is ours without color where that is wanted: results, messages, errors, help."""
    if not wants_no_color():
        return
    cli_ctx.enable_color = False
    for handler in _handlers():
        if hasattr(handler, "enable_color"):
            handler.enable_color = False
    from azure.cli.core.style import format_styled_text

    format_styled_text.theme = "none"


def fit_messages() -> None:
    """Have az print our messages so that they fit the terminal."""
    for handler in _handlers():
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler.formatter, _Fitting):
            handler.setFormatter(_Fitting(handler.formatter or logging.Formatter()))


def _handlers() -> list[logging.Handler]:
    return [*logging.getLogger().handlers, *logging.getLogger("cli").handlers]


class _Fitting(logging.Formatter):
    """Breaks our messages between words where stderr is a terminal, and leaves commands whole: they are there to be
    copied."""

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
    """What is printed on stderr so that it fits the terminal there; as it is where there is none.

    commands: those in it that are known; of others it is seen where they begin, and they last to the line's end.
    """
    if not sys.stderr.isatty():
        return text
    return "\n".join(broken(line, width_of_stderr(), commands) for line in text.split("\n"))


def broken(line: str, width: int, commands: Sequence[str] = ()) -> str:
    """A line as several that fit; a command in it has a line of its own, and a line that is to be copied is whole."""
    if len(line) <= width or LINE_TO_COPY.match(line):
        return line
    import textwrap  # most messages fit

    lines: list[str] = []
    for piece in _pieces(line, commands):
        if piece in commands:
            lines.append(piece)
            continue
        # What ends a sentence behind a command would be copied with it, and stands for nothing on a line of its own.
        words, *more = COMMAND.split(piece.lstrip(" .,;:") if lines else piece)
        lines += textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False, drop_whitespace=True)
        lines += more
    return "\n".join(lines)


def _pieces(line: str, commands: Sequence[str]) -> list[str]:
    if not commands:
        return [line]
    longest_first = sorted(commands, key=len, reverse=True)
    return re.split(f"({'|'.join(map(re.escape, longest_first))})", line)
