"""Messages and hints as the command line has them: fields are options, and commands can be pasted.

Commands repeat what was typed to say which hub and which state folder are meant. A connection string is never repeated:
a placeholder stands for it. Facts, such as who is signed in, are found out where a text that is shown names them.
"""

import os
import shlex
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from azext_iotjobs.cli.output.spelling import option_of, short_option_of
from azext_iotjobs.model.text import Argument, Command, Fact, Field, Part, Shell, command, parts_of

OF_HUBS = ("iot hub ", "iot device ")
OF_NO_HUB = "iot device simulation "  # of this machine, whatever their hubs
OF_FLEET_JOBS = "iot hub fleet-job "
# These look at what is kept, and need no way into a hub.
WITHOUT_LOGIN = tuple(
    f"{OF_FLEET_JOBS}{verb}"
    for verb in (
        *"show list results update delete group approve reject watch".split(),
        *(f"schedule {verb}" for verb in "set show list remove history export".split()),
    )
)
LOGIN_PLACEHOLDER = "CONNECTION-STRING"
NAMES_HUB = {"-n", "-l", "--hub-name"}  # options of a command that says itself which hub it means

# Of a fact: its value or, where there are several, all words in place of the argument that it is the value of.
FactWords = Callable[[], tuple[str, ...]]


class Typed(NamedTuple):
    """The command that runs, and its options; None and False where they were not typed."""

    command: str = ""  # its words without az; "": not known
    hub: str | None = None
    group: str | None = None
    auth: str | None = None
    has_login: bool = False
    state_dir: str | None = None
    store: tuple[str, ...] = ()  # the words that name it


def typed_in(arguments: Mapping[str, Any], command: str = "") -> Typed:
    """What a command's arguments, as az has parsed them, say of the hub and the folder.

    command: its words without az.
    """
    given = {name: str(value).strip() or None for name, value in arguments.items() if value is not None}
    return Typed(
        command=command,
        hub=given.get("our_hub_name"),
        group=given.get("resource_group"),
        auth=given.get("auth_type"),
        has_login=given.get("our_login") is not None,
        state_dir=given.get("state_dir"),
        store=_store_words(given),
    )


_typed = Typed()  # az runs one command a process
_facts: dict[Fact, FactWords] = {}


def _store_words(given: Mapping[str, str | None]) -> tuple[str, ...]:
    """What was typed of a team's store, unless somebody wrote a password into its URL, which is refused.

    What is no file is not repeated as the password's file either: az puts a file's content in the place of @file.
    """
    store = given.get("store") or ""
    if "password" in store or ":" in store.partition("://")[2].rpartition("@")[0]:
        return ()
    file = given.get("store_password_file") or ""
    options = {
        "--store": store,
        "--store-auth": given.get("store_auth"),
        "--store-password-file": file if os.path.exists(file) else None,
    }
    return tuple(word for option, value in options.items() if value for word in (option, value))


def note(typed: Typed) -> None:
    """Remember what was typed, and nothing that was known of another command."""
    global _typed
    _typed = typed
    _facts.clear()


def know(fact: Fact, words: FactWords) -> None:
    """Remember how a fact is found out: it is called when a text that names the fact is shown."""
    _facts[fact] = words


def spelled(text: str) -> str:
    """A message or hint in the command line's words: fields as options of the command that runs, commands pasteable.

    A command ends its line, so that no full stop is copied with it.
    """
    shown = ""
    before: Part | None = None
    for each in parts_of(text):
        if isinstance(each, Command):
            shown += _completed(each)
        elif isinstance(each, Field):
            shown += option_of(each, _typed.command)
        elif isinstance(each, Fact):
            shown += " ".join(_facts[each]()) if each in _facts else each
        elif isinstance(before, Command):
            rest = each.lstrip(" .,;")
            shown += f"\n{rest}" if rest else ""
        else:
            shown += each
        before = each
    return shown


def commands_in(text: str) -> list[str]:
    """The commands of a hint, as `spelled` has them."""
    found = []
    for each in parts_of(text):
        if isinstance(each, Command):
            found.append(_completed(each))
        elif isinstance(each, Shell):
            found.append(each)
    return found


def suggestion(words: str, *typed: str, **fields: str | bool) -> str:
    """A command that can be pasted; arguments as for `command`."""
    return _completed(command(words, *typed, **fields))


def _completed(given: Command) -> str:
    arguments: list[str] = []
    for each in given.arguments:
        if isinstance(each, str):
            arguments.append(each)
        else:
            arguments += _argument(each, given.words)
    names_hub = given.words.startswith(OF_HUBS) and not given.words.startswith(OF_NO_HUB)
    if names_hub and not NAMES_HUB & set(arguments):
        for option, value in (("-n", _typed.hub), ("-g", _typed.group), ("--auth-type", _typed.auth)):
            arguments += [] if value is None else [option, value]
        if _typed.has_login and not given.words.startswith(WITHOUT_LOGIN):
            arguments += ["-l", LOGIN_PLACEHOLDER]
    if given.words.startswith(OF_FLEET_JOBS) and _typed.state_dir is not None:
        arguments += ["--state-dir", _typed.state_dir]
    if given.words.startswith(OF_FLEET_JOBS):
        arguments += _typed.store
    return " ".join(("az", given.words, *map(_quoted, arguments)))


def _argument(given: Argument, words: str) -> list[str]:
    known = _facts[given.value]() if isinstance(given.value, Fact) and given.value in _facts else ()
    if len(known) > 1:
        return [*known]
    values = [*known] or [each for each in (given.value,) if each is not None]
    return [short_option_of(given.field, words), *values]


def _quoted(argument: str) -> str:
    """In double quotes, which every shell knows, where nothing in it minds them; a Shell as it stands."""
    if isinstance(argument, Shell):
        return argument
    quoted = shlex.quote(argument)
    if quoted == argument or not argument or set(argument) & set('"$`\\!%'):
        return quoted
    return f'"{argument}"'
