"""What was typed to say which hub and which state folder are meant; commands in hints repeat it, so that they can be
pasted. A connection string is never repeated: a placeholder stands for it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from azext_iotjobs.model.hints import Command, Hint, Shell

OF_HUBS = ("iot hub ", "iot device ")
OF_FLEET_JOBS = "iot hub fleet-job "
# These look at what is kept, and need no way into a hub.
WITHOUT_LOGIN = tuple(f"{OF_FLEET_JOBS}{verb}" for verb in ("show", "list", "results", "update", "delete", "group"))
LOGIN_PLACEHOLDER = "CONNECTION-STRING"


class Typed(NamedTuple):
    """Options of the command that runs; None and False where they were not typed."""

    hub: str | None = None
    group: str | None = None
    auth: str | None = None
    has_login: bool = False
    state_dir: str | None = None


def typed_in(arguments: Mapping[str, Any]) -> Typed:
    """What a command's arguments, as az has parsed them, say of the hub and the folder."""
    given = {name: str(value).strip() or None for name, value in arguments.items() if value is not None}
    return Typed(
        hub=given.get("our_hub_name"),
        group=given.get("resource_group"),
        auth=given.get("auth_type"),
        has_login=given.get("our_login") is not None,
        state_dir=given.get("state_path"),
    )


_typed = Typed()  # az runs one command a process


def note(typed: Typed) -> None:
    """Remember what was typed."""
    global _typed
    _typed = typed


def pasteable(hint: str) -> str:
    """A hint whose commands can be pasted: each ends its line, so that no full stop is taken along."""
    if not isinstance(hint, Hint):
        return hint
    text = ""
    for before, each in zip((None, *hint.parts), hint.parts, strict=False):
        if isinstance(each, Command):
            text += _completed(each)
        elif isinstance(before, Command):
            rest = each.lstrip(" .,;")
            text += f"\n{rest}" if rest else ""
        else:
            text += each
    return text


def commands_in(hint: str) -> list[str]:
    """The commands of a hint, as `pasteable` has them."""
    if not isinstance(hint, Hint):
        return []
    return [_completed(each) if isinstance(each, Command) else each for each in hint.parts if _is_typed(each)]


def suggestion(words: str, *arguments: str) -> str:
    """A command that can be pasted: `words` without az, and its arguments, not yet quoted."""
    return _completed(Command(words, arguments))


def _is_typed(part: str | Command) -> bool:
    return isinstance(part, Command | Shell)


def _completed(command: Command) -> str:
    more: list[str] = []
    if command.words.startswith(OF_HUBS) and not {"-n", "-l"} & set(command.arguments):
        for option, value in (("-n", _typed.hub), ("-g", _typed.group), ("--auth-type", _typed.auth)):
            more += [] if value is None else [option, value]
        if _typed.has_login and not command.words.startswith(WITHOUT_LOGIN):
            more += ["-l", LOGIN_PLACEHOLDER]
    if command.words.startswith(OF_FLEET_JOBS) and _typed.state_dir is not None:
        more += ["--state-dir", _typed.state_dir]
    return command.typed(*more)
