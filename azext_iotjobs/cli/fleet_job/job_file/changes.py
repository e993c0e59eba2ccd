"""What a file changes of a fleet job, member by member, under the names that commands show. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from azext_iotjobs.cli.fleet_job.documents import render_fleet_job
from azext_iotjobs.cli.fleet_job.job_file.form import FLEET_JOB
from azext_iotjobs.cli.fleet_job.job_file.read import FileJob
from azext_iotjobs.model.fleet_job import FleetJob
from azext_iotjobs.model.schedule import Schedule

SCHEDULE = "schedule"
Document = dict[str, Any]


class Change(NamedTuple):
    """A member that is to be another one."""

    member: str  # its path: delivery.rate
    before: Any
    after: Any

    def is_of(self, *paths: str) -> bool:
        """Whether it is one of these members, in one of them, or has one of them in it."""
        return any(
            f"{self.member}.".startswith(f"{path}.") or f"{path}.".startswith(f"{self.member}.") for path in paths
        )


def changes(saved: FleetJob, schedule: Schedule | None, wanted: FileJob) -> list[Change]:
    """What of a saved fleet job, and of its schedule, is to be otherwise."""
    as_wanted = replace(saved, definition=wanted.definition)
    before = _members(saved, schedule)
    after = _members(as_wanted, wanted.schedule if wanted.says_schedule else schedule)
    return list(_differences("", before, after))


def _members(job: FleetJob, schedule: Schedule | None) -> Document:
    document = render_fleet_job(job, schedule)
    return {name: document[name] for name in FLEET_JOB.members if name in document and name != "parameters"}


def _differences(path: str, before: Document, after: Document) -> Iterator[Change]:
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if (name in before) is (name in after) and _is_same(old, new):
            continue
        member = f"{path}.{name}" if path else name
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(member, old, new)
        else:
            yield Change(member, old, new)


def _is_same(old: Any, new: Any) -> bool:
    """Whether two JSON values are the same; 1 and true are not, 1 and 1.0 are."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_is_same(each, new[name]) for name, each in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_is_same, old, new))
    return isinstance(old, bool) is isinstance(new, bool) and bool(old == new)
