"""Definitions of fleet jobs <-> the JSON that is stored. What an older version wrote is read; names are ours."""

import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from azext_iotjobs.fleet_job.store.shapes import shown
from azext_iotjobs.fleet_job.store.sqlite.state_errors import BadField
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, OfRun, Origin, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import SuccessStatus
from azext_iotjobs.model.rollout import (
    BatchSizes,
    Retry,
    RetryWhen,
    Rollout,
    Scope,
    Share,
    Threshold,
    ThresholdAction,
    Unit,
)
from azext_iotjobs.model.run import Narrowed
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.tier import TierFacts
from azext_iotjobs.model.twin import TwinPatch

Document = dict[str, Any]
OLD_JOB_LIMIT_S = 3600


def render_definition(definition: Definition) -> str:
    """As text, the same for equal definitions."""
    document = {
        "action": _action(definition.action),
        "targets": _targets(definition.targets),
        "rollout": _rollout(definition.rollout),
        "delivery": _delivery(definition.delivery),
        "display_name": definition.display_name,
        "description": definition.description,
        "labels": dict(definition.labels),
    }
    return json.dumps(document, sort_keys=True)


def parse_definition(text: str) -> Definition:
    """What `render_definition` gave."""
    document = read_json(text)
    return Definition(
        action=_read_action(document["action"]),
        targets=_read_targets(document["targets"]),
        rollout=_read_rollout(document["rollout"]),
        delivery=_read_delivery(document["delivery"]),
        display_name=document["display_name"],
        description=document["description"],
        labels=document["labels"],
    )


def render_delivery(delivery: Delivery) -> str:
    """How devices are reached, as text."""
    return json.dumps(_delivery(delivery))


def parse_delivery(text: str) -> Delivery:
    """What `render_delivery` gave."""
    return _read_delivery(read_json(text))


def render_tier(tier: TierFacts | None) -> str | None:
    """What a hub was bought as, as text."""
    return None if tier is None else json.dumps([tier.sku, tier.units])


def parse_tier(text: str | None) -> TierFacts | None:
    """What `render_tier` gave."""
    return None if text is None else TierFacts(*read_json(text))


def render_narrowed(narrowed: Narrowed | None) -> str | None:
    """Which devices were asked for, as text."""
    if narrowed is None:
        return None
    percent = narrowed.sample_percent
    return json.dumps([narrowed.limit, None if percent is None else str(percent), narrowed.seed])


def parse_narrowed(text: str | None) -> Narrowed | None:
    """What `render_narrowed` gave."""
    if text is None:
        return None
    limit, percent, seed = read_json(text)
    return Narrowed(limit=limit, sample_percent=None if percent is None else Fraction(percent), seed=seed)


def render_origin(origin: Origin | None) -> str | None:
    """As text."""
    return None if origin is None else json.dumps([origin.fleet_job_id, origin.run_number, origin.how])


def parse_origin(text: str | None) -> Origin | None:
    """What `render_origin` gave."""
    if text is None:
        return None
    fleet_job_id, run_number, how = read_json(text)
    return Origin(fleet_job_id=fleet_job_id, run_number=run_number, how=how)


def read_json(text: str) -> Any:
    """What was stored as JSON. Raises BadField for what is none."""
    if not isinstance(text, str):
        raise BadField(f"a document is {shown(text)}")
    try:
        return json.loads(text)
    except ValueError as err:
        raise BadField(f"{shown(text)} is no JSON") from err


def _action(action: Action) -> Document:
    method = action.method
    return {
        "patch": None if action.patch is None else action.patch.document,
        "method": None if method is None else {
            "name": method.name,
            "payload": method.payload,
            "response_timeout_s": method.response_timeout_s,
            "connect_timeout_s": method.connect_timeout_s,
        },
        "content": action.content,
        "success": action.success.ranges,
    }  # fmt: skip


