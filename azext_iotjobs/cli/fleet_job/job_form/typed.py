"""A definition or schedule -> the options that somebody types to say it, by dest."""

import json
from collections.abc import Iterator
from typing import Any

from azext_iotjobs.cli.input.method_changes import TIMEOUT_S
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Targets
from azext_iotjobs.model.gates import Gates
from azext_iotjobs.model.ids import in_lists
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS
from azext_iotjobs.model.rollout import Retry, Rollout, Scope, Threshold
from azext_iotjobs.model.schedule import LAST_DAY, WEEKDAYS, Frequency, Rule, Schedule
from azext_iotjobs.model.share import Share, Unit
from azext_iotjobs.model.text import shown_duration

Typed = dict[str, Any]
NEW_ROLLOUT, NEW_DELIVERY = Rollout(), Delivery()


def definition_options(definition: Definition) -> Typed:
    """The options of a new fleet job."""
    labels = [f"{name}={value}" for name, value in definition.labels.items()]
    verification = definition.verification
    return _given(
        display_name=definition.display_name or None,
        description=definition.description or None,
        our_labels=labels or None,
        **_action(definition.action),
        **_targets(definition.targets),
        **_rollout(definition.rollout),
        verify=None if verification is None else verification.condition,
        verify_within=None if verification is None else shown_duration(verification.within_s),
        verify_failed=None if verification is None else verification.failed_condition,
        **_gates(definition.rollout.gates),
        **_delivery(definition.delivery),
    )


def schedule_options(schedule: Schedule) -> Typed:
    """The options that set a schedule."""
    new = Schedule(rule=schedule.rule, zone=schedule.zone)
    return _given(
        **_rule(schedule.rule),
        time_zone=schedule.zone,
        starts=None if schedule.starts is None else schedule.starts.isoformat(timespec="minutes"),
        ends=None if schedule.ends is None else _end(schedule),
        times=schedule.times,
        window=None if schedule.window is None else str(schedule.window),
        jitter=shown_duration(schedule.jitter_s) if schedule.jitter_s else None,
        missed=_unless(schedule.missed.value, new.missed.value),
        catch_up=None if schedule.catch_up_s == new.catch_up_s else shown_duration(schedule.catch_up_s),
        overlap=_unless(schedule.overlap.value, new.overlap.value),
    )


def _action(action: Action) -> Typed:
    if action.method is not None:
        method = action.method
        return {
            "our_method_name": method.name,
            "our_method_payload": None if method.payload is None else _json(method.payload),
            "our_method_connect_timeout": _unless(method.connect_timeout_s, min(TIMEOUT_S, method.response_timeout_s)),
            "our_method_response_timeout": _unless(method.response_timeout_s, TIMEOUT_S),
            "success_status": _unless(
                ",".join(f"{low}-{high}" for low, high in action.success.ranges), DEFAULT_SUCCESS_STATUS
            ),
        }
    if action.content is not None:
        return {"our_content": _json(action.content)}
    document = {} if action.patch is None else action.patch.document
    if not _is_plain(document):
        return {"our_twin_patch": _json(document)}
    desired = document.get("properties", {}).get("desired")
    tags = document.get("tags")
    return {"our_desired": _json(desired) if desired else None, "our_tags": _json(tags) if tags else None}


def _is_plain(document: Typed) -> bool:
    """Whether a patch can be said by desired properties and tags alone: neither is empty, nor removes all of them."""
    parts = list(document.get("properties", {}).values())
    if "tags" in document:
        parts.append(document["tags"])
    return bool(parts) and all(parts) and document.keys() <= {"tags", "properties"}


def _targets(targets: Targets) -> Typed:
    selection = targets.selection
    excluded = targets.excluded if selection is None else selection.excluded
    return {
        "our_query_condition": None if selection is None else selection.condition,
        "our_device_ids": _ids(selection.device_ids) if selection is not None and selection.device_ids else None,
        "group": targets.group,
        "exclude": _ids(excluded) if excluded else None,
        "limit": targets.limit,
        "sample": None if targets.sample_percent is None else str(Share(targets.sample_percent, Unit.PERCENT)),
        "seed": targets.seed or None,
        "max_devices": targets.max_devices,
    }


