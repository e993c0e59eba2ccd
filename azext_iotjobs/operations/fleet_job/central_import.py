"""Import what documents of IoT Central's are to become: compare it with what is saved, then save all of it or nothing.

Who imports again changes nothing: what is there and equal is left alone, and what differs is refused unless it may be
overwritten. A schedule that is not imported says nothing about the one that a fleet job has here.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from azext_iotjobs.central.report import Member, Translated, WantedGroup, WantedJob
from azext_iotjobs.central.translation import refused
from azext_iotjobs.fleet_job.due import next_occurrences
from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.fleet_job.store.stored_json import render_definition
from azext_iotjobs.model.definition_document import definition_document
from azext_iotjobs.model.errors import BadRequest, NotFound
from azext_iotjobs.model.fleet_job import Definition, FleetJob
from azext_iotjobs.model.occurrence import Occurrence, StoredSchedule
from azext_iotjobs.model.text import Text
from azext_iotjobs.operations.fleet_job import definitions
from azext_iotjobs.operations.fleet_job.schedule import saved

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
    store: FleetJobStore, host: str, steps: Iterable[ImportStep], *, by: str, at: datetime, new_key: Callable[[], str]
) -> list[Occurrence]:
    """Save what was planned, all of it or nothing; gives what was due by schedules that were changed.

    host: as for `plan_import`.  by: who imports it, for people.  at: aware UTC, the policy's `now`.
    new_key: makes 8 random letters of a-z, 0-9.
    Raises ConflictingChoice where somebody else has saved the same meanwhile.
    """
    missed: list[Occurrence] = []
    with store.transaction():
        for each in steps:
            if not each.effect.is_saved:
                continue
            wanted = each.translated.wanted
            if isinstance(wanted, WantedGroup):
                store.groups.save(host, wanted.name, wanted.condition)
            elif wanted is not None:
                _save_job(store, host, wanted, each.effect, by, at)
                missed += _set_schedule(store, wanted, by, at, new_key)
    return missed


def _save_job(store: FleetJobStore, host: str, wanted: WantedJob, effect: Effect, by: str, at: datetime) -> None:
    if effect is Effect.CREATED:
        definitions.create(store, wanted.fleet_job_id, host, wanted.definition, by=by, at=at)
    else:
        definitions.edit(store, wanted.fleet_job_id, wanted.definition, by=by, at=at)


def _set_schedule(
    store: FleetJobStore, wanted: WantedJob, by: str, at: datetime, new_key: Callable[[], str]
) -> tuple[Occurrence, ...]:
    """Set its schedule, where it has one; gives what was due by the one before."""
    if wanted.schedule is None:
        return ()
    return saved.set_schedule(store, wanted.fleet_job_id, wanted.schedule, by=by, at=at, new_key=new_key).missed


class _Planner:
    """Decides document by document: what refers to a group that is refused is refused, too."""

    def __init__(self, store: FleetJobStore, host: str, count: Callable[[str], int], policy: ImportPolicy) -> None:
        self._store = store
        self._host = host
        self._count = count
        self._policy = policy
        self._groups = {each.name: each.condition for each in store.groups.list_all() if each.host == host}
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
            return ImportStep(translated, effect, self._count(wanted.condition))
        except BadRequest as err:
            return self._refused_group(translated, wanted, Text("the hub cannot read its condition: ", err.message))

    def _refused_group(self, translated: Translated, wanted: WantedGroup, reason: str) -> ImportStep:
        self._refused_groups.add(wanted.name)
        return _refused(translated, reason)

    def _job(self, translated: Translated, wanted: WantedJob) -> ImportStep:
        there = self._saved(wanted.fleet_job_id)
        if there is not None and there.host != self._host:
            return _refused(translated, f"fleet job {there.fleet_job_id} is there, and belongs to {there.host}.")
        stored = self._store.schedules.get(wanted.fleet_job_id)
        translated, wanted = self._without_past(translated, wanted, stored)
        differs = [] if there is None else _differences(there.definition, wanted, stored)
        effect = self._effect(there is not None, differs)
        if effect is Effect.REFUSED:
            text = f"fleet job {wanted.fleet_job_id} is there, and differs in {', '.join(differs)}. "
            return _refused(translated, Text(text, OVERWRITE))
        group = wanted.definition.targets.group
        if effect is not Effect.UNCHANGED and group in self._refused_groups:
            return _refused(translated, f"its device group {group!r} is not imported.")
        return ImportStep(translated, effect)

    def _saved(self, fleet_job_id: str) -> FleetJob | None:
        try:
            return self._store.definitions.get(fleet_job_id)
        except NotFound:
            return None

    def _effect(self, is_there: bool, differences: Sequence[str]) -> Effect:
        if not is_there:
            return Effect.CREATED
        if not differences:
            return Effect.UNCHANGED
        return Effect.OVERWRITTEN if self._policy.overwrite else Effect.REFUSED

    def _without_past(
        self, translated: Translated, wanted: WantedJob, stored: StoredSchedule | None
    ) -> tuple[Translated, WantedJob]:
        """The same, without a schedule that has no occurrence from now on; one that is there already may have run."""
        if wanted.schedule is None or (stored is not None and stored.schedule == wanted.schedule):
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
        members.append(Member("schedule", None, "it has no occurrence: no day and time that it means lies ahead"))
        return translated._replace(members=tuple(members), wanted=without), without


def _refused(translated: Translated, reason: str) -> ImportStep:
    return ImportStep(refused(translated, reason), Effect.REFUSED)


def _differences(there: Definition, wanted: WantedJob, stored: StoredSchedule | None) -> list[str]:
    """In what a saved fleet job differs from what is wanted, in words."""
    found = []
    if render_definition(there) != render_definition(wanted.definition):
        old, new = definition_document(there), definition_document(wanted.definition)
        found += [name.replace("_", " ") for name in new if old[name] != new[name]] or ["its values"]
    if wanted.schedule is not None and (stored is None or stored.schedule != wanted.schedule):
        found.append("schedule")
    return found
