"""Files of fleet jobs: what `show` prints is what they hold, and what is wrong with one is said with its place."""

from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from knack.output import format_json, format_yaml

from azext_iotjobs.cli.fleet_job.documents import render_fleet_job
from azext_iotjobs.cli.fleet_job.job_file.changes import changes
from azext_iotjobs.cli.fleet_job.job_file.read import FileJob, parse_file
from azext_iotjobs.cli.input.document_form import Problems
from azext_iotjobs.cli.input.parameters import Parameters
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.fleet_job import Definition, FleetJob
from azext_iotjobs.model.schedule import Schedule
from tests.helpers.any_definition import definitions, optional, schedules

NOW = datetime(2026, 5, 1, tzinfo=timezone.utc)
PRINTED = {"yaml": format_yaml, "json": format_json}
LEAST = """\
id: fw-7
action: {methodName: update}
targets: {queryCondition: "*"}
"""


def parsed(text: str, **values: str) -> list[FileJob]:
    """The fleet jobs of a file, with values for its parameters."""
    return parse_file(text, "job.yaml", Parameters(values, "--set"), Problems())


def one(text: str, **values: str) -> FileJob:
    (job,) = parsed(text, **values)
    return job


def refused(text: str, **values: str) -> list[str]:
    """The problems of a file, each on its line."""
    with pytest.raises(BadValue) as caught:
        parsed(text, **values)
    return str(caught.value).split("\n")


def saved(definition: Definition) -> FleetJob:
    return FleetJob(
        fleet_job_id="a-job",
        host="h.example",
        version=3,
        definition=definition,
        created_at=NOW,
        created_by="ann",
        edited_at=NOW,
        edited_by="ann",
    )


# -- what is shown is what is taken ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", PRINTED)
@given(definition=definitions(), schedule=optional(schedules()))
def test_what_is_shown_of_a_fleet_job_is_a_file_that_changes_nothing_and_makes_an_equal_one(
    form: str, definition: Definition, schedule: Schedule | None
) -> None:
    job = saved(definition)
    document = {**render_fleet_job(job, schedule), "status": "pending", "lastRun": None}
    text = PRINTED[form](SimpleNamespace(result=document))
    assume(form == "json" or yaml.safe_load(text) == document)  # az's YAML loses U+0085 and its like
    read = one(text)
    assert changes(job, schedule, read) == []
    assert read.definition == definition and (read.schedule, read.says_schedule) == (schedule, True)
    assert (read.fleet_job_id, read.hub) == ("a-job", "h.example")
