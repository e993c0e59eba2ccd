"""What a user types about a fleet job -> its definition: a new one, or a stored one with changes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from azext_iotjobs.cli.fleet_job.action_options import ActionOptions, TimeoutOptions
from azext_iotjobs.cli.fleet_job.rollout_options import RolloutOptions
from azext_iotjobs.cli.fleet_job.target_options import TargetOptions
from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.cli.input.option_groups import is_any_typed
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.cli.input.verification_options import VerificationOptions
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver
from azext_iotjobs.model.rollout import Rollout

NONE = "none"  # takes a duration away


class NameOptions(NamedTuple):
    """What a fleet job is called; None where nothing was typed."""

    display_name: str | None = None
    description: str | None = None
    our_labels: Sequence[str] | None = None

    def changes(self) -> dict[str, Any]:
        """Members of Definition that were typed. Raises BadValue, naming the option."""
        changes: dict[str, Any] = {}
        if self.display_name is not None:
            changes["display_name"] = _printable(self.display_name, "--display-name")
        if self.description is not None:
            changes["description"] = self.description
        if self.our_labels is not None:
            changes["labels"] = parse_labels(self.our_labels, "--labels")
        return changes


class DeliveryOptions(NamedTuple):
    """How devices are reached; None where nothing was typed."""

    driver: str | None = None
    concurrency: int | None = None
    rate: float | None = None
    our_ttl: int | None = None  # 0: as many seconds as the devices can need
    when_online: str | None = None

    def onto(self, old: Delivery) -> Delivery:
        """`old` with what was typed. Raises BadValue, naming the option."""
        changes: dict[str, Any] = {}
        if self.driver is not None:
            changes["driver"] = Driver(self.driver)
        if self.concurrency is not None:
            changes["concurrency"] = self.concurrency
        if self.rate is not None:
            changes["rate"] = self.rate
        if self.our_ttl is not None:
            changes["job_limit_s"] = self.our_ttl or None
        if self.when_online is not None:
            is_gone = self.when_online == NONE
            changes["when_online_s"] = None if is_gone else duration_s(self.when_online, "--when-online")
        return replace(old, **changes)


class RunDeliveryOptions(NamedTuple):
    """How devices are reached by one run; None where nothing was typed."""

    delivery: DeliveryOptions = DeliveryOptions()
    timeouts: TimeoutOptions = TimeoutOptions()

    def onto(self, old: Delivery, action: Action) -> Delivery:
        """`old` with what was typed; timeouts stand in place of those of the action. Raises UserError."""
        delivery = self.delivery.onto(old)
        connect_s, response_s = self.timeouts
        if connect_s is not None:
            delivery = replace(delivery, connect_timeout_s=connect_s)
        if response_s is not None:
            delivery = replace(delivery, response_timeout_s=response_s)
        action.within(delivery)
        return delivery


class DefinitionOptions(NamedTuple):
    """All of a fleet job's definition; None where nothing was typed."""

    names: NameOptions = NameOptions()
    action: ActionOptions = ActionOptions()
    targets: TargetOptions = TargetOptions()
    rollout: RolloutOptions = RolloutOptions()
    delivery: DeliveryOptions = DeliveryOptions()
    verification: VerificationOptions = VerificationOptions()

    @property
    def is_typed(self) -> bool:
        """Whether anything was."""
        return is_any_typed(self)

    @property
    def asks_hub(self) -> bool:
        """Whether the hub has to read what was typed: a condition."""
        return self.targets.asks_hub or self.verification.asks_hub or self.rollout.gates.query.asks_hub

    def new(self) -> Definition:
        """A new definition. Raises UserError, naming the option."""
        return self._on(None)

    def onto(self, old: Definition) -> Definition:
        """`old` with what was typed. Raises UserError, naming the option."""
        return self._on(old)

    def _on(self, old: Definition | None) -> Definition:
        kept = {} if old is None else {name: getattr(old, name) for name in ("display_name", "description", "labels")}
        return Definition(
            action=self.action.onto(None if old is None else old.action),
            targets=self.targets.onto(None if old is None else old.targets),
            rollout=self.rollout.onto(Rollout() if old is None else old.rollout),
            delivery=self.delivery.onto(Delivery() if old is None else old.delivery),
            verification=self.verification.onto(None if old is None else old.verification),
            **{**kept, **self.names.changes()},
        )


def _printable(text: str, option: str) -> str:
    if not text.isprintable():
        raise BadValue(f"{option} {shown(text)}: control characters and line breaks are not allowed.")
    return text


def parse_labels(pairs: Sequence[str], option: str) -> Mapping[str, str]:
    """Labels, each as name=value. Raises BadValue. option: what gave them, for the error."""
    labels: dict[str, str] = {}
    for pair in filter(None, pairs):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise BadValue(f"{option}: {shown(pair)} is not name=value.", hint=f"{option} ring=2 owner=ann")
        if name in labels:
            raise BadValue(f"{option}: {shown(name)} is given twice.")
        labels[_printable(name, option)] = _printable(value, option)
    return labels
