"""Import what documents of IoT Central's are to become: compare it with what is saved, then save all of it or nothing.

Who imports again changes nothing: what is there and equal is left alone, and what differs is refused unless it may be
overwritten. A schedule that is not imported says nothing about the one that a fleet job has here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from azext_iotjobs.central.report import Translated, TranslatedMember, WantedGroup, WantedJob
from azext_iotjobs.central.translation import refused
from azext_iotjobs.fleet_job.due import next_occurrences
from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.fleet_job.store.stored_json import render_definition
from azext_iotjobs.model.definition_document import definition_document
from azext_iotjobs.model.errors import BadRequest, WrongState
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.schedule import Schedule
from azext_iotjobs.model.text import Text
from azext_iotjobs.operations.fleet_job.changes import Before, JobChange, SavedChange, read_before, save_changes

OVERWRITE = Text.of("{overwrite} puts the document in its place.")


class Effect(Enum):
    """What importing a document does."""

    CREATED = "created"
    OVERWRITTEN = "overwritten"
    UNCHANGED = "unchanged"  # it is there, and equal
    REFUSED = "refused"
    HISTORY = "history"  # a run of the past: not imported, and no fault

    @property
    def is_saved(self) -> bool:
        """Whether something is saved."""
        return self in (Effect.CREATED, Effect.OVERWRITTEN)


class ImportStep(NamedTuple):
    """A document, and what is done with it."""

    translated: Translated
    effect: Effect
    device_count: int | None = None  # of a group: how many devices its condition means now; None: not counted
    before: Before | str | None = None  # of a fleet job: as it was; of a group: the condition that it had


class ImportPolicy(NamedTuple):
    """How an import goes about what is there already."""

    overwrite: bool  # what differs is put in its place
    now: datetime  # aware UTC: schedules that have no occurrence after it are not imported


def plan_import(
    store: FleetJobStore,
    host: str,
    translated: Sequence[Translated],
    count: Callable[[str], int],
    policy: ImportPolicy,
) -> list[ImportStep]:
    """What is to be done with each document, in their order; nothing is saved.

    host: of the hub that the fleet jobs belong to, canonical.  translated: groups before what refers to them.
    count: how many devices of it a condition means; raises BadRequest for one that it cannot read.
    """
    planner = _Planner(store, host, count, policy)
    return [planner.step(each) for each in translated]


def save_import(
    store: FleetJobStore, host: str, steps: Sequence[ImportStep], *, by: str, at: datetime, new_key: Callable[[], str]
) -> list[SavedChange]:
    """Save what was planned, all of it or nothing; gives the fleet jobs that were saved.

    host: as for `plan_import`.  by: who imports it, for people.  at: aware UTC, the policy's `now`.
    new_key: makes 8 random letters of a-z, 0-9.
    Raises WrongState where somebody else has saved the same meanwhile.
    """
    saved = [each for each in steps if each.effect.is_saved]
    with store.transaction():
        conditions = _conditions(store, host)
        for each in saved:
            if isinstance(each.translated.wanted, WantedGroup):
                _save_group(store, host, each.translated.wanted, each.before, conditions)
        return save_changes(store, _job_changes(host, saved), by=by, at=at, new_key=new_key)


def _conditions(store: FleetJobStore, host: str) -> dict[str, str]:
    """The conditions of a hub's device groups, by name."""
    return {each.name: each.condition for each in store.groups.list_all() if each.host == host}


def _save_group(
    store: FleetJobStore, host: str, wanted: WantedGroup, before: object, conditions: Mapping[str, str]
) -> None:
    if conditions.get(wanted.name) != before:
        raise WrongState(
            f"Device group {wanted.name!r} was changed by somebody else meanwhile. Nothing was saved.",
            hint="Call the same command again: it begins with what is saved now.",
        )
    store.groups.save(host, wanted.name, wanted.condition)


def _job_changes(host: str, steps: Iterable[ImportStep]) -> Iterator[JobChange]:
    for each in steps:
        wanted = each.translated.wanted
        if isinstance(wanted, WantedJob) and isinstance(each.before, Before):
            schedule = each.before.schedule if wanted.schedule is None else wanted.schedule
            yield JobChange(wanted.fleet_job_id, host, wanted.definition, schedule, each.before)


