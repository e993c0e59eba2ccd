"""What is typed, read by az's own argument parser without running it: do the command, its options and values exist?"""

import argparse
import io
import re
import shlex
from collections.abc import Sequence
from contextlib import redirect_stderr
from functools import cache
from typing import Any, NoReturn

from tests.helpers.surface import loaded_loader

# az's own commands, in pages of ours.
OF_AZ = tuple(
    f"{words} "
    for words in ("account", "config", "configure", "extension", "iot hub policy", "iot hub show", "login", "version")
)
HELP = {"-h", "--help"}


class NotParsed(Exception):
    """az would refuse these words; the text says why."""


@cache
def parser() -> Any:
    """az's parser, with our commands."""
    from azure.cli.core.parser import AzCliCommandParser

    class Parser(AzCliCommandParser):  # type: ignore[misc]
        """It raises where az's prints, recommends and exits, and takes no options that are cut short."""

        def error(self, message: str) -> NoReturn:
            raise NotParsed(message)

        def _check_value(self, action: argparse.Action, value: object) -> None:
            argparse.ArgumentParser._check_value(self, action, value)

        def _get_option_tuples(self, option_string: str) -> list[Any]:
            return []

    loader = loaded_loader()
    for command in loader.command_table.values():
        command.arguments.pop("cmd", None)  # a handler's own parameter, which is not typed
    cli = loader.cli_ctx
    made = Parser(cli_ctx=cli, prog="az", parents=[cli.invocation._global_parser])
    made.load_command_table(loader)
    return made


def check_words(words: Sequence[str]) -> None:
    """Raise NotParsed unless az takes these words, without `az` itself; az's own commands are not looked at."""
    if f"{' '.join(words)} ".startswith(OF_AZ):
        return
    if HELP.intersection(words):
        check_mentioned(shlex.join(["az", *(word for word in words if word not in HELP)]))
        return
    with redirect_stderr(io.StringIO()):
        parser().parse_args(list(words))


def check_mentioned(line: str) -> None:
    """Raise NotParsed unless a command that a text mentions exists, with its options and choices.

    line: `az iot …` as it stands in the text; what is required may be missing, and values may stand for others.
    """
    words = shlex.split(line)
    if f"{' '.join(words[1:])} ".startswith(OF_AZ):
        return
    known = parser().subparser_map
    command = next((" ".join(words[1:end]) for end in range(len(words), 1, -1) if " ".join(words[1:end]) in known), "")
    if not command:
        group = " ".join(words[1:])
        if any(each.startswith(f"{group} ") for each in known):
            return
        raise NotParsed(f"there is no command and no group: {line}")
    options = known[command]._option_string_actions
    for at, word in enumerate(words):
        if re.fullmatch(r"--?[a-z][a-z-]*", word):
            if word not in options:
                raise NotParsed(f"az {command} has no {word}")
            choices, value = options[word].choices, [*words, ""][at + 1]
            if choices and value.islower() and value[0] != "-" and value not in choices:
                raise NotParsed(f"az {command} {word} does not take {value}")
