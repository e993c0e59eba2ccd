"""Definitions of fleet jobs <-> documents of plain values under our own names. Exact: numbers of a share are text.

The store keeps these documents; what commands show is made of them, under the names that users see. Pure.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeVar

from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, DevicesOfRun, Driver, Targets
from azext_iotjobs.model.gates import CommandGate, Gates, QueryGate
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import SuccessStatus
from azext_iotjobs.model.rollout import BatchSizes, Retry, RetryWhen, Rollout, Scope, Threshold, ThresholdAction
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.share import Share, Unit
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.model.verification import Verification

Document = dict[str, Any]
METHOD_FIELDS = ("name", "payload", "response_timeout_s", "connect_timeout_s")
DELIVERY_NUMBERS = ("concurrency", "rate", "job_limit_s", "connect_timeout_s", "response_timeout_s", "when_online_s")
COMMAND_FIELDS = ("line", "timeout_s", "through_shell")
OLD_JOB_LIMIT_S = 3600

Value = TypeVar("Value")
Result = TypeVar("Result")


def definition_document(definition: Definition) -> Document:
    """A definition as a document, the same for equal definitions."""
    return {
        "action": _action_document(definition.action),
        "targets": targets_document(definition.targets),
        "rollout": rollout_document(definition.rollout),
        "delivery": delivery_document(definition.delivery),
        "verification": _unless_none(definition.verification, verification_document),
        "display_name": definition.display_name,
        "description": definition.description,
        "labels": dict(definition.labels),
    }


def parse_definition(document: Mapping[str, Any]) -> Definition:
    """What `definition_document` gave, also in older versions. Raises LookupError, TypeError, ValueError, UserError."""
    return Definition(
        action=_parse_action(document["action"]),
        targets=_parse_targets(document["targets"]),
        rollout=_parse_rollout(document["rollout"]),
        delivery=parse_delivery(document["delivery"]),
        verification=_unless_none(document.get("verification"), lambda stored: Verification(**stored)),
        display_name=document["display_name"],
        description=document["description"],
        labels=document["labels"],
    )


def targets_document(targets: Targets) -> Document:
    """Which devices, as a document."""
    return {
        "selection": _unless_none(targets.selection, _selection_document),
        "group": targets.group,
        "excluded": targets.excluded,
        "of_run": _unless_none(targets.of_run, _devices_of_run_document),
        "limit": targets.limit,
        "sample_percent": _unless_none(targets.sample_percent, str),
        "seed": targets.seed,
        "max_devices": targets.max_devices,
    }


def rollout_document(rollout: Rollout) -> Document:
    """How a run goes about its devices, as a document."""
    return {
        "sizes": [_share_document(each) for each in rollout.sizes.sizes],
        "pause_s": rollout.pause_s,
        "threshold": _unless_none(rollout.threshold, _threshold_document),
        "retry": _unless_none(rollout.retry, _retry_document),
        "gates": gates_document(rollout.gates),
    }


def gates_document(gates: Gates) -> Document:
    """What has to hold between batches, as a document."""
    return {
        "bake_s": gates.bake_s,
        "success": _unless_none(gates.success, _share_document),
        "query": _unless_none(gates.query, _query_gate_document),
        "command": _unless_none(gates.command, lambda command: _fields(command, COMMAND_FIELDS)),
        "is_manual": gates.is_manual,
    }


def delivery_document(delivery: Delivery) -> Document:
    """How devices are reached, as a document."""
    return {"driver": delivery.driver.value, **_fields(delivery, DELIVERY_NUMBERS)}


def verification_document(verification: Verification) -> Document:
    """What verifies that a device was operated, as a document."""
    return _fields(verification, ("condition", "within_s", "failed_condition"))


def parse_delivery(document: Mapping[str, Any]) -> Delivery:
    """What `delivery_document` gave, also in older versions."""
    known = dict(document)
    if "connect_timeout_s" not in known and known["job_limit_s"] == OLD_JOB_LIMIT_S:
        known["job_limit_s"] = None  # written by a version whose default it was: nobody chose it
    return Delivery(**{**known, "driver": Driver(known["driver"])})


def _action_document(action: Action) -> Document:
    return {
        "patch": _unless_none(action.patch, lambda patch: patch.document),
        "method": _unless_none(action.method, lambda method: _fields(method, METHOD_FIELDS)),
        "content": action.content,
        "success": action.success.ranges,
    }


def _parse_action(document: Document) -> Action:
    return Action(
        patch=_unless_none(document["patch"], lambda patch: TwinPatch(document=patch)),
        method=_unless_none(document["method"], lambda method: MethodCall(**method)),
        content=document["content"],
        success=SuccessStatus(tuple((low, high) for low, high in document["success"])),
    )


def _selection_document(selection: Selection) -> Document:
    return _fields(selection, ("condition", "device_ids", "excluded"))


def _parse_selection(document: Document) -> Selection:
    return Selection(
        condition=document["condition"],
        device_ids=tuple(document["device_ids"]),
        excluded=tuple(document["excluded"]),
    )


def _parse_targets(document: Document) -> Targets:
    return Targets(
        selection=_unless_none(document["selection"], _parse_selection),
        group=document["group"],
        excluded=tuple(document.get("excluded", ())),  # documents of older versions have none
        of_run=_unless_none(document["of_run"], _parse_devices_of_run),
        limit=document["limit"],
        sample_percent=_unless_none(document["sample_percent"], Fraction),
        seed=document["seed"],
        max_devices=document["max_devices"],
    )


def _devices_of_run_document(devices: DevicesOfRun) -> list[Any]:
    return [devices.fleet_job_id, devices.run_number, sorted(devices.words)]


def _parse_devices_of_run(document: list[Any]) -> DevicesOfRun:
    return DevicesOfRun(fleet_job_id=document[0], run_number=document[1], words=frozenset(document[2]))


def _threshold_document(threshold: Threshold) -> Document:
    return {
        "share": _share_document(threshold.share),
        "scope": threshold.scope.value,
        "min_sample": threshold.min_sample,
        "classes": sorted(threshold.classes),
        "action": threshold.action.value,
    }


def _parse_threshold(document: Document) -> Threshold:
    return Threshold(
        share=_parse_share(document["share"]),
        scope=Scope(document["scope"]),
        min_sample=document["min_sample"],
        classes=frozenset(document["classes"]),
        action=ThresholdAction(document["action"]),
    )


def _parse_rollout(document: Document) -> Rollout:
    return Rollout(
        sizes=BatchSizes(tuple(_parse_share(each) for each in document["sizes"])),
        pause_s=document["pause_s"],
        threshold=_unless_none(document["threshold"], _parse_threshold),
        retry=_unless_none(document["retry"], _parse_retry),
        gates=_unless_none(document.get("gates"), _parse_gates) or Gates(),  # documents of older versions have none
    )


def _query_gate_document(gate: QueryGate) -> Document:
    bounds = {"least": gate.least, "most": gate.most}
    return {"condition": gate.condition, **{name: _unless_none(each, _share_document) for name, each in bounds.items()}}


def _parse_gates(document: Document) -> Gates:
    return Gates(
        bake_s=document["bake_s"],
        success=_unless_none(document["success"], _parse_share),
        query=_unless_none(document["query"], _parse_query_gate),
        command=_unless_none(document["command"], lambda command: CommandGate(**command)),
        is_manual=document["is_manual"],
    )


def _parse_query_gate(document: Document) -> QueryGate:
    return QueryGate(
        condition=document["condition"],
        least=_unless_none(document["least"], _parse_share),
        most=_unless_none(document["most"], _parse_share),
    )


def _retry_document(retry: Retry) -> Document:
    numbers = _fields(retry, ("pause_s", "growth", "longest_s"))
    return {"tries": dict(retry.tries), **numbers, "when": retry.when.value}


def _parse_retry(document: Document) -> Retry:
    return Retry(**{**document, "when": RetryWhen(document["when"])})


def _share_document(share: Share) -> list[str]:
    return [str(share.value), share.unit.value]


def _parse_share(document: list[str]) -> Share:
    return Share(Fraction(document[0]), Unit(document[1]))


def _fields(value: object, names: Sequence[str]) -> Document:
    return {name: getattr(value, name) for name in names}


def _unless_none(value: Value | None, convert: Callable[[Value], Result]) -> Result | None:
    return None if value is None else convert(value)