class _Planner:
    """Decides document by document: what refers to a group that is refused is refused, too."""

    def __init__(self, store: FleetJobStore, host: str, count: Callable[[str], int], policy: ImportPolicy) -> None:
        self._store = store
        self._host = host
        self._count = count
        self._policy = policy
        self._groups = _conditions(store, host)
        self._refused_groups: set[str] = set()

    def step(self, translated: Translated) -> ImportStep:
        if isinstance(translated.wanted, WantedGroup):
            return self._group(translated, translated.wanted)
        if isinstance(translated.wanted, WantedJob):
            return self._job(translated, translated.wanted)
        return ImportStep(translated, Effect.HISTORY if translated.is_history else Effect.REFUSED)

    def _group(self, translated: Translated, wanted: WantedGroup) -> ImportStep:
        there = self._groups.get(wanted.name)
        effect = self._effect(there is not None, [] if there == wanted.condition else ["condition"])
        if effect is Effect.REFUSED:
            text = f"a device group {wanted.name!r} is there, with another condition: {there}. "
            return self._refused_group(translated, wanted, Text(text, OVERWRITE))
        if effect is Effect.UNCHANGED:  # its devices were counted before: each count is a query of the hub's quota
            return ImportStep(translated, effect)
        try:
            return ImportStep(translated, effect, self._count(wanted.condition), there)
        except BadRequest as err:
            return self._refused_group(translated, wanted, Text("the hub cannot read its condition: ", err.message))

    def _refused_group(self, translated: Translated, wanted: WantedGroup, reason: str) -> ImportStep:
        self._refused_groups.add(wanted.name)
        return _refused(translated, reason)

    def _job(self, translated: Translated, wanted: WantedJob) -> ImportStep:
        before = read_before(self._store, wanted.fleet_job_id)
        there = before.job
        if there is not None and there.host != self._host:
            return _refused(translated, f"fleet job {there.fleet_job_id} is there, and belongs to {there.host}.")
        translated, wanted = self._without_past(translated, wanted, before.schedule)
        differs = [] if there is None else _differences(there.definition, wanted, before.schedule)
        effect = self._effect(there is not None, differs)
        if effect is Effect.REFUSED:
            text = f"fleet job {wanted.fleet_job_id} is there, and differs in {', '.join(differs)}. "
            return _refused(translated, Text(text, OVERWRITE))
        group = wanted.definition.targets.group
        if effect is not Effect.UNCHANGED and group in self._refused_groups:
            return _refused(translated, f"its device group {group!r} is not imported.")
        return ImportStep(translated, effect, before=before)

    def _effect(self, is_there: bool, differences: Sequence[str]) -> Effect:
        if not is_there:
            return Effect.CREATED
        if not differences:
            return Effect.UNCHANGED
        return Effect.OVERWRITTEN if self._policy.overwrite else Effect.REFUSED

    def _without_past(
        self, translated: Translated, wanted: WantedJob, there: Schedule | None
    ) -> tuple[Translated, WantedJob]:
        """The same, without a schedule that has no occurrence from now on; one that is there already may have run."""
        if wanted.schedule is None or wanted.schedule == there:
            return translated, wanted
        new = StoredSchedule(
            fleet_job_id=wanted.fleet_job_id,
            host=self._host,
            schedule=wanted.schedule,
            set_at=self._policy.now,
            set_by="",
            store_key="",
        )
        last_at = self._store.occurrences.last_at(wanted.fleet_job_id)
        if next_occurrences(new, last_at, self._policy.now, 1):
            return translated, wanted
        without = wanted._replace(schedule=None)
        members = [each for each in translated.members if not each.name.startswith(("schedule", "enabled"))]
        members.append(
            TranslatedMember("schedule", None, "it has no occurrence: no day and time that it means lies ahead")
        )
        return translated._replace(members=tuple(members), wanted=without), without


def _refused(translated: Translated, reason: str) -> ImportStep:
    return ImportStep(refused(translated, reason), Effect.REFUSED)


def _differences(there: Definition, wanted: WantedJob, schedule: Schedule | None) -> list[str]:
    """In what a saved fleet job differs from what is wanted, in words."""
    found = []
    if render_definition(there) != render_definition(wanted.definition):
        old, new = definition_document(there), definition_document(wanted.definition)
        found += [name.replace("_", " ") for name in new if old[name] != new[name]] or ["its values"]
    if wanted.schedule is not None and wanted.schedule != schedule:
        found.append("schedule")
    return found
