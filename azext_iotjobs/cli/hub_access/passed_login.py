"""A connection string that was typed, on its way to processes that a command starts: by their environment.

In a command line others would see it. It counts there as typed: a local hub that is known here has a key of its own,
and one that is only in the environment would not be used for it.
"""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from azext_iotjobs.model.ids import looks_like_connection_string

ENVIRONMENT_VARIABLE = "IOTJOBS_CONNECTION_STRING"
IS_TYPED = "IOTJOBS_CONNECTION_STRING_IS_TYPED"  # in the environment of a process that was started so
LOGIN, SHORT_LOGIN = "--login", "-l"


def environment_with(login: str | None) -> dict[str, str]:
    """The environment of a process for which this was typed; None: nothing was."""
    own = {name: value for name, value in os.environ.items() if name != IS_TYPED}
    return own if login is None else {**own, ENVIRONMENT_VARIABLE: login, IS_TYPED: "1"}


def with_passed(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The hub arguments of this process, with what was typed for the one that started it."""
    if arguments.get("our_login") is not None:
        return dict(arguments)
    passed = _passed()
    return dict(arguments) if passed is None else {**arguments, "our_login": passed}


@cache
def _passed() -> str | None:
    """What was passed to this process, which passes it on to no other unless it says so."""
    is_typed = os.environ.pop(IS_TYPED, None) is not None
    return os.environ.get(ENVIRONMENT_VARIABLE) if is_typed else None


def without_login(words: Sequence[str]) -> tuple[list[str], str | None]:
    """The words of a command line but for a connection string with its option, and that; None: there is none."""
    kept: list[str] = []
    login = None
    for word in words:
        option, equals, value = word.partition("=")
        if looks_like_connection_string(word) and kept and _is_login(kept[-1]):
            kept.pop()
            login = word
        elif equals and _is_login(option) and looks_like_connection_string(value):
            login = value
        elif word.startswith(SHORT_LOGIN) and looks_like_connection_string(word):
            login = word.removeprefix(SHORT_LOGIN)
        else:
            kept.append(word)
    return kept, login


def _is_login(option: str) -> bool:
    """Whether it is that option, or an abbreviation, as argparse takes them."""
    return option == SHORT_LOGIN or (len(option) > len("--") and LOGIN.startswith(option))
