"""What a file says of a fleet job -> its definition. What the file leaves out is as in a new fleet job."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any, TypeVar

from azext_iotjobs.cli.fleet_job.documents import DELIVERY_NAMES, LIMIT_NAMES, RETRY_NAMES
from azext_iotjobs.cli.fleet_job.job_file.mistakes import Maker
from azext_iotjobs.cli.input.document_members import Given
from azext_iotjobs.cli.input.method_changes import TIMEOUT_S
from azext_iotjobs.model.errors import ConflictingChoice
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, DevicesOfRun, Driver, Targets
from azext_iotjobs.model.gates import CommandGate, Gates, QueryGate
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, parse_success_status
from azext_iotjobs.model.rollout import BatchSizes, Retry, RetryWhen, Rollout, Scope, Threshold, ThresholdAction
from azext_iotjobs.model.selection import Selection, device_ids
from azext_iotjobs.model.share import Share, Unit, parse_share
from azext_iotjobs.model.text import Field
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.model.verification import Verification
from azext_iotjobs.operations.fleet_job.gate_command import program_of

Value = TypeVar("Value")

OF_METHODS = ("payload", "responseTimeoutInSeconds", "connectTimeoutInSeconds", "successStatus")
# The model's names of fields that hold members as they are, and the members.
VERIFICATION_NAMES = {"condition": "condition", "within_s": "withinSeconds", "failed_condition": "failedCondition"}
COMMAND_NAMES = {"line": "line", "timeout_s": "timeoutSeconds", "through_shell": "shell"}


def definition_of(given: Given, maker: Maker) -> Definition | None:
    """The definition; None where anything is wrong with it, which `maker` has noted."""
    parts: dict[str, Any] = {}
    for name, make in (
        ("action", _action),
        ("targets", _targets),
        ("delivery", _delivery),
        ("verification", _verification),
    ):
        part = given.get(name)
        if isinstance(part, Given):
            parts[name] = maker.made(part, partial(make, part))
    rollout = _rollout(given, maker)
    if rollout is None or not given.is_fine or None in parts.values():
        return None
    return maker.made(given, lambda: _definition(given, rollout, parts))


def _definition(given: Given, rollout: Rollout, parts: dict[str, Any]) -> Definition:
    name = given.get("displayName", "")
    definition = Definition(
        **parts,
        rollout=rollout,
        display_name="" if name == given["id"] else name,  # which is what `show` prints where there is none
        description=given.get("description", ""),
        labels=given.get("labels", {}),
    )
    definition.action.within(definition.delivery)
    return definition


def _action(given: Given) -> Action:
    kinds = {"methodName": "method", "twinPatch": "twin", "content": "content"}
    _check_kind(given, [kind for name, kind in kinds.items() if name in given])
    return Action(
        patch=_unless_missing(given, "twinPatch", lambda document: TwinPatch(document=document)),
        method=_unless_missing(given, "methodName", lambda name: _method(given, name)),
        content=given.get("content"),
        success=parse_success_status(given.get("successStatus", DEFAULT_SUCCESS_STATUS)),
    )


def _check_kind(given: Given, kinds: list[str]) -> None:
    kind = given.get("kind")
    if kind is not None and kinds and kind not in kinds:
        raise ConflictingChoice(f"kind is {kind}, and what is given is for {kinds[0]}. Leave kind out, or correct it.")
    lonely = next((name for name in OF_METHODS if name in given and "methodName" not in given), None)
    if lonely is not None:
        raise ConflictingChoice(f"{lonely} goes with methodName, which is not given.")


def _method(given: Given, name: str) -> MethodCall:
    response_s = given.get("responseTimeoutInSeconds", TIMEOUT_S)
    connect_s = given.get("connectTimeoutInSeconds", min(TIMEOUT_S, response_s))
    return MethodCall(
        name=name, payload=given.get("payload"), response_timeout_s=response_s, connect_timeout_s=connect_s
    )


def _targets(given: Given) -> Targets:
    excluded = device_ids(given.get("excluded", ()), Field("exclude"))
    condition, named = given.get("queryCondition"), given.get("deviceIds")
    more = _fields(given, LIMIT_NAMES)
    if condition is not None or named:
        named = device_ids(named or (), Field("device_ids"))
        more["selection"] = Selection(condition=condition, device_ids=named, excluded=excluded)
    elif excluded:
        more["excluded"] = excluded
    if "sample_percent" in more:
        more["sample_percent"] = Fraction(repr(more["sample_percent"]))
    return Targets(group=given.get("group"), of_run=_unless_missing(given, "ofRun", _devices_of_run), **more)


def _devices_of_run(given: Given) -> DevicesOfRun:
    return DevicesOfRun(fleet_job_id=given["id"], run_number=given["run"], words=frozenset(given["on"]))


def _rollout(given: Given, maker: Maker) -> Rollout | None:
    """How a run goes about its devices; its parts one by one, so that all that is wrong is found."""
    parts: dict[str, Any] = {}
    for name, field, make in (
        ("cancellationThreshold", "threshold", _threshold),
        ("retry", "retry", _retry),
        ("gates", "gates", _gates),
    ):
        part = given.get(name)
        if isinstance(part, Given):
            parts[field] = maker.made(part, partial(make, part))
    sizes = given.get("batch")
    if sizes is not None and all(each.is_fine for each in sizes if isinstance(each, Given)):
        parts["sizes"] = maker.tried(given, lambda: _sizes(sizes), at="batch")
    if "batchPauseSeconds" in given:
        parts["pause_s"] = given["batchPauseSeconds"]
    if None in parts.values() or not given.is_fine:
        return None
    return maker.made(given, lambda: Rollout(**parts))


def _sizes(given: list[Any]) -> BatchSizes:
    return BatchSizes(tuple(_share(each, Field("batch")) for each in given))


def _threshold(given: Given) -> Threshold:
    return Threshold(
        share=_share(given, "cancellationThreshold"),
        scope=Scope.BATCH if given.get("batch") else Scope.RUN,
        min_sample=given.get("minSample", 1),
        classes=frozenset(given.get("errorClasses", ())),
        action=ThresholdAction(given.get("action", ThresholdAction.CANCEL)),
    )


def _retry(given: Given) -> Retry:
    fields = _fields(given, RETRY_NAMES)
    when = RetryWhen(fields.get("when", RetryWhen.AT_ONCE))
    return Retry(**{**fields, "tries": dict(given["tries"]), "when": when})


def _gates(given: Given) -> Gates:
    return Gates(
        bake_s=given.get("bakeSeconds", 0.0),
        success=_unless_missing(given, "success", lambda value: _share(value, Field("gate_success"))),
        query=_unless_missing(given, "query", _query_gate),
        command=_unless_missing(given, "command", _command_gate),
        is_manual=given.get("manual", False),
    )


def _query_gate(given: Given) -> QueryGate:
    return QueryGate(
        condition=given["condition"],
        least=_unless_missing(given, "min", lambda value: _share(value, Field("gate_query_min"))),
        most=_unless_missing(given, "max", lambda value: _share(value, Field("gate_query_max"))),
    )


def _command_gate(given: Given) -> CommandGate:
    gate = CommandGate(**_fields(given, COMMAND_NAMES))
    program_of(gate)  # raises for quotes that are not closed
    return gate


def _delivery(given: Given) -> Delivery:
    fields = _fields(given, DELIVERY_NAMES)
    return Delivery(**{**fields, "driver": Driver(fields.get("driver", Driver.AUTO))})


def _verification(given: Given) -> Verification:
    return Verification(**_fields(given, VERIFICATION_NAMES))


def _share(value: Any, name: str) -> Share:
    """A share. name: what it is, for errors."""
    if not isinstance(value, Given):
        return parse_share(value, name)
    return Share(Fraction(repr(value["value"])), Unit(value.get("type", Unit.DEVICES)))


def _fields(given: Given, names: dict[str, str]) -> dict[str, Any]:
    """The members that are there, under the model's names."""
    return {field: given[name] for field, name in names.items() if name in given}


def _unless_missing(given: Given, name: str, convert: Callable[[Any], Value]) -> Value | None:
    return convert(given[name]) if given.get(name) is not None else None
