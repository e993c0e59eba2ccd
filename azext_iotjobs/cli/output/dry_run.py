"""What --dry-run shows: which devices there are now, and what would be sent. Nothing is changed."""

import json
from itertools import islice
from typing import Any

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.selection import Selection

SAMPLE = 10  # devices that are shown


def show_plan(client: HubClient, selection: Selection, request: Any) -> dict[str, Any]:
    """The devices that a selection finds, counted and sampled, beside the request that they would get.

    Raises HubAnswer, also for a condition that the hub cannot read; LinkError.
    """
    devices = _devices(client, selection)
    return {"dryRun": True, "hub": client.target.authority, **devices, "request": plain(request)}


def plain(request: Any) -> Any:
    """A body as JSON has it: az marks defaults with types of its own, and would print those types' members."""
    return json.loads(json.dumps(request))


def _devices(client: HubClient, selection: Selection) -> dict[str, Any]:
    if selection.condition is not None:
        sample = list(islice(client.selections.device_ids(selection), SAMPLE))
        return {"deviceCount": client.selections.count(selection), "sample": sample}
    there = frozenset(client.selections.device_ids(selection))
    sample = [each for each in selection.named if each in there][:SAMPLE]
    return {"deviceCount": len(there), "sample": sample, **_missing(selection, there)}


def not_registered(client: HubClient, selection: Selection) -> dict[str, Any]:
    """How many devices that are named the hub does not know, and which; nothing of a condition."""
    if selection.condition is not None:
        return {}
    return _missing(selection, frozenset(client.selections.device_ids(selection)))


def _missing(selection: Selection, there: frozenset[str]) -> dict[str, Any]:
    missing = [each for each in selection.named if each not in there]
    return {"notRegisteredCount": len(missing), "notRegistered": missing[:SAMPLE]}
