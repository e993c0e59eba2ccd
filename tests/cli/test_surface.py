"""Options, aliases, defaults and choices are the reference's, command by command."""

import re
from typing import Any

import pytest
import yaml
from knack.help_files import helps

from azext_iotjobs.cli.params.jobs import RERUN_WORDS
from azext_iotjobs.model.rerun import WORDS
from tests.helpers.surface import generator, our_arguments

COMMANDS = [
    "iot hub job create", "iot hub job show", "iot hub job list", "iot hub job cancel",
    "iot hub invoke-device-method", "iot hub invoke-module-method", "iot device simulate",
    "iot hub device-identity create",
    "iot hub device-identity show", "iot hub device-identity list", "iot hub device-identity update",
    "iot hub device-identity delete", "iot hub device-identity connection-string show", "iot hub device-twin show",
    "iot hub device-twin update", "iot hub device-twin list", "iot hub query", "iot device send-d2c-message",
    "iot device c2d-message receive", "iot device c2d-message complete", "iot device c2d-message abandon",
    "iot device c2d-message reject", "iot device c2d-message purge",
    "iot hub device-identity renew-key", "iot hub device-identity parent show", "iot hub device-identity parent set",
    "iot hub device-identity children add", "iot hub device-identity children list",
    "iot hub device-identity children remove", "iot hub device-twin replace", "iot hub module-identity create",
    "iot hub module-identity show", "iot hub module-identity list", "iot hub module-identity update",
    "iot hub module-identity delete", "iot hub module-identity renew-key",
    "iot hub module-identity connection-string show", "iot hub module-twin show", "iot hub module-twin update",
    "iot hub module-twin replace", "iot hub connection-string show", "iot hub generate-sas-token",
]  # fmt: skip

OTHER_DEFAULTS = generator("compatibility_notes").OTHER_DEFAULTS  # the same in another way

# Required by the reference, and not by us: something else may stand in their place.
OPTIONAL = {
    ("iot hub invoke-device-method", "--device-id"): "or a selection of many",
    ("iot hub invoke-module-method", "--device-id"): "or a selection of many",
    ("iot hub invoke-module-method", "--module-id"): "or a condition that selects modules",
    ("iot device simulate", "--device-id"): "or a fleet",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_every_option_of_the_reference(command: str, reference: dict[str, Any]) -> None:
    ours = {tuple(each["options"]): each for each in our_arguments()[command].values()}
    for theirs in reference["commands"][command]:
        options = tuple(theirs["options"])
        assert options in ours, f"{command}: {options} is missing; there are {sorted(ours)}"
        mine = ours[options]
        assert mine["choices"] == theirs["choices"], options
        assert mine["default"] == OTHER_DEFAULTS.get(options[0], theirs["default"]), options
        assert mine["required"] == (theirs["required"] and (command, options[0]) not in OPTIONAL), options


def test_no_command_has_an_option_twice() -> None:
    for command, arguments in our_arguments().items():
        spelled = [option for each in arguments.values() for option in each["options"]]
        assert len(spelled) == len(set(spelled)), command


def test_the_words_of_a_rerun_are_the_models() -> None:
    assert RERUN_WORDS == WORDS


FLEET_JOB_VERBS = "create run stop resume cancel show list list-runs results rerun copy update delete".split()
CENTRAL = [  # as az iot central job create spells them
    ("--batch", "-b"), ("--batch-type", "--bt"), ("--cancellation-threshold", "--cth"),
    ("--cancellation-threshold-type", "--ctt"), ("--cancellation-threshold-batch", "--ctb"), ("--description",),
    ("--group", "--group-id"), ("--content", "-k"), ("--display-name",),
]  # fmt: skip


def test_fleet_jobs_are_typed_as_central_jobs_were() -> None:
    ours = our_arguments()
    for verb in FLEET_JOB_VERBS:
        options = [tuple(each["options"]) for each in ours[f"iot hub fleet-job {verb}"].values()]
        assert verb == "list" or ("--fleet-job-id", "-j") in options, verb
        if verb in ("create", "copy", "update"):
            assert set(CENTRAL) <= set(options), verb
    create = {each["options"][0]: each["choices"] for each in ours["iot hub fleet-job create"].values()}
    assert set(create["--batch-type"]) == set(create["--cancellation-threshold-type"]) == {"number", "percentage"}


@pytest.mark.parametrize("group", ["iot hub job", "iot hub fleet-job"])
def test_the_help_of_both_groups_begins_with_the_difference(group: str) -> None:
    our_arguments()  # they are loaded, and so is their help
    text: str = yaml.safe_load(helps[group])["long-summary"]
    assert re.match(r"A job is one job that the hub runs\. A fleet job (\([a-z -]+\) )?is many of them", text)
