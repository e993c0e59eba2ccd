"""What a run of a fleet job that is being written would be: from counts, without its devices being listed.

A preview (planning.py) finds every device; this asks for their number and the first few. Nothing is stored or sent.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.plan import sample_size
from azext_iotjobs.fleet_job.store.contract import FleetJobStore, ResultFilter
from azext_iotjobs.model.errors import BadRequest
from azext_iotjobs.model.fleet_job import Definition, Targets
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.selection import CONDITION, Selection
from azext_iotjobs.model.tier import TierFacts
from azext_iotjobs.operations.fleet_job.gate_checks import count_of_query_gate
from azext_iotjobs.operations.fleet_job.planning import Preview, check_verification, preview_of, selection_of
from azext_iotjobs.operations.verification.conditions import unreadable

MAX_COUNTED = 1_000  # of modules, and of an earlier run's devices: they are counted one by one


@dataclass(frozen=True)
class Found:
    """Devices: how many, and the first of them."""

    count: int
    is_more: bool  # there are more; they were counted up to here
    first: Sequence[str]


@dataclass(frozen=True)
class Outline:
    """What a run would be."""

    found: Found  # without the limits of the definition
    device_count: int  # with them
    preview: Preview


def known_targets(store: FleetJobStore, targets: Targets, host: str, shown: int) -> Selection | Found:
    """What a hub has to be asked for, of what the store knows: a group's condition; or devices of an earlier run.

    host: of the hub, canonical.  shown: how many of the devices, 1 or more.
    Raises NotFound for a group or a run that is not there.
    """
    if targets.of_run is None:
        return selection_of(store, targets, host)
    run = store.runs.get(targets.of_run.fleet_job_id, targets.of_run.run_number)
    pages = store.results.pages(run, ResultFilter(words=targets.of_run.words))
    ids = (each.device_id for page in pages for each in page.rows if each.device_id not in targets.excluded)
    return _counted(ids, shown)


def outline(
    client: HubClient, definition: Definition, known: Selection | Found, tier: TierFacts | None, shown: int
) -> Outline:
    """What a run would be now.

    known: what `known_targets` gave.  tier: of the hub, if it is known.  shown: how many of the devices, 1 or more.
    Raises BadValue for a condition that the hub cannot read; HubAnswer, LinkError.
    """
    check_verification(client, definition)
    count_of_query_gate(client, definition.rollout.gates)
    found = known if isinstance(known, Found) else _found(client, known, shown)
    targets, count = definition.targets, found.count
    if targets.sample_percent is not None:
        count = sample_size(count, targets.sample_percent)
    if targets.limit is not None:
        count = min(count, targets.limit)
    return Outline(found, count, preview_of(definition, count, tier))


def _found(client: HubClient, selection: Selection, shown: int) -> Found:
    if selection.condition is None:
        return Found(len(selection.named), False, selection.named[:shown])
    try:
        if selection.is_of_modules:
            return _counted(client.selections.device_ids(selection), shown)
        count = client.selections.count(selection)
        return Found(count, False, list(islice(client.selections.device_ids(selection), shown)))
    except BadRequest as err:
        raise unreadable(CONDITION, err) from err


def _counted(ids: Iterator[str], shown: int) -> Found:
    first = list(islice(ids, MAX_COUNTED + 1))
    return Found(min(len(first), MAX_COUNTED), len(first) > MAX_COUNTED, first[:shown])
