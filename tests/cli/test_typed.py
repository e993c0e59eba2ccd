"""What az needs of the table: the same as it keeps of the whole one."""

from collections.abc import Iterable

import pytest
from knack.invocation import CommandInvoker

from azext_iotjobs.cli.commands import all_commands
from azext_iotjobs.cli.typed import needed

COMMANDS = tuple(words for words, _, _ in all_commands())
OF_AZ = ("iot hub create", "iot hub show", "iot dps list", "vm list")
LINES = (
    *("iot hub job show", "iot hub job", "iot hub job sh", "iot hub job sow", "iot hub jbo show", "iot hub jo"),
    *("iot", "iot hub", "io", "iot dev", "iot device c2d-message", "iot hub device-", "iot hub device-twin show extra"),
    *(
        "iot hub job show --job-id 1",
        "IOT HUB Job Show",
        "iot hub create",
        "iot dps list",
        "iot local-hub exec -- pytest",
    ),
)


def kept(table: Iterable[str], typed: list[str]) -> set[str]:
    """What az keeps of a table, as its AzCliCommandInvoker does before it makes its parser; ours alone are given."""

    class Loader:
        command_table = dict.fromkeys(table)

    class Invoker(CommandInvoker):  # type: ignore[misc]
        commands_loader = Loader()

        def __init__(self) -> None:
            """Nothing is set up: one method is called."""

    command = Invoker()._rudimentary_get_command(list(typed))
    if command in Loader.command_table:
        return {command} & set(COMMANDS)
    first: dict[str, str] = {}
    for each in Loader.command_table:
        if each.startswith(command):
            first.setdefault(each[len(command) :].strip().split(" ", 1)[0], each)
    return set(first.values()) & set(COMMANDS)


@pytest.mark.parametrize("line", LINES)
def test_az_keeps_the_same_of_what_is_entered_as_of_the_whole_table(line: str) -> None:
    typed = line.split()
    entered = [each for each in COMMANDS if each in needed(COMMANDS, typed)]
    assert kept([*OF_AZ, *entered], typed) == kept([*OF_AZ, *COMMANDS], typed)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_that_is_typed_is_entered_alone(words: str) -> None:
    assert needed(COMMANDS, [*words.split(), "--help"]) == {words}


@pytest.mark.parametrize("typed", [[], ["--version"], ["vm", "list"], ["-h"]])
def test_all_are_entered_where_none_of_ours_is_typed(typed: list[str]) -> None:
    assert needed(COMMANDS, typed) == set(COMMANDS)
