"""Forms of the console <-> fleet jobs: read as files are, all that is wrong is said, and lines that say the same."""

import shlex
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.cli.commands import options_of
from azext_iotjobs.cli.fleet_job.definition_options import DefinitionOptions
from azext_iotjobs.cli.fleet_job.job_form.forms import CommandLineForms
from azext_iotjobs.cli.fleet_job.job_form.typed import definition_options, schedule_options
from azext_iotjobs.cli.fleet_job.schedule.options import ScheduleOptions
from azext_iotjobs.cli.input.option_groups import fields_of, option_of_dest, taken_from
from azext_iotjobs.console.job_forms import FormJob, FormProblem, Original
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.fleet_job import Definition, FleetJob
from azext_iotjobs.model.schedule import Schedule
from azext_iotjobs.model.text import Field, Text
from tests.helpers.any_definition import definitions, schedules
from tests.helpers.short_form import examples

FORMS = CommandLineForms()
SAVED_AT = datetime(2027, 1, 1, tzinfo=timezone.utc)
FORM = {"id": "night", "action.methodName": "reboot", "targets.queryCondition": "*"}


def saved(definition: Definition) -> FleetJob:
    return FleetJob(
        fleet_job_id="night",
        host="hub",
        version=1,
        definition=definition,
        created_at=SAVED_AT,
        created_by="ann",
        edited_at=SAVED_AT,
        edited_by="ann",
    )


def read(**fields: str) -> FormJob:
    """A form with more in it; two underscores stand for a dot."""
    found = FORMS.read({**FORM, **{name.replace("__", "."): text for name, text in fields.items()}})
    assert found.problems == [] and found.job is not None
    return found.job


def problems(form: dict[str, str]) -> dict[str, str]:
    found = FORMS.read(form)
    assert found.job is None
    return {each.field: each.text for each in found.problems}


@examples(15, 2_000)
@given(definitions(), st.none() | schedules())
def test_the_form_of_any_fleet_job_is_read_as_that_fleet_job(definition: Definition, schedule: Schedule | None) -> None:
    form = FORMS.form_of(saved(definition), schedule)
    assert FORMS.read(form) == (FormJob("night", definition, schedule), [])


def test_all_that_is_wrong_is_said_at_once_each_at_its_field() -> None:
    wrong = problems(
        {
            "id": "Night!",
            "action.methodName": "reboot",
            "action.payload": '{"delay": }',
            "targets.queryCondition": "",
            "batch": "many",
            "batchPauseSeconds": "soon",
            "cancellationThreshold": "500%",
            "delivery.concurrency": "1000",
            "delivery.rate": "fast",
            "gates.query.max": "1%",
            "retry.tries": "offline=3,nothing",
            "schedule.rule.frequency": "daily",
            "schedule.rule.at": "25:00",
            "schedule.timeZone": "Europe/Berlin",
        }
    )
    assert set(wrong) == {
        *("id", "action.payload", "targets.queryCondition", "batch", "batchPauseSeconds", "cancellationThreshold"),
        *("delivery.concurrency", "delivery.rate", "gates.query", "retry.tries", "schedule.rule.at"),
    }
    assert "1 to 200" in wrong["delivery.concurrency"]


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({**FORM, "targets.queryCondition": " "}, "targets.queryCondition"),
        ({"id": "night", "action.methodName": "reboot"}, "targets"),
        ({"id": "night", "action.methodName": "reboot", "targets.deviceIds": ""}, "targets.deviceIds"),
        ({"id": "night", "targets.queryCondition": "*", "action.twinPatch.tags": ""}, "action.twinPatch"),
        ({"id": "night", "targets.queryCondition": "*", "action.content": ""}, "action.content"),
        ({**FORM, "action.methodName": ""}, "action.methodName"),
        ({"id": "night", "targets.queryCondition": "*"}, "action"),
        ({**FORM, "id": ""}, "id"),
        ({**FORM, "colour": "red"}, ""),
        ({**FORM, "schedule.rule.frequency": "daily", "schedule.rule.at": "02:30"}, "schedule"),
    ],
)
def test_what_is_needed_and_not_there_is_said_where_it_belongs(form: dict[str, str], field: str) -> None:
    assert list(problems(form)) == [field]


