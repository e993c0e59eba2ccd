"""Which devices a run of a fleet job has, and in which batches: previewed, or made. Nothing is sent to a device."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.reading_ahead import read_ahead
from azext_iotjobs.fleet_job import plan
from azext_iotjobs.fleet_job.store.contract import FleetJobStore, NewRun
from azext_iotjobs.fleet_job.unfinished import check_ended
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, NotFound
from azext_iotjobs.model.exclusions import idle_exclusions
from azext_iotjobs.model.fleet_job import Definition, DevicesOfRun, FleetJob, Targets
from azext_iotjobs.model.gates import Gates
from azext_iotjobs.model.host_names import canonical_authority
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.run import Narrowed, Run
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.text import Field, Text, command, counted
from azext_iotjobs.model.tier import Estimate, TierFacts, choose_driver, estimates
from azext_iotjobs.operations.fleet_job.gate_checks import check_gates
from azext_iotjobs.operations.verification.conditions import try_conditions

SHOWN_BATCHES = 100
PAGE_DEVICES = 100  # that a hub gives at once
COUNT_EVERY = PAGE_DEVICES

Device = tuple[str, str | None]  # and its module


def _ignore(_: object) -> None:
    pass


@dataclass(frozen=True)
class SelectionObserver:
    """Who is notified while devices are selected."""

    on_count: Callable[[int], None] = _ignore  # now and then: how many devices have been found
    on_idle_exclusions: Callable[[Sequence[str]], None] = _ignore  # which excluded ids exclude nothing


NOBODY = SelectionObserver()


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a run would be; nothing was stored or sent."""

    device_count: int
    batch_sizes: list[int]  # the first SHOWN_BATCHES
    batch_count: int
    driver: str
    driver_reason: str
    estimates: list[Estimate]
    pauses_s: float  # between batches, in all; what bakes is part of it
    gates: Gates  # what stands between batches
    gate_query_count: int | None  # devices that match the condition of its gate now; None: it has none, or not asked
    verified_count: int | None  # devices of the whole hub that meet the condition of the verification already


def check_host(job: FleetJob, client: HubClient) -> None:
    """Raise ConflictingChoice when a fleet job belongs to another hub than the client's."""
    host = host_of(client)
    if canonical_authority(job.host) != host:
        raise ConflictingChoice(
            f"Fleet job {job.fleet_job_id} belongs to {job.host}, but {host} is given.",
            hint=Text("Give ", Field("hub"), f" {job.host}, or copy it for the other hub under a new id."),
        )


def host_of(client: HubClient) -> str:
    """The hub's name as fleet jobs store it: the same under whatever name it was reached."""
    return client.target.canonical


def preview(
    store: FleetJobStore,
    client: HubClient,
    job: FleetJob,
    tier: TierFacts | None,
    observer: SelectionObserver = NOBODY,
) -> Preview:
    """What a run of a fleet job, saved or not, would be now.

    store: where groups and earlier runs are.  client: of the fleet job's hub.  tier: of the hub, if it is known.
    observer: is notified while devices are selected.
    Raises NotFound for a device group that is not saved; BadValue for more devices than allowed, for a condition that
    the hub cannot read, and for a gate's program that is not there; HubAnswer, LinkError.
    """
    definition = job.definition
    verified_count = check_verification(client, definition)
    gate_query_count = check_gates(client, definition.rollout.gates)
    count = _select(store, client, definition.targets, job.host, observer)
    found = preview_of(definition, count, tier)
    return replace(found, gate_query_count=gate_query_count, verified_count=verified_count)


def preview_of(definition: Definition, count: int, tier: TierFacts | None) -> Preview:
    """What a run on so many devices would be; the hub is asked nothing.

    count: of its devices, 0 or more.  tier: of the hub, if it is known.
    """
    sizes, gates = definition.rollout.sizes, definition.rollout.gates
    choice = choose_driver(definition.delivery.driver, tier, definition.action, count)
    shown: list[int] = []
    batch_count = 0
    for size in sizes.counts(count):
        batch_count += 1
        if len(shown) < SHOWN_BATCHES:
            shown.append(size)
    return Preview(
        device_count=count,
        batch_sizes=shown,
        batch_count=batch_count,
        driver=choice.driver.value,
        driver_reason=choice.reason,
        estimates=estimates(tier, definition.action, count),
        pauses_s=max(0, batch_count - 1) * (definition.rollout.pause_s + gates.bake_s),
        gates=gates,
        gate_query_count=None,
        verified_count=None,
    )


def new_run(
    store: FleetJobStore,
    client: HubClient,
    job: FleetJob,
    *,
    by: str,
    at: datetime,
    tier: TierFacts | None = None,
    narrowed: Narrowed | None = None,
    observer: SelectionObserver = NOBODY,
) -> Run:
    """Make a run of a fleet job: its devices and batches are fixed here, nothing is sent to them yet.

    The arguments, and what is raised, are those of `planned_run`.
    A run that has no device can be made; `execute` completes it.
    """
    planned = planned_run(store, client, job, by=by, at=at, tier=tier, narrowed=narrowed, observer=observer)
    return store.runs.add(planned)


