"""The commands that save what a form says. A line that would not say the same is not shown: a file says it then."""

from collections.abc import Callable, Sequence
from typing import Any

from azext_iotjobs.cli.fleet_job.definition_options import DefinitionOptions
from azext_iotjobs.cli.fleet_job.job_form.typed import Typed, definition_options, schedule_options, words
from azext_iotjobs.cli.fleet_job.schedule.options import ScheduleOptions
from azext_iotjobs.cli.input.option_groups import option_of_dest, taken_from
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.console.job_forms import FormJob, Original
from azext_iotjobs.model.errors import UserError
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.schedule import Schedule

GROUP = "iot hub fleet-job"
MAX_IDS_CHARACTERS = 1_000  # of ids in a line; more of them stand in a file
OF_TWINS = {"our_desired", "our_tags"}  # they are one patch: each of them alone is all of it
# What is typed to take away what was typed of a fleet job; a limit of 0 takes a sample and its seed away, too.
REMOVALS: Typed = {
    "display_name": "",
    "description": "",
    "our_labels": [""],
    "exclude": "",
    "limit": 0,
    "batch": "100%",
    "batch_pause": "0",
    "cancellation_threshold": "none",
    "retry": "none",
    "gate_success": "none",
    "bake": "none",
    "gate": "none",
    "gate_query": "none",
    "gate_query_max": "none",
    "gate_query_min": "none",
    "gate_command": "none",
    "verify": "none",
    "verify_failed": "none",
    "driver": "auto",
    "concurrency": 10,
    "our_ttl": 0,
    "when_online": "none",
}


def lines_of(job: FormJob, original: Original | None) -> Sequence[str]:
    """The commands that save a fleet job as a form has it. original: None: it is new."""
    return [*_of_definition(job, original), *_of_schedule(job, original)]


def _of_definition(job: FormJob, original: Original | None) -> list[str]:
    if original is None:
        typed = definition_options(job.definition)
        is_same = _is(job.definition, lambda: taken_from(dict(typed), DefinitionOptions).new())
        return [_line(f"{GROUP} create", typed, fleet_job_id=job.fleet_job_id) if is_same else _by_file()]
    before = original.job.definition
    ids = {"fleet_job_id": original.job.fleet_job_id}
    if original.is_copied:
        ids["new_fleet_job_id"] = job.fleet_job_id
    elif before == job.definition:
        return []
    changes = _changes(before, job.definition)
    if changes is None:
        return [_by_file()]
    return [_line(f"{GROUP} {'copy' if original.is_copied else 'update'}", changes, **ids)]


def _changes(before: Definition, after: Definition) -> Typed | None:
    """What is typed to make one of the other: as little as does, or all of it; None: nothing does."""
    old, new = definition_options(before), definition_options(after)
    different = {dest: value for dest, value in new.items() if old.get(dest) != value}
    removed = {dest: REMOVALS[dest] for dest in old if dest in REMOVALS and dest not in new}
    if different.keys() & OF_TWINS:
        different = {dest: value for dest, value in new.items() if dest in different or dest in OF_TWINS}
    for typed in (different | removed, different, new | removed, new | {"limit": 0}):
        options = taken_from(dict(typed), DefinitionOptions)
        if _is(after, lambda options=options: options.onto(before)):  # type: ignore[misc]
            return typed
    return None


def _of_schedule(job: FormJob, original: Original | None) -> list[str]:
    before = None if original is None or original.is_copied else original.schedule
    schedule = job.schedule
    if schedule == before:
        return []
    if schedule is None:
        return [suggestion(f"{GROUP} schedule remove", fleet_job_id=job.fleet_job_id)]
    typed = schedule_options(schedule)
    if not _is(schedule, lambda: taken_from(dict(typed), ScheduleOptions).schedule()):
        return [_by_file()]
    return [_line(f"{GROUP} schedule set", typed, fleet_job_id=job.fleet_job_id)]


def _is(wanted: Definition | Schedule, made: Callable[[], Any]) -> bool:
    """Whether what is typed means what is wanted."""
    try:
        return bool(made() == wanted)
    except UserError:
        return False


def _line(command: str, typed: Typed, **ids: str) -> str:
    arguments: list[str] = []
    for dest, values in words(typed):
        option = option_of_dest(dest)
        if dest == "our_device_ids" and len(values[0]) > MAX_IDS_CHARACTERS:
            option, values = "--devices-file", ["devices.txt"]
        if len(values) == 1 and values[0].startswith("-"):
            arguments.append(f"{option}={values[0]}")
        else:
            arguments += [option, *values]
    return suggestion(command, *arguments, **ids)


def _by_file() -> str:
    return suggestion(f"{GROUP} apply", "--file", "job.yaml")