def test_texts_are_read_as_the_options_of_commands_are() -> None:
    job = read(
        batch="1,5,20%",
        batchPauseSeconds="5m",
        cancellationThreshold="5%",
        cancellationThreshold__batch="true",
        delivery__whenOnlineSeconds="7d",
        labels="ring=2\nowner=ann",
        action__payload='"${not a parameter}"',
    )
    typed: dict[str, Any] = {
        "our_method_name": "reboot",
        "our_method_payload": '"${not a parameter}"',
        "our_query_condition": "*",
        "batch": "1,5,20%",
        "batch_pause": "5m",
        "cancellation_threshold": "5%",
        "cancellation_threshold_batch": True,
        "when_online": "7d",
        "our_labels": ["ring=2", "owner=ann"],
    }
    assert job.definition == taken_from(typed, DefinitionOptions).new()


def test_a_new_fleet_job_is_a_line_that_can_be_pasted() -> None:
    (line,) = FORMS.lines(read(action__payload='{"delay": 5}', displayName="-Night", batch="10%"), None)
    assert shlex.split(line) == shlex.split(
        "az iot hub fleet-job create --display-name=-Night --method-name reboot --method-payload '{\"delay\":5}' "
        "--query-condition '*' --batch 10% -j night"
    )


def test_an_edit_is_a_line_of_what_changes_and_of_what_is_taken_away() -> None:
    before = read(batch="10%", cancellationThreshold="5", cancellationThreshold__action="stop", labels="a=b")
    original = Original(saved(before.definition), None, is_copied=False)
    changed = read(
        batch="20%",
        labels="a=b",
        schedule__rule__frequency="weekly",
        schedule__rule__weekdays="mon,thu",
        schedule__rule__at="02:30",
        schedule__timeZone="UTC",
    )
    assert FORMS.lines(changed, original) == [
        "az iot hub fleet-job update --batch 20% --cancellation-threshold none -j night",
        "az iot hub fleet-job schedule set --weekly mon,thu --at 02:30 --time-zone UTC -j night",
    ]
    assert FORMS.lines(before, original) == []
    scheduled = Original(saved(changed.definition), changed.schedule, is_copied=False)
    assert FORMS.lines(changed._replace(schedule=None), scheduled) == ["az iot hub fleet-job schedule remove -j night"]
    copied = scheduled._replace(is_copied=True)
    assert FORMS.lines(changed._replace(fleet_job_id="day", schedule=None), copied)[0].startswith(
        "az iot hub fleet-job copy"
    )


@examples(15, 2_000)
@given(definitions(), definitions(), schedules())
def test_a_line_means_what_the_form_means_or_a_file_says_it(one: Definition, other: Definition, plan: Schedule) -> None:
    lines = FORMS.lines(FormJob("night", other, plan), Original(saved(one), None, is_copied=False))
    assert all(each.startswith("az iot hub fleet-job ") for each in lines)
    if not any(" apply " in each for each in lines):
        assert taken_from(dict(schedule_options(plan)), ScheduleOptions).schedule() == plan
    (line,) = FORMS.lines(FormJob("night", other, None), None)
    if " create " in line:
        assert taken_from(dict(definition_options(other)), DefinitionOptions).new() == other


def test_what_was_found_elsewhere_has_its_field_too() -> None:
    error = BadValue(Text(Field("query_condition"), ": no."))
    assert FORMS.problem(error, "id") == FormProblem("targets.queryCondition", "targets.queryCondition: no.")
    assert FORMS.problem(BadValue("Taken."), "id") == FormProblem("id", "Taken.")


def test_the_options_of_lines_are_spelled_as_the_commands_have_them() -> None:
    for command, group in (("create", DefinitionOptions), ("schedule set", ScheduleOptions)):
        names = {each.dest: each.names for options in options_of(f"iot hub fleet-job {command}") for each in options}
        for dest in fields_of(group):
            assert option_of_dest(dest) in names[dest]
