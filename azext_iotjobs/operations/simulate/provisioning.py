"""Find, register and remove the devices of a simulated fleet.

Whatever dies when: nothing that was made is forgotten, and nothing that somebody else made is removed. What is about to
be made is written down before it is asked for, and a device whose making was not confirmed counts as ours only if it
bears the tag of this very creation.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from azext_iotjobs.clients.bulk import BulkClient
from azext_iotjobs.clients.facts import FactsClient
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.bulk import (
    ALREADY_EXISTS,
    HAS_CHANGED,
    MAX_IN_BULK,
    NOT_FOUND,
    BulkFailure,
    BulkResult,
    NewDevice,
)
from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.created_devices import Created
from azext_iotjobs.model.errors import AnswerTooLate, BadRequest, Throttled
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.simulated_devices import DeviceFacts, Shard, check_at_most, some

LOOKED_UP = 10  # devices that a query did not find and that are asked for one by one: it may be behind
QUERY_LAG_S = 10.0  # that is waited for; a device shows up in queries some seconds after it was made
LOOK_EVERY_S = 2.0
THROTTLED_TRIES = 5  # of one bulk request, beside the transport's own: one takes a minute's quota of an S1 hub
THROTTLED_PAUSE_S = 20.0

OnBatch = Callable[[int, int], None]  # how many are done, of how many


class CreationLog(Protocol):
    """The list of what a creation made, on a disk."""

    created: Created

    def note(self, entry: Mapping[str, Any]) -> None:
        """Add an entry to the list and apply it; it is on the disk when this returns."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The devices that are meant."""

    there: tuple[DeviceFacts, ...]
    missing: tuple[str, ...]  # named, but not registered
    numbers: Mapping[str, int]  # of each, from 0, within the whole fleet: the same on every machine that has a shard


@dataclass(frozen=True, kw_only=True)
class Creation:
    """What became of the devices that were to be made."""

    made: tuple[str, ...]
    there: tuple[DeviceFacts, ...]  # not made: somebody else had, after they were looked for


@dataclass(kw_only=True)
class Deletion:
    """What became of the devices that were to be removed."""

    deleted: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # gone already
    changed: list[str] = field(default_factory=list)  # not removed: not as they were made
    failed: list[BulkFailure] = field(default_factory=list)  # not removed: the hub did not


