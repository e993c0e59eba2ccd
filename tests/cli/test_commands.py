"""The command table: what a row names is there, and fits together."""

import inspect
from importlib import import_module
from typing import Any

import pytest

from azext_iotjobs.cli import commands
from azext_iotjobs.cli.commands import Command, all_commands, options_of, view_of
from tests.helpers.surface import our_arguments

ROWS = [pytest.param(words, room, row, id=words) for words, room, row in all_commands()]
OWN_NAMES = {"cmd", "client"}  # az gives these to handlers; they are no options


def handler_of(room: str, row: Command) -> Any:
    module, name = row.handler.split(":")
    return getattr(import_module(f"azext_iotjobs.cli.{room}.{module}"), name)


@pytest.mark.parametrize(("words", "room", "row"), ROWS)
def test_a_handler_takes_every_option_of_its_command_and_no_other(words: str, room: str, row: Command) -> None:
    typed = [option for group in options_of(words) for option in group]
    parameters = inspect.signature(handler_of(room, row)).parameters.values()
    named = {each.name for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD} - OWN_NAMES
    assert named == {option.dest for option in typed if not option.is_extra}


@pytest.mark.parametrize(("words", "room", "row"), ROWS)
def test_a_command_that_reaches_a_hub_says_which_rights_it_needs(words: str, room: str, row: Command) -> None:
    assert (row.client is None) == (row.rights == commands.NO_RIGHTS), words


@pytest.mark.parametrize(("words", "room", "row"), ROWS)
def test_a_view_that_is_named_is_there(words: str, room: str, row: Command) -> None:
    assert (view_of(words) is None) == (row.view is None)


def test_the_table_is_what_az_enters() -> None:
    words = [words for words, _, _ in all_commands()]
    assert len(words) == len(set(words))
    assert set(words) == set(our_arguments())
