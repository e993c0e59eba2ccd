"""Which devices a run of a fleet job has, and in which batches: looked at, or made. Nothing is sent to a device."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job import plan
from azext_iotjobs.fleet_job.store.sqlite import FleetStore, NewRun
from azext_iotjobs.fleet_job.unfinished import check_ended
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, NotFound
from azext_iotjobs.model.exclusions import idle_exclusions
from azext_iotjobs.model.fleet import Definition, Delivery, FleetJob, OfRun, Targets
from azext_iotjobs.model.host_names import canonical_authority
from azext_iotjobs.model.run import Narrowed, Run
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.model.tier import Estimate, TierFacts, choose_driver, estimates

SHOWN_BATCHES = 100
TOLD_EVERY = 100  # devices that a hub gives; its pages have as many

Device = tuple[str, str | None]  # and its module
TellCount = Callable[[int], None]
TellIdle = Callable[[Sequence[str]], None]


def _tell_nobody(_: object) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a run would be; nothing was stored or sent."""

    device_count: int
    batch_sizes: list[int]  # the first SHOWN_BATCHES
    batch_count: int
    driver: str
    driver_reason: str
    estimates: list[Estimate]
    pauses_s: float  # between batches, in all


def check_host(job: FleetJob, client: HubClient) -> None:
    """Raise ConflictingChoice when a fleet job belongs to another hub than the client's."""
    host = host_of(client)
    if canonical_authority(job.host) != host:
        raise ConflictingChoice(
            f"Fleet job {job.fleet_job_id} belongs to {job.host}, and {host} is given.",
            hint=f"Give -n {job.host}, or copy it for the other hub under a new id.",
        )


def host_of(client: HubClient) -> str:
    """The hub's name as fleet jobs store it: the same under whatever name it was reached."""
    return client.target.canonical


def preview(
    store: FleetStore,
    client: HubClient,
    job: FleetJob,
    tier: TierFacts | None,
    chosen: TellCount = _tell_nobody,
    idle: TellIdle = _tell_nobody,
) -> Preview:
    """What a run of a fleet job, saved or not, would be now.

    chosen: told now and then how many devices have been found.  idle: told which excluded ids leave nobody out.
    Raises NotFound for a device group that is not saved; BadValue for more devices than allowed; HubAnswer, LinkError.
    """
    definition = job.definition
    count = _choose(store, client, definition.targets, job.host, chosen, idle)
    sizes = definition.rollout.sizes
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
        pauses_s=max(0, batch_count - 1) * definition.rollout.pause_s,
    )


def new_run(
    store: FleetStore,
    client: HubClient,
    job: FleetJob,
    *,
    by: str,
    at: datetime,
    tier: TierFacts | None = None,
    delivery: Delivery | None = None,
    narrowed: Narrowed | None = None,
    chosen: TellCount = _tell_nobody,
    idle: TellIdle = _tell_nobody,
) -> Run:
    """Make a run of a fleet job: its devices and batches are fixed here, nothing is sent to them yet.

    delivery: how devices are reached this time; None: as the definition says.  tier: if it is known.
    narrowed: which of the devices this time; None: as the definition says.
    chosen: told now and then how many devices have been found.  idle: told which excluded ids leave nobody out.
    A run that has no device can be made; `carry_on` completes it.
    Raises RunUnfinished while another run of it has not ended; NotFound; BadValue for more devices than allowed;
    ConflictingChoice for timeouts of a method where there is none; HubAnswer, LinkError, StateError.
    """
    check_host(job, client)
    used = delivery or job.definition.delivery
    job.definition.action.within(used)
    last = store.last_run(job.fleet_job_id)
    if last is not None:
        check_ended(last, at)  # before the hub is asked; again when it is made
    targets = job.definition.targets
    if narrowed is not None:
        targets = narrowed.of(targets)
    count = _choose(store, client, targets, job.host, chosen, idle)
    choice = choose_driver(used.driver, tier, job.definition.action, count)
    # A definition with another driver is checked as a whole: not every action has a job.
    Definition(action=job.definition.action, targets=job.definition.targets, delivery=used)
    return store.add_run(
        NewRun(
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
    )


def _choose(
    store: FleetStore, client: HubClient, targets: Targets, host: str, chosen: TellCount, idle: TellIdle
) -> int:  # fmt: skip
    """Note in the store which devices a run has; gives how many."""
    if targets.of_run is not None:
        parent = _parent(store, targets.of_run)
        count = store.choose_of_run(parent, targets.of_run.words, targets.seed)
        if targets.excluded:
            idle(idle_exclusions(targets.excluded, store.chosen_of))
            count = store.leave_out(targets.excluded)
    else:
        selection = targets.selection or Selection(
            condition=store.group(host, targets.group or ""), excluded=targets.excluded
        )
        idle(idle_exclusions(selection.excluded, lambda ids: client.selections.which_of(selection, ids)))
        if targets.max_devices is not None and targets.limit is None and targets.sample_percent is None:
            client.selections.check_at_most(selection, targets.max_devices)
        count = store.choose(_told_of(_devices(client, selection), chosen), targets.seed)
        if selection.condition is not None:
            store.order_chosen()  # a hub gives them in an order of its own
    if targets.sample_percent is not None:
        count = store.keep_sample(plan.sample_size(count, targets.sample_percent))
    if targets.limit is not None:
        count = store.keep_first(targets.limit)
    if targets.max_devices is not None and count > targets.max_devices:
        raise BadValue(f"{count} devices are meant, and --max-devices allows {targets.max_devices}; nothing was sent.")
    return count


def _parent(store: FleetStore, devices: OfRun) -> Run:
    """The run whose devices are meant. Raises NotFound, also when it is deleted."""
    try:
        return store.run(devices.fleet_job_id, devices.run_number)
    except NotFound as err:
        raise NotFound(
            f"Its devices are some of run {devices.run_number} of fleet job {devices.fleet_job_id}, which is deleted.",
            hint=Text(
                "Name them anew, with --query-condition, --device-ids or --devices-file: ",
                command("iot hub fleet-job update", "-j", "FLEET-JOB"),
            ),
        ) from err


def _devices(client: HubClient, selection: Selection) -> Iterator[Device]:
    if selection.is_of_modules:
        yield from client.selections.module_ids(selection)
    elif selection.condition is None:
        yield from ((each, None) for each in selection.named)  # registered or not: their rows say so
    else:
        yield from ((each, None) for each in client.selections.device_ids(selection))


def _told_of(devices: Iterable[Device], chosen: TellCount) -> Iterator[Device]:
    for count, each in enumerate(devices, start=1):
        yield each
        if count % TOLD_EVERY == 0:
            chosen(count)