def planned_run(
    store: FleetJobStore,
    client: HubClient,
    job: FleetJob,
    *,
    by: str,
    at: datetime,
    tier: TierFacts | None = None,
    narrowed: Narrowed | None = None,
    observer: SelectionObserver = NOBODY,
) -> NewRun:
    """A run to be: its devices are the store's candidates now, until `store.runs.add` makes it of them.

    store: where the fleet job is.  client: of its hub.  by: who makes it, for people.  at: aware UTC.
    tier: of the hub, if it is known.  narrowed: fewer devices this time; None: those of the definition.
    observer: is notified while devices are selected.
    Raises RunUnfinished while another run of it has not ended; NotFound; BadValue for more devices than allowed, for a
    condition of its verification or a gate that the hub cannot read, and for a gate's program that is not there;
    ConflictingChoice for timeouts of a method where there is none; HubAnswer, LinkError, StateError.
    """
    check_host(job, client)
    used = job.definition.delivery
    job.definition.action.within(used)  # raises for timeouts where there is no method
    last = store.runs.last(job.fleet_job_id)
    if last is not None:
        check_ended(last, at)  # before the hub is queried; again when it is made
    check_verification(client, job.definition)
    check_gates(client, job.definition.rollout.gates)
    targets = job.definition.targets
    if narrowed is not None:
        targets = narrowed.of(targets)
    count = _select(store, client, targets, job.host, observer)
    choice = choose_driver(used.driver, tier, job.definition.action, count)
    return NewRun(
        fleet_job_id=job.fleet_job_id,
        version=job.version,
        run_key=plan.run_key([secrets.randbelow(len(plan.RUN_KEY_LETTERS)) for _ in range(plan.RUN_KEY_LENGTH)]),
        driver=choice.driver,
        driver_reason=choice.reason,
        delivery=used,
        sizes=job.definition.rollout.sizes,
        at=at,
        by=by,
        tier=tier,
        narrowed=narrowed,
    )


def check_verification(client: HubClient, definition: Definition) -> int | None:
    """How many devices of the hub meet the condition of a verification now; None: there is none, or it is of modules.

    Raises BadValue for a condition that the hub cannot read; HubAnswer, LinkError.
    """
    if definition.verification is None:
        return None
    selection = definition.targets.selection
    of_modules = selection is not None and selection.is_of_modules
    return try_conditions(client.queries, definition.verification, of_modules=of_modules)


def selection_of(store: FleetJobStore, targets: Targets, host: str) -> Selection:
    """What the hub is asked for: what is named, or what the condition of a device group finds.

    targets: not of an earlier run.  host: of the hub, as fleet jobs store it.
    Raises NotFound for a group that is not saved.
    """
    return targets.selection or Selection(
        condition=store.groups.condition_of(host, targets.group or ""), excluded=targets.excluded
    )


def _select(store: FleetJobStore, client: HubClient, targets: Targets, host: str, observer: SelectionObserver) -> int:
    """Note in the store which devices a run has; gives how many."""
    candidates = store.candidates
    if targets.of_run is not None:
        count = _collect_of_run(store, targets.of_run, targets, observer)
    else:
        count = _collect_of_hub(store, client, targets, host, observer)
    if targets.sample_percent is not None:
        count = candidates.keep_sample(plan.sample_size(count, targets.sample_percent))
    if targets.limit is not None:
        count = candidates.keep_first(targets.limit)
    if targets.max_devices is not None and count > targets.max_devices:
        raise BadValue(
            Text(
                f"{counted(count, 'device is', 'devices are')} selected, but ",
                Field("max_devices"),
                f" allows {targets.max_devices}; nothing was sent.",
            )
        )
    return count


def _collect_of_run(store: FleetJobStore, devices: DevicesOfRun, targets: Targets, observer: SelectionObserver) -> int:
    """Devices of an earlier run."""
    candidates = store.candidates
    count = candidates.collect_of_run(_parent(store, devices), devices.words, targets.seed)
    if targets.excluded:
        observer.on_idle_exclusions(idle_exclusions(targets.excluded, candidates.among))
        count = candidates.exclude(targets.excluded)
    return count


def _collect_of_hub(
    store: FleetJobStore, client: HubClient, targets: Targets, host: str, observer: SelectionObserver
) -> int:
    """Devices that are named, or that the hub finds."""
    selection = selection_of(store, targets, host)
    observer.on_idle_exclusions(
        idle_exclusions(selection.excluded, lambda ids: client.selections.which_of(selection, ids))
    )
    if targets.max_devices is not None and targets.limit is None and targets.sample_percent is None:
        client.selections.check_at_most(selection, targets.max_devices)
    count = store.candidates.collect(_counted(_devices(client, selection), observer), targets.seed)
    if selection.condition is not None:
        store.candidates.sort()  # a hub gives them in an order of its own
    return count


def _parent(store: FleetJobStore, devices: DevicesOfRun) -> Run:
    """The run whose devices are meant. Raises NotFound, also when it is deleted."""
    try:
        return store.runs.get(devices.fleet_job_id, devices.run_number)
    except NotFound as err:
        raise NotFound(
            f"Its devices are some of run {devices.run_number} of fleet job {devices.fleet_job_id}, which is deleted.",
            hint=Text.of(
                "Name the devices again, with {query_condition}, {device_ids} or {devices_file}: {update}",
                update=command("iot hub fleet-job update", fleet_job_id="FLEET-JOB"),
            ),
        ) from err


def _devices(client: HubClient, selection: Selection) -> Iterator[Device]:
    if selection.is_of_modules:
        yield from read_ahead(client.selections.module_ids(selection), PAGE_DEVICES)
    elif selection.condition is None:
        yield from ((each, None) for each in selection.named)  # registered or not: their rows say so
    else:
        yield from ((each, None) for each in read_ahead(client.selections.device_ids(selection), PAGE_DEVICES))


def _counted(devices: Iterable[Device], observer: SelectionObserver) -> Iterator[Device]:
    for count, each in enumerate(devices, start=1):
        yield each
        if count % COUNT_EVERY == 0:
            observer.on_count(count)
