"""Find, register and remove the devices of a simulation.

Whenever the process dies, no device that it created is forgotten, and no device that somebody else created is removed:
each device is logged before the request that creates it, and one whose creation was not confirmed counts as created by
this run only if its tags name the run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import partial
from typing import Any, Protocol

from azext_iotjobs.clients.bulk import BulkClient
from azext_iotjobs.clients.facts import FactsClient
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.throttling import outlasting_throttling
from azext_iotjobs.model.bulk import (
    ALREADY_EXISTS,
    HAS_CHANGED,
    MAX_IN_BULK,
    NOT_FOUND,
    BulkFailure,
    NewDevice,
)
from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.created_devices import CreatedDevices
from azext_iotjobs.model.errors import BadRequest
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.simulated_devices import DeviceFacts, Shard, check_at_most, shown_ids

MAX_SINGLE_READS = 10  # of devices that a query did not find: it may be behind the registry
QUERY_LAG_S = 10.0  # to wait for: queries find a device some seconds after it was created
POLL_INTERVAL_S = 2.0

OnBatch = Callable[[int, int], None]  # called with how many devices are done, and of how many


class CreationLog(Protocol):
    """The log of the devices that a run creates, on disk."""

    created: CreatedDevices

    def append(self, entry: Mapping[str, Any]) -> None:
        """Append an entry and apply it to `created`; it is on the disk when this returns."""


@dataclass(frozen=True, kw_only=True)
class FoundDevices:
    """The devices of a selection."""

    existing: tuple[DeviceFacts, ...]
    missing: tuple[str, ...]  # named, but not registered
    numbers: Mapping[str, int]  # of each device, from 0; the same on every machine that has a shard


@dataclass(frozen=True, kw_only=True)
class Creation:
    """The result of registering devices."""

    created: tuple[str, ...]
    existing: tuple[DeviceFacts, ...]  # that somebody else has registered meanwhile


@dataclass(kw_only=True)
class Deletion:
    """The result of removing devices."""

    deleted: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # removed already by somebody else
    changed: list[str] = field(default_factory=list)  # not removed: somebody has changed them
    failed: list[BulkFailure] = field(default_factory=list)  # not removed: the hub refused


def find(client: HubClient, selection: Selection, shard: Shard | None, limit: int | None) -> FoundDevices:
    """The registered devices of a selection, or of this machine's shard of it.

    limit: how many devices there may be, missing ones included; None: any number.
    Raises BadValue for more; HubAnswer, also for a condition that the hub cannot read; LinkError.
    """
    facts = FactsClient(client.queries, client.twins)
    if selection.condition is not None:
        return _matching(facts.of_selection(selection), shard, limit)
    numbers = {name: number for number, name in enumerate(selection.named)}
    ours = tuple(name for name in selection.named if shard is None or shard.has(name))
    check_at_most(len(ours), limit)
    rows = {each.device_id: each for each in facts.of_selection(Selection(device_ids=ours))} if ours else {}
    missing = [name for name in ours if name not in rows]
    if len(missing) <= MAX_SINGLE_READS:
        rows.update({name: fact for name in missing if (fact := facts.of_device(name)) is not None})
    return FoundDevices(
        existing=tuple(rows[name] for name in ours if name in rows),
        missing=tuple(name for name in ours if name not in rows),
        numbers=numbers,
    )


def _matching(rows: Iterable[DeviceFacts], shard: Shard | None, limit: int | None) -> FoundDevices:
    ours: list[DeviceFacts] = []
    names: list[str] = []
    for each in rows:
        names.append(each.device_id)
        if shard is None or shard.has(each.device_id):
            ours.append(each)
            check_at_most(len(ours), limit)
    return FoundDevices(
        existing=tuple(sorted(ours, key=lambda each: each.device_id)),
        missing=(),
        numbers={name: number for number, name in enumerate(sorted(names))},
    )


def create(
    client: HubClient, new: Sequence[NewDevice], log: CreationLog, clock: Clock, stop: StopFlag, on_batch: OnBatch
) -> Creation:
    """Register devices until `stop`; the log records those that were created, with their etags.

    new: their tags must name the run of the log.  on_batch: called after each request.
    Raises BadRequest when the hub refused some, once the others of their request are in the log; HubAnswer, LinkError.
    """
    bulk, facts = BulkClient(client.transport), FactsClient(client.queries, client.twins)
    created: list[str] = []
    existing: list[DeviceFacts] = []
    done = 0
    for batch in _batches(new):
        if stop.is_set():
            break
        created_now, foreign = _create_batch(bulk, facts, batch, log, clock)
        created += created_now
        existing += foreign
        done += len(batch)
        on_batch(done, len(new))
    _log_etags(facts, created, log, clock)
    return Creation(created=tuple(created), existing=tuple(existing))


def _create_batch(
    bulk: BulkClient, facts: FactsClient, batch: Sequence[NewDevice], log: CreationLog, clock: Clock
) -> tuple[list[str], list[DeviceFacts]]:
    """Register devices by one request: the ids created, and the devices that somebody else has registered."""
    names = [each.device_id for each in batch]
    log.append({"intended": names})
    result = outlasting_throttling(partial(bulk.create, batch), clock)
    refused = [each for each in result.failures if each.code not in ALREADY_EXISTS]
    # One that exists may still be ours, if the response to a first try was lost: its tags say so.
    found = {each.device_id: facts.of_device(each.device_id) for each in result.failures if each not in refused}
    foreign = [each for each in found.values() if each is not None and not each.was_created_by(log.created.run)]
    not_created = {*(each.device_id for each in refused), *(each.device_id for each in foreign)}
    not_created |= {name for name, fact in found.items() if fact is None}
    created = [name for name in names if name not in not_created]
    log.append({"made": created, "notMade": sorted(not_created)})
    if result.without_twin:
        bulk.set_tags(dict.fromkeys(result.without_twin, batch[0].tags))
    if refused:
        raise _refusal(refused)
    return created, foreign


def delete(client: HubClient, log: CreationLog, clock: Clock, on_batch: OnBatch) -> Deletion:
    """Remove the devices of a log that are as they were created; the log then names those that are left.

    A device whose etag is not known is read first: its tags must name the run of the log.
    Raises HubAnswer, LinkError.
    """
    bulk, facts = BulkClient(client.transport), FactsClient(client.queries, client.twins)
    result = Deletion()
    total = len(log.created.etags)
    _find_unknown_etags(facts, log, result)
    for batch in _batches([(name, etag) for name, etag in log.created.etags.items() if etag is not None]):
        answer = outlasting_throttling(partial(bulk.delete, dict(batch)), clock)
        failures = {each.device_id: each for each in answer.failures}
        deleted = [name for name, _ in batch if name not in failures]
        missing = [name for name, each in failures.items() if each.code in NOT_FOUND]
        changed = [name for name, each in failures.items() if each.code in HAS_CHANGED]
        log.append({"gone": deleted + missing, "left": changed})
        result.deleted += deleted
        result.missing += missing
        result.changed += changed
        result.failed += [each for each in failures.values() if each.code not in (*NOT_FOUND, *HAS_CHANGED)]
        on_batch(total - len(log.created.etags), total)
    return result


def _find_unknown_etags(facts: FactsClient, log: CreationLog, result: Deletion) -> None:
    for name in [name for name, etag in log.created.etags.items() if etag is None]:
        fact = facts.of_device(name)
        if fact is None:
            result.missing.append(name)
            log.append({"gone": [name]})
        elif fact.was_created_by(log.created.run):
            log.append({"etags": {name: fact.etag}})
        else:
            result.changed.append(name)
            log.append({"left": [name]})


def _log_etags(facts: FactsClient, created: Sequence[str], log: CreationLog, clock: Clock) -> None:
    """Log the etags, from a query for the run's tag once it finds the devices; of the others by single reads."""
    if not created:
        return
    run, give_up_at = log.created.run, clock.monotonic() + QUERY_LAG_S
    while facts.count_of_run(run) < len(created) and clock.monotonic() < give_up_at:
        clock.sleep(POLL_INTERVAL_S)
    unknown = set(created)
    etags = {each.device_id: each.etag for each in facts.of_run(run) if each.device_id in unknown and each.etag}
    if etags:
        log.append({"etags": etags})
    for name in sorted(unknown - etags.keys()):
        fact = facts.of_device(name)
        if fact is not None:
            log.append({"etags": {name: fact.etag}})


def _batches(items: Sequence[Any]) -> Iterator[Any]:
    for start in range(0, len(items), MAX_IN_BULK):
        yield items[start : start + MAX_IN_BULK]


def _refusal(refused: Sequence[BulkFailure]) -> BadRequest:
    first = refused[0]
    return BadRequest(
        f"The hub did not register {shown_ids([each.device_id for each in refused])}: {first.code}: {first.reason}",
        status=400,
        hub_code=first.code,
    )
