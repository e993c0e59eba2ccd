"""Help text and examples of commands and groups: a room's are in its module `help`, which fills knack's table."""

from collections.abc import Iterator
from importlib import import_module

from knack.help_files import helps

from azext_iotjobs.cli.commands import all_commands

MORE = {"fleet_job": "read_help", "identity": "transfer_help"}  # modules beside a room's `help`
OF_AZ = ("", "iot", "iot hub")  # groups that az itself describes
WHOLE: dict[str, str] = {}  # texts of which knack's table has just the summary


def load_of(words: str) -> None:
    """The texts of a command or a group, and of others in its rooms.

    words: such as "iot hub job" or "iot hub job create"; none of ours: nothing is loaded.
    """
    if words not in OF_AZ:
        for room in _rooms(words):
            _load(room)
    if words in WHOLE:
        helps[words] = WHOLE.pop(words)


def load_summary_of(words: str) -> None:
    """Of a command just what a list of commands says: knack reads a text as YAML, whole, which takes a while.

    Texts of others, such as az's own beside ours in a list, are laid out in other ways, and are left as they are.
    """
    load_of(words)
    if words in helps and any(words == command for command, _, _ in all_commands()):
        text = helps[words]
        WHOLE[words], helps[words] = text, "\n".join(text.split("\n", 2)[:2])  # its type and summary


def load_every() -> None:
    """All texts: the documents are made from them."""
    for _, room, _ in all_commands():
        _load(room)


def _rooms(words: str) -> Iterator[str]:
    for command, room, _ in all_commands():
        if command == words or command.startswith(f"{words} "):
            yield room


def _load(room: str) -> None:
    import_module(f"azext_iotjobs.cli.{room}.help")
    if room in MORE:
        import_module(f"azext_iotjobs.cli.{room}.{MORE[room]}")