def _read_action(document: Document) -> Action:
    patch, method = document["patch"], document["method"]
    return Action(
        patch=None if patch is None else TwinPatch(document=patch),
        method=None if method is None else MethodCall(**method),
        content=document["content"],
        success=SuccessStatus(tuple((low, high) for low, high in document["success"])),
    )


def _targets(targets: Targets) -> Document:
    selection, of_run = targets.selection, targets.of_run
    return {
        "selection": None if selection is None else {
            "condition": selection.condition,
            "device_ids": selection.device_ids,
            "excluded": selection.excluded,
        },
        "group": targets.group,
        "excluded": targets.excluded,
        "of_run": None if of_run is None else [of_run.fleet_job_id, of_run.run_number, sorted(of_run.words)],
        "limit": targets.limit,
        "sample_percent": None if targets.sample_percent is None else str(targets.sample_percent),
        "seed": targets.seed,
        "max_devices": targets.max_devices,
    }  # fmt: skip


def _read_targets(document: Document) -> Targets:
    selection, of_run = document["selection"], document["of_run"]
    return Targets(
        selection=None if selection is None else Selection(
            condition=selection["condition"],
            device_ids=tuple(selection["device_ids"]),
            excluded=tuple(selection["excluded"]),
        ),
        group=document["group"],
        excluded=tuple(document.get("excluded", ())),  # what was saved before it was there has none
        of_run=None if of_run is None else OfRun(
            fleet_job_id=of_run[0], run_number=of_run[1], words=frozenset(of_run[2])
        ),
        limit=document["limit"],
        sample_percent=None if document["sample_percent"] is None else Fraction(document["sample_percent"]),
        seed=document["seed"],
        max_devices=document["max_devices"],
    )  # fmt: skip


def _rollout(rollout: Rollout) -> Document:
    threshold, retry = rollout.threshold, rollout.retry
    return {
        "sizes": [_share(each) for each in rollout.sizes.sizes],
        "pause_s": rollout.pause_s,
        "threshold": None if threshold is None else {
            "share": _share(threshold.share),
            "scope": threshold.scope.value,
            "min_sample": threshold.min_sample,
            "classes": sorted(threshold.classes),
            "action": threshold.action.value,
        },
        "retry": None if retry is None else {
            "tries": dict(retry.tries),
            "pause_s": retry.pause_s,
            "growth": retry.growth,
            "longest_s": retry.longest_s,
            "when": retry.when.value,
        },
    }  # fmt: skip


def _read_rollout(document: Document) -> Rollout:
    threshold, retry = document["threshold"], document["retry"]
    return Rollout(
        sizes=BatchSizes(tuple(_read_share(each) for each in document["sizes"])),
        pause_s=document["pause_s"],
        threshold=None if threshold is None else Threshold(
            share=_read_share(threshold["share"]),
            scope=Scope(threshold["scope"]),
            min_sample=threshold["min_sample"],
            classes=frozenset(threshold["classes"]),
            action=ThresholdAction(threshold["action"]),
        ),
        retry=None if retry is None else Retry(**{**retry, "when": RetryWhen(retry["when"])}),
    )  # fmt: skip


def _delivery(delivery: Delivery) -> Document:
    return {
        "driver": delivery.driver.value,
        "concurrency": delivery.concurrency,
        "rate": delivery.rate,
        "job_limit_s": delivery.job_limit_s,
        "connect_timeout_s": delivery.connect_timeout_s,
        "response_timeout_s": delivery.response_timeout_s,
    }


def _read_delivery(document: Mapping[str, Any]) -> Delivery:
    known = dict(document)
    if "connect_timeout_s" not in known and known["job_limit_s"] == OLD_JOB_LIMIT_S:
        known["job_limit_s"] = None  # written by a version whose default it was: nobody has typed it
    return Delivery(**{**known, "driver": Driver(known["driver"])})


def _share(share: Share) -> list[str]:
    return [str(share.value), share.unit.value]


def _read_share(document: list[str]) -> Share:
    return Share(Fraction(document[0]), Unit(document[1]))
