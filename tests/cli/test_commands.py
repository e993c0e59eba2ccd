"""The command table: what a row names is there, and fits together."""

import inspect
from importlib import import_module
from typing import Any, NamedTuple

import pytest

from azext_iotjobs.cli.commands import Command, all_commands, options_of, view_of
from azext_iotjobs.cli.fleet_job import params as fleet_job_params
from azext_iotjobs.cli.hub_access.policy_rights import NO_RIGHTS
from azext_iotjobs.cli.input import shared_params
from azext_iotjobs.cli.input.option_groups import fields_of, groups_of, option_of_dest, takes_option_groups
from azext_iotjobs.cli.input.options import Option
from tests.helpers.surface import our_arguments

ROWS = [pytest.param(words, room, row, id=words) for words, room, row in all_commands()]
OWN_NAMES = {"cmd", "client"}  # az gives these to handlers; they are no options
MAX_PARAMETERS = 8
ROOMS_IN_GROUPS = (
    "fleet_job",
    "fleet_job.schedule",
    "identity",
    "job",
    "local_hub",
    "message",
    "method",
    "query",
    "simulate",
    "twin",
)
ROOMS_BY_RULE = ("job", "method", "query", "twin")
EXCEPTIONS = {"yes": "assume_yes"}
# Extras that a client factory takes out before the handler is called.
OF_FACTORIES = {
    option.dest
    for group in (shared_params.HUB, shared_params.AUTH_TYPE, shared_params.STATE, fleet_job_params.TIER)
    for option in group
}


def handler_of(room: str, row: Command) -> Any:
    module, name = row.handler.split(":")
    return getattr(import_module(f"azext_iotjobs.cli.{room}.{module}"), name)


def options_with(words: str, *, is_extra: bool) -> list[Option]:
    return [option for group in options_of(words) for option in group if option.is_extra is is_extra]


@pytest.mark.parametrize(("words", "room", "row"), ROWS)
def test_a_handler_takes_every_option_of_its_command_and_no_other(words: str, room: str, row: Command) -> None:
    parameters = inspect.signature(handler_of(room, row)).parameters.values()
    named = {each.name for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD} - OWN_NAMES
    assert named == {option.dest for option in options_with(words, is_extra=False)}


WITH_GROUPS = [
    pytest.param(words, handler_of(room, row), id=words)
    for words, room, row in all_commands()
    if groups_of(handler_of(room, row))
]


@pytest.mark.parametrize(("words", "handler"), WITH_GROUPS)
def test_every_extra_is_a_field_of_one_group_that_the_handler_takes(words: str, handler: Any) -> None:
    fields = [name for group in groups_of(handler) for name in fields_of(group)]
    assert len(set(fields)) == len(fields)
    assert {option.dest for option in options_with(words, is_extra=True)} - OF_FACTORIES <= set(fields)


def test_every_field_of_a_group_is_an_option_of_some_command_that_takes_the_group() -> None:
    """A command may leave out options of a group that it shares with others: `resume` keeps the driver of its run."""
    optional: dict[type[Any], set[str]] = {}
    for words, room, row in all_commands():
        for group in groups_of(handler_of(room, row)):
            dests = {option.dest for option in options_with(words, is_extra=True)}
            optional.setdefault(group, set()).update(dests & set(fields_of(group)))
    assert {group.__name__: set(fields_of(group)) - dests for group, dests in optional.items()} == {
        group.__name__: set() for group in optional
    }


@pytest.mark.parametrize(("words", "handler"), WITH_GROUPS)
def test_an_option_has_the_default_of_its_field(words: str, handler: Any) -> None:
    """A field may also have None, for what was not typed, where commands differ in what they take then."""
    defaults = {name: default for group in groups_of(handler) for name, default in fields_of(group).items()}
    for option in options_with(words, is_extra=True):
        default = defaults.get(option.dest)
        if option.settings.get("required") and option.dest not in OF_FACTORIES:
            assert default is inspect.Parameter.empty, option.dest
        elif option.dest in defaults and default is not None:
            assert option.settings.get("default") == default, option.dest


@pytest.mark.parametrize(("words", "room", "row"), [each for each in ROWS if each.values[1] in ROOMS_IN_GROUPS])
def test_no_handler_takes_more_than_eight_parameters(words: str, room: str, row: Command) -> None:
    handler = handler_of(room, row)
    assert len(inspect.signature(getattr(handler, "__wrapped__", handler)).parameters) <= MAX_PARAMETERS


@pytest.mark.parametrize(("words", "room", "row"), [each for each in ROWS if each.values[1] in ROOMS_BY_RULE])
def test_a_dest_is_called_as_its_option(words: str, room: str, row: Command, reference: dict[str, Any]) -> None:
    """With `our_` in front where the reference has such a dest: it would lay its own options over ours."""
    for option in (*options_with(words, is_extra=True), *options_with(words, is_extra=False)):
        name = next(each for each in option.names if each.startswith("--"))[2:].replace("-", "_")
        rule = f"our_{name}" if name in reference["all_names"] else name
        assert option.dest == EXCEPTIONS.get(name, rule), words


class Tools(NamedTuple):
    our_hammer: str
    nails: int = 3


@takes_option_groups
def build(client: str, name: str, *, tools: Tools) -> tuple[str, str, Tools]:
    return client, name, tools


def test_a_handler_is_called_with_options_one_by_one_and_gets_them_in_groups() -> None:
    assert build("c", name="hut", our_hammer="big") == ("c", "hut", Tools("big", 3))
    assert build("c", "hut", our_hammer="big", nails=1) == ("c", "hut", Tools("big", 1))
    assert list(inspect.signature(build).parameters) == ["client", "name", "kwargs"]
    with pytest.raises(TypeError, match="saw"):
        build("c", "hut", our_hammer="big", saw=1)


def test_an_option_is_spelled_as_it_is_typed() -> None:
    assert (option_of_dest("our_device_id"), option_of_dest("max_devices")) == ("--device-id", "--max-devices")


@pytest.mark.parametrize(("words", "room", "row"), ROWS)
def test_a_command_that_reaches_a_hub_says_which_rights_it_needs(words: str, room: str, row: Command) -> None:
    assert (row.client is None) == (row.rights == NO_RIGHTS), words


@pytest.mark.parametrize(("words", "room", "row"), ROWS)
def test_a_view_that_is_named_is_there(words: str, room: str, row: Command) -> None:
    assert (view_of(words) is None) == (row.view is None)


def test_the_table_is_what_az_enters() -> None:
    words = [words for words, _, _ in all_commands()]
    assert len(words) == len(set(words))
    assert set(words) == set(our_arguments())