def find(client: HubClient, selection: Selection, shard: Shard | None, limit: int | None) -> Found:
    """The registered devices of a selection, or of this machine's shard of it.

    limit: how many may be meant, with those that are missing.
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
    if len(missing) <= LOOKED_UP:
        rows.update({name: fact for name in missing if (fact := facts.of_device(name)) is not None})
    return Found(
        there=tuple(rows[name] for name in ours if name in rows),
        missing=tuple(name for name in ours if name not in rows),
        numbers=numbers,
    )


def _matching(rows: Iterable[DeviceFacts], shard: Shard | None, limit: int | None) -> Found:
    ours: list[DeviceFacts] = []
    names: list[str] = []
    for each in rows:
        names.append(each.device_id)
        if shard is None or shard.has(each.device_id):
            ours.append(each)
            check_at_most(len(ours), limit)
    return Found(
        there=tuple(sorted(ours, key=lambda each: each.device_id)),
        missing=(),
        numbers={name: number for number, name in enumerate(sorted(names))},
    )


def create(
    client: HubClient, new: Sequence[NewDevice], log: CreationLog, clock: Clock, stop: StopFlag, on_batch: OnBatch
) -> Creation:
    """Register devices that are not there, until `stop`; what was made is in the log, with etags.

    new: their tags must name the log's run.
    Raises BadRequest when the hub refused some, once the others of their request are in the log; HubAnswer, LinkError.
    """
    bulk, facts = BulkClient(client.transport), FactsClient(client.queries, client.twins)
    made: list[str] = []
    there: list[DeviceFacts] = []
    done = 0
    for batch in _batches(new):
        if stop.is_set():
            break
        names = [each.device_id for each in batch]
        log.note({"intended": names})
        result = _ridden_out(partial(bulk.create, batch), clock)
        refused = [each for each in result.failures if each.code not in ALREADY_EXISTS]
        # Made by us all the same where the answer to a first try was lost: the tags tell.
        found = {each.device_id: facts.of_device(each.device_id) for each in result.failures if each not in refused}
        foreign = [each for each in found.values() if each is not None and not each.was_made_by(log.created.run)]
        not_made = {*(each.device_id for each in refused), *(each.device_id for each in foreign)}
        not_made |= {name for name, fact in found.items() if fact is None}
        made_now = [name for name in names if name not in not_made]
        log.note({"made": made_now, "notMade": sorted(not_made)})
        made += made_now
        there += foreign
        if result.without_twin:
            bulk.set_tags(result.without_twin, batch[0].tags)
        if refused:
            raise _refusal(refused)
        done += len(batch)
        on_batch(done, len(new))
    _learn_etags(facts, made, log, clock)
    return Creation(made=tuple(made), there=tuple(there))


def delete(client: HubClient, log: CreationLog, clock: Clock, on_batch: OnBatch) -> Deletion:
    """Remove what the log says was made, where it is as it was made; the log knows then what is left.

    A device of which no etag is known is looked at first: its tags must name the log's run.
    Raises HubAnswer, LinkError.
    """
    bulk, facts = BulkClient(client.transport), FactsClient(client.queries, client.twins)
    result = Deletion()
    total = len(log.created.etags)
    for name in [name for name, etag in log.created.etags.items() if etag is None]:
        fact = facts.of_device(name)
        if fact is None:
            result.missing.append(name)
            log.note({"gone": [name]})
        elif fact.was_made_by(log.created.run):
            log.note({"etags": {name: fact.etag}})
        else:
            result.changed.append(name)
            log.note({"left": [name]})
    for batch in _batches([(name, etag) for name, etag in log.created.etags.items() if etag is not None]):
        answer = _ridden_out(partial(bulk.delete, dict(batch)), clock)
        failures = {each.device_id: each for each in answer.failures}
        names = [name for name, _ in batch]
        deleted = [name for name in names if name not in failures]
        missing = [name for name, each in failures.items() if each.code in NOT_FOUND]
        changed = [name for name, each in failures.items() if each.code in HAS_CHANGED]
        log.note({"gone": deleted + missing, "left": changed})
        result.deleted += deleted
        result.missing += missing
        result.changed += changed
        result.failed += [each for each in failures.values() if each.code not in (*NOT_FOUND, *HAS_CHANGED)]
        on_batch(total - len(log.created.etags), total)
    return result


def _learn_etags(facts: FactsClient, made: Sequence[str], log: CreationLog, clock: Clock) -> None:
    """By the query for the run's tag, which takes a moment to find them; those that it does not find, one by one."""
    if not made:
        return
    run, give_up_at = log.created.run, clock.monotonic() + QUERY_LAG_S
    while facts.count_of_run(run) < len(made) and clock.monotonic() < give_up_at:
        clock.sleep(LOOK_EVERY_S)
    unknown = set(made)
    etags = {each.device_id: each.etag for each in facts.of_run(run) if each.device_id in unknown and each.etag}
    if etags:
        log.note({"etags": etags})
    for name in sorted(unknown - etags.keys()):
        fact = facts.of_device(name)
        if fact is not None:
            log.note({"etags": {name: fact.etag}})


def _ridden_out(send: Callable[[], BulkResult], clock: Clock) -> BulkResult:
    """A hub that is throttled for longer than one request waits has its quota back a minute later."""
    for _ in range(THROTTLED_TRIES):
        try:
            return send()
        except (Throttled, AnswerTooLate):
            clock.sleep(THROTTLED_PAUSE_S)
    return send()


def _batches(items: Sequence[Any]) -> Iterator[Any]:
    for start in range(0, len(items), MAX_IN_BULK):
        yield items[start : start + MAX_IN_BULK]


def _refusal(refused: Sequence[BulkFailure]) -> BadRequest:
    first = refused[0]
    return BadRequest(
        f"The hub did not register {some([each.device_id for each in refused])}: {first.code}: {first.reason}",
        status=400,
        hub_code=first.code,
    )
