"""Options, aliases, defaults and choices are the reference's, command by command."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from knack.help_files import helps

from azext_iotjobs.cli.input.row_params import RUN_ERROR_CLASSES
from azext_iotjobs.cli.job.params import RERUN_WORDS
from azext_iotjobs.model.rerun import WORDS
from azext_iotjobs.model.result import ErrorClass
from tests.helpers.surface import generator, our_arguments

NOTES = generator("compatibility_notes")
REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "reference_options.json").read_text(encoding="utf-8"))
COMMANDS = sorted(REFERENCE["commands"].keys() - NOTES.ABSENT_COMMANDS.keys())

OTHER_DEFAULTS = NOTES.OTHER_DEFAULTS  # the same in another way

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
        if "previews only" in theirs.get("marks", ()) and options not in ours:
            continue  # 0.31.0 itself has not got it either
        assert options in ours, f"{command}: {options} is missing; there are {sorted(ours)}"
        mine = ours[options]
        assert mine["choices"] == theirs["choices"], options
        assert mine["default"] == OTHER_DEFAULTS.get(options[0], theirs["default"]), options
        assert mine["required"] == (theirs["required"] and (command, options[0]) not in OPTIONAL), options


def test_every_hub_and_device_command_of_the_reference_is_recorded() -> None:
    """The groups that the page once lacked; the record is what the page is made from."""
    recorded = {name.rpartition(" ")[0] for name in REFERENCE["commands"]}
    assert REFERENCE["version"] == "0.31.0" and len(REFERENCE["commands"]) == 73
    of_hubs = "configuration digital-twin state distributed-tracing devicestream".split()
    of_edges = ["iot edge", "iot edge deployment", "iot edge devices"]
    assert recorded >= {*(f"iot hub {each}" for each in of_hubs), *of_edges}
    assert {"iot hub monitor-feedback", "iot hub monitor-events", "iot device c2d-message send"} <= set(
        REFERENCE["commands"]
    )


def test_no_command_has_an_option_twice() -> None:
    for command, arguments in our_arguments().items():
        spelled = [option for each in arguments.values() for option in each["options"]]
        assert len(spelled) == len(set(spelled)), command


def test_the_words_of_a_rerun_are_the_models() -> None:
    assert RERUN_WORDS == WORDS
    assert RUN_ERROR_CLASSES == tuple(each.value for each in ErrorClass)


FLEET_JOB_VERBS = (
    "create run stop approve reject resume cancel show list list-runs results rerun copy update delete".split()
)
CENTRAL = [  # as az iot central job create spells them
    ("--batch", "-b"),
    ("--batch-type", "--bt"),
    ("--cancellation-threshold", "--cth"),
    ("--cancellation-threshold-type", "--ctt"),
    ("--cancellation-threshold-batch", "--ctb"),
    ("--description",),
    ("--group", "--group-id"),
    ("--content", "-k"),
    ("--display-name",),
]


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
