"""What a hub says of the conditions of a fleet job before it is saved; one that it cannot read is refused."""

from knack.log import get_logger

from azext_iotjobs.cli.input.device_selection import check_exclusions
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.model.fleet_job import Targets
from azext_iotjobs.model.gates import Gates
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.text import counted
from azext_iotjobs.operations.fleet_job.gate_checks import count_of_query_gate
from azext_iotjobs.operations.fleet_job.planning import host_of

logger = get_logger(__name__)

MAX_MODULES_COUNTED = 1_000  # one by one: the hub counts devices alone


def report_gate_count(hub: HubClient, gates: Gates) -> None:
    """Say how many devices match the condition of the query gate now; one that the hub cannot read is refused."""
    count = count_of_query_gate(hub, gates)
    if count is not None:
        logger.warning("The gate's condition matches %s now.", counted(count, "device"))


def report_count(hub: HubClient, store: FleetJobStore, targets: Targets, of: str | None = None) -> None:
    """Say how many devices a condition means now; one that the hub cannot read is refused before it is saved.

    of: the id of the fleet job, where there may be several.
    Raises NotFound for a group that does not exist.
    """
    selection = targets.selection
    if targets.group is not None:
        condition = store.groups.condition_of(host_of(hub), targets.group)
        selection = Selection(condition=condition, excluded=targets.excluded)
    if selection is not None:
        check_exclusions(hub, selection)
    if selection is None or selection.condition is None:
        return
    count = hub.selections.count(selection, MAX_MODULES_COUNTED)
    is_more = selection.is_of_modules and count > MAX_MODULES_COUNTED
    number = MAX_MODULES_COUNTED if is_more else count
    what = "The condition" if targets.group is None else "The group"
    logger.warning(
        "%s%s selects %s%s now; each run selects anew.",
        what,
        "" if of is None else f" of {of}",
        "more than " if is_more else "",
        counted(number, "module" if selection.is_of_modules else "device"),
    )