def _rollout(rollout: Rollout) -> Typed:
    return {
        "batch": None if rollout.sizes == NEW_ROLLOUT.sizes else ",".join(map(str, rollout.sizes.sizes)),
        "batch_pause": shown_duration(rollout.pause_s) if rollout.pause_s else None,
        **({} if rollout.threshold is None else _threshold(rollout.threshold)),
        **({} if rollout.retry is None else _retry(rollout.retry)),
    }


def _threshold(threshold: Threshold) -> Typed:
    new = Threshold(share=threshold.share)
    return {
        "cancellation_threshold": str(threshold.share),
        "cancellation_threshold_batch": threshold.scope is Scope.BATCH if threshold.scope is not new.scope else None,
        "cancellation_threshold_min_sample": _unless(threshold.min_sample, new.min_sample),
        "cancellation_threshold_error_class": ",".join(sorted(threshold.classes)) or None,
        "cancellation_threshold_action": _unless(threshold.action.value, new.action.value),
    }


def _retry(retry: Retry) -> Typed:
    new = Retry(tries=retry.tries)
    return {
        "retry": ",".join(f"{name}={count}" for name, count in retry.tries.items()),
        "retry_when": _unless(retry.when.value, new.when.value),
        "retry_pause": None if retry.pause_s == new.pause_s else shown_duration(retry.pause_s),
        "retry_growth": _unless(retry.growth, new.growth),
        "retry_max_pause": None if retry.longest_s == new.longest_s else shown_duration(retry.longest_s),
    }


def _gates(gates: Gates) -> Typed:
    typed: Typed = {
        "gate_success": None if gates.success is None else str(gates.success),
        "bake": shown_duration(gates.bake_s) if gates.bake_s else None,
        "gate": "manual" if gates.is_manual else None,
    }
    if gates.query is not None:
        most, least = gates.query.most, gates.query.least
        typed |= {
            "gate_query": gates.query.condition,
            "gate_query_max": None if most is None else str(most),
            "gate_query_min": None if least is None else str(least),
        }
    if gates.command is not None:
        typed |= {
            "gate_command": gates.command.line,
            "gate_command_timeout": shown_duration(gates.command.timeout_s),
            "gate_command_shell": gates.command.through_shell or None,
        }
    return typed


def _delivery(delivery: Delivery) -> Typed:
    return {
        "driver": _unless(delivery.driver.value, NEW_DELIVERY.driver.value),
        "concurrency": _unless(delivery.concurrency, NEW_DELIVERY.concurrency),
        "rate": delivery.rate,
        "our_ttl": delivery.job_limit_s,
        "when_online": None if delivery.when_online_s is None else shown_duration(delivery.when_online_s),
    }


def _rule(rule: Rule) -> Typed:
    at = None if rule.at is None else f"{rule.at:%H:%M}"
    match rule.frequency:
        case Frequency.ONCE:
            return {"once": f"{rule.on_date}T{at}"}
        case Frequency.DAILY:
            return {"daily": True, "at": at}
        case Frequency.WEEKLY:
            return {"weekly": ",".join(WEEKDAYS[each] for each in rule.weekdays), "at": at}
        case Frequency.MONTHLY:
            days = ("last" if each == LAST_DAY else str(each) for each in rule.month_days)
            return {"monthly": ",".join(days), "at": at}
        case Frequency.CRON:
            return {"cron": rule.cron}


def _end(schedule: Schedule) -> str:
    """The last instant that counts; its day alone, where it is the last of it."""
    ends = schedule.ends
    assert ends is not None
    return str(ends.date()) if (ends.hour, ends.minute, ends.second) == (23, 59, 59) else ends.isoformat("T", "minutes")


def _given(**typed: Any) -> Typed:
    return {dest: value for dest, value in typed.items() if value is not None}


def _unless(value: Any, default: Any) -> Any:
    return None if value == default else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _ids(ids: tuple[str, ...]) -> str:
    return ",".join(map(in_lists, ids))


def words(typed: Typed) -> Iterator[tuple[str, list[str]]]:
    """Each dest with what is typed behind its option."""
    for dest, value in typed.items():
        if value is True and dest == "daily":
            yield dest, []
        elif isinstance(value, bool):
            yield dest, ["true" if value else "false"]
        elif isinstance(value, list):
            yield dest, value
        else:
            yield dest, [str(value)]
