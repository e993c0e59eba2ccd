"""What a user types about a fleet job -> its definition: a new one, or a stored one with changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

from azext_iotjobs.cli.input.device_selection import SelectionOptions
from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.cli.input.json_option import Given, json_object_or_file, json_or_file
from azext_iotjobs.cli.input.scalars import at_least, shown
from azext_iotjobs.cli.input.twin_patch import read_twin_patch
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.fleet import NO_METHOD, Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, parse_success_status
from azext_iotjobs.model.rollout import (
    Retry,
    RetryWhen,
    Rollout,
    Scope,
    Threshold,
    ThresholdAction,
    Unit,
    check_classes,
    parse_batch_sizes,
    parse_retry_classes,
    parse_share,
)
from azext_iotjobs.model.run import Narrowed
from azext_iotjobs.model.selection import HOW_TO_NAME_DEVICES
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.model.twin import TwinPatch

NONE = "none"  # takes a threshold or the retries away
TIMEOUT_S = 30  # of a method: connecting, and answering; as for `job create`
HOW_TO_SAY_WHAT = "Give --method-name, --twin-patch (or --desired and --tags), or --content."


@dataclass(frozen=True, kw_only=True)
class TypedDefinition:
    """What was typed; None where nothing was."""

    # who it is
    display_as: str | None = None
    described: str | None = None
    label_pairs: Sequence[str] | None = None
    # what is done
    patch: Given | None = None
    desired_json: Given | None = None
    tags_json: Given | None = None
    method: str | None = None
    method_json: Given | None = None
    connect_timeout: int | None = None
    response_timeout: int | None = None
    edge_content: Given | None = None
    success: str | None = None
    # to which devices
    condition: str | None = None
    named_devices: str | None = None
    devices_path: str | None = None
    left_out: str | None = None
    device_group: str | None = None
    first_devices: int | None = None
    share_of_devices: str | None = None
    sample_seed: int | None = None
    devices_at_most: int | None = None
    # how
    batch_text: str | None = None
    batch_kind: str | None = None
    batch_pause: str | None = None
    threshold_text: str | None = None
    threshold_kind: str | None = None
    threshold_per_batch: bool | None = None
    threshold_least: int | None = None
    threshold_classes: str | None = None
    threshold_does: str | None = None
    retry_text: str | None = None
    retry_pause: str | None = None
    retry_growth: float | None = None
    retry_longest: str | None = None
    retry_when: str | None = None
    driver_word: str | None = None
    concurrency: int | None = None
    calls_a_second: float | None = None
    ttl_s: int | None = None

    @classmethod
    def taken_from(cls, arguments: dict[str, Any]) -> "TypedDefinition":
        """Take what is here named out of a handler's keywords."""
        return cls(**{each.name: arguments.pop(each.name) for each in fields(cls) if each.name in arguments})

    @property
    def is_typed(self) -> bool:
        """Whether anything was."""
        return any(getattr(self, each.name) is not None for each in fields(self))

    @property
    def asks_hub(self) -> bool:
        """Whether what was typed of the devices is for the hub to read: a condition, or a group, which is one."""
        return self.condition is not None or self.device_group is not None

    def onto(self, old: Definition | None) -> Definition:
        """The definition: a new one, or `old` with what was typed. Raises UserError, naming the option."""
        old_name = old.display_name if old else ""
        return Definition(
            action=self._action(old.action if old else None),
            targets=self._targets(old.targets if old else None),
            rollout=self._rollout(old.rollout if old else Rollout()),
            delivery=self.delivery(old.delivery if old else Delivery()),
            display_name=old_name if self.display_as is None else _printable(self.display_as, "--display-name"),
            description=_or(self.described, old.description if old else ""),
            labels=_labels(self.label_pairs) if self.label_pairs is not None else (old.labels if old else {}),
        )

    def delivery(self, old: Delivery) -> Delivery:
        """How devices are reached."""
        return Delivery(
            driver=old.driver if self.driver_word is None else Driver(self.driver_word),
            concurrency=_or(self.concurrency, old.concurrency),
            rate=_or(self.calls_a_second, old.rate),
            job_limit_s=old.job_limit_s if self.ttl_s is None else self.ttl_s or None,
            connect_timeout_s=old.connect_timeout_s,
            response_timeout_s=old.response_timeout_s,
        )

    def delivery_of_run(self, old: Delivery, action: Action) -> Delivery:
        """How devices are reached by one run: its timeouts, too, in place of the definition's. Raises UserError."""
        delivery = replace(
            self.delivery(old),
            connect_timeout_s=_or(self.connect_timeout, old.connect_timeout_s),
            response_timeout_s=_or(self.response_timeout, old.response_timeout_s),
        )
        action.within(delivery)
        return delivery

    def narrowed(self, targets: Targets) -> Narrowed | None:
        """Which of a definition's devices one run has; None: nothing was typed. Raises UserError."""
        if self.first_devices is None and self.share_of_devices is None and self.sample_seed is None:
            return None
        fewer = self._targets(targets)
        return Narrowed(limit=fewer.limit, sample_percent=fewer.sample_percent, seed=fewer.seed)

    def _action(self, old: Action | None) -> Action:
        patch, method, content = self._patch(), self._method(old), self._content()
        if old is not None and patch is None and method is None and content is None:
            patch, method, content = old.patch, old.method, old.content
        if patch is None and method is None and content is None:
            raise MissingChoice("Nothing is to be done.", hint=HOW_TO_SAY_WHAT)
        if self.success is not None:
            success = parse_success_status(self.success)
        else:
            success = old.success if old else parse_success_status(DEFAULT_SUCCESS_STATUS)
        return Action(patch=patch, method=method, content=content, success=success)

    def _patch(self) -> TwinPatch | None:
        if self.patch is not None and (self.desired_json is not None or self.tags_json is not None):
            raise ConflictingChoice(
                "--twin-patch has desired properties and tags in it: leave --desired and --tags out."
            )
        if self.patch is not None:
            return read_twin_patch(self.patch)
        document: dict[str, Any] = {}
        if self.desired_json is not None:
            document["properties"] = {"desired": json_object_or_file(self.desired_json, "--desired")}
        if self.tags_json is not None:
            document["tags"] = json_object_or_file(self.tags_json, "--tags")
        if document and not (document.get("tags") or document.get("properties", {}).get("desired")):
            raise BadValue("--desired and --tags change nothing: they are empty.", hint="--desired light=5")
        return TwinPatch(document=document) if document else None

    def _method(self, old: Action | None) -> MethodCall | None:
        changes: dict[str, Any] = {
            name: value
            for name, value in (
                ("name", self.method),
                ("connect_timeout_s", self.connect_timeout),
                ("response_timeout_s", self.response_timeout),
            )
            if value is not None
        }
        if self.method_json is not None:
            changes["payload"] = json_or_file(self.method_json, "--method-payload")
        if not changes:
            return None
        if old is not None and old.method is None and self.method is None and self.method_json is None:
            raise ConflictingChoice(NO_METHOD)
        if old is not None and old.method is not None:
            return replace(old.method, **changes)
        response_s = changes.get("response_timeout_s", TIMEOUT_S)
        return MethodCall(
            **{"name": "", "response_timeout_s": response_s, "connect_timeout_s": min(TIMEOUT_S, response_s), **changes}
        )

    def _content(self) -> dict[str, Any] | None:
        if self.edge_content is None:
            return None
        document = json_object_or_file(self.edge_content, "--content")
        # A deployment's file has it one level down.
        inner = document.get("content")
        return inner if "modulesContent" not in document and isinstance(inner, dict) else document

    def _targets(self, old: Targets | None) -> Targets:
        typed = SelectionOptions(
            our_query_condition=self.condition,
            our_device_ids=self.named_devices,
            devices_file=self.devices_path,
            exclude=self.left_out,
        )
        if old is None and not typed.names_devices and self.device_group is None:
            raise MissingChoice("No devices are named.", hint=f"{HOW_TO_NAME_DEVICES} A saved group: --group NAME.")
        changes: dict[str, Any] = {}
        if typed.names_devices or self.device_group is not None:
            changes |= {"selection": None, "group": None, "of_run": None, "excluded": ()}
        if typed.names_devices:
            changes["selection"] = typed.read()
        elif self.left_out is not None:
            kept = None if old is None or self.device_group is not None else old.selection
            if kept is None:
                changes["excluded"] = typed.read_excluded()
            else:
                changes["selection"] = replace(kept, excluded=typed.read_excluded())
        if self.device_group is not None:
            if not self.device_group.strip():
                raise BadValue(
                    "--group is empty.", hint=Text("Which there are: ", command("iot hub fleet-job group list"))
                )
            changes["group"] = self.device_group
        if self.first_devices is not None:
            changes |= {"limit": at_least(self.first_devices, 0, "--limit") or None, "sample_percent": None}
        if self.share_of_devices is not None:
            changes["sample_percent"] = _percent(self.share_of_devices)
            changes.setdefault("limit", None)
        if self.sample_seed is not None:
            changes["seed"] = self.sample_seed
        if self.devices_at_most is not None:
            changes["max_devices"] = self.devices_at_most
        targets = Targets(**changes) if old is None else replace(old, **changes)
        if self.sample_seed is not None and targets.sample_percent is None:
            raise MissingChoice("--seed goes with --sample.", hint="--sample 5% --seed 7")
        return targets

    def _rollout(self, old: Rollout) -> Rollout:
        if self.batch_kind is not None and self.batch_text is None:
            raise MissingChoice("--batch-type says what --batch counts: give --batch too.")
        unit = None if self.batch_kind is None else Unit(self.batch_kind)
        return Rollout(
            sizes=old.sizes if self.batch_text is None else parse_batch_sizes(self.batch_text, "--batch", unit),
            pause_s=old.pause_s if self.batch_pause is None else duration_s(self.batch_pause, "--batch-pause"),
            threshold=self._threshold(old.threshold),
            retry=self._retry(old.retry),
        )

    def _threshold(self, old: Threshold | None) -> Threshold | None:
        option = "--cancellation-threshold"
        others: dict[str, Any] = {
            f"{option}-type": self.threshold_kind, f"{option}-batch": self.threshold_per_batch,
            f"{option}-min-sample": self.threshold_least, f"{option}-error-class": self.threshold_classes,
            f"{option}-action": self.threshold_does,
        }  # fmt: skip
        is_gone = self.threshold_text == NONE or (self.threshold_text is None and old is None)
        lonely = next((name for name, value in others.items() if value is not None), None)
        if lonely is not None and (is_gone or (lonely == f"{option}-type" and self.threshold_text is None)):
            raise MissingChoice(f"{lonely} goes with {option}.", hint=f"{option} 5, or {option} 10%")
        if is_gone:
            return None
        changes: dict[str, Any] = {}
        if self.threshold_text is not None:
            unit = None if self.threshold_kind is None else Unit(self.threshold_kind)
            changes["share"] = parse_share(self.threshold_text, option, unit)
        if self.threshold_per_batch is not None:
            changes["scope"] = Scope.BATCH if self.threshold_per_batch else Scope.RUN
        if self.threshold_least is not None:
            changes["min_sample"] = self.threshold_least
        if self.threshold_classes is not None:
            changes["classes"] = _classes(self.threshold_classes, f"{option}-error-class")
        if self.threshold_does is not None:
            changes["action"] = ThresholdAction(self.threshold_does)
        return Threshold(**changes) if old is None else replace(old, **changes)

    def _retry(self, old: Retry | None) -> Retry | None:
        changes: dict[str, Any] = {}
        if self.retry_pause is not None:
            changes["pause_s"] = duration_s(self.retry_pause, "--retry-pause")
        if self.retry_growth is not None:
            changes["growth"] = self.retry_growth
        if self.retry_longest is not None:
            changes["longest_s"] = duration_s(self.retry_longest, "--retry-max-pause")
        if self.retry_when is not None:
            changes["when"] = RetryWhen(self.retry_when)
        is_gone = self.retry_text == NONE or (self.retry_text is None and old is None)
        if changes and is_gone:
            raise MissingChoice(
                "--retry-pause, --retry-growth, --retry-max-pause and --retry-when go with --retry.",
                hint="--retry offline=3,timeout",
            )
        if is_gone:
            return None
        if self.retry_text is not None:
            changes["tries"] = parse_retry_classes(self.retry_text, "--retry")
        retry = Retry(**changes) if old is None else replace(old, **changes)
        if retry.pause_s > retry.longest_s:
            raise ConflictingChoice(
                f"--retry-pause {retry.pause_s:.0f}s is longer than --retry-max-pause {retry.longest_s:.0f}s.",
                hint="Give both: --retry-pause 30m --retry-max-pause 1h",
            )
        return retry


def _or(typed: Any, old: Any) -> Any:
    return old if typed is None else typed


def _printable(text: str, option: str) -> str:
    if not text.isprintable():
        raise BadValue(f"{option} {shown(text)}: control characters and line breaks are not taken.")
    return text


def _percent(text: str) -> Fraction:
    share = parse_share(text, "--sample", Unit.PERCENT)
    return share.value


def _classes(text: str, option: str) -> frozenset[str]:
    words = frozenset(filter(None, (each.strip().lower() for each in text.split(","))))
    try:
        check_classes(words)
    except BadValue as err:
        raise BadValue(f"{option}: {err}") from err
    return words


def _labels(pairs: Sequence[str]) -> Mapping[str, str]:
    labels: dict[str, str] = {}
    for pair in filter(None, pairs):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise BadValue(f"--labels: {shown(pair)} is not name=value.", hint="--labels ring=2 owner=ann")
        if name in labels:
            raise BadValue(f"--labels: {shown(name)} is given twice.")
        labels[_printable(name, "--labels")] = _printable(value, "--labels")
    return labels
