"""Options that say how simulated devices behave: a file, what is ready-made, and quick ones over both.

--behaviour NAME       ready-made rules
--behaviour-file FILE  rules over these
--method NAME=STATUS[:JSON], --method-delay, --failure-rate, --offline-rate, and azure-iot's own options: over all
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from secrets import token_hex
from typing import Any

from azext_iotjobs.cli.input.durations import FORMS, parse_duration
from azext_iotjobs.cli.input.json_option import Given, json_object_or_file, json_or_file
from azext_iotjobs.cli.input.scalars import shown, whole_number
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.simulator.behaviour import ANY, METHOD_NAMES, REST, Behaviour, Group, MethodRule, SimulationBehaviour
from azext_iotjobs.simulator.events import DeviceInfo
from azext_iotjobs.simulator.template import BadTemplate, Template, compiled, constant


@dataclass(frozen=True, kw_only=True)
class SeededBehaviour:
    """How a fleet behaves, and the seed of its chance."""

    fleet: SimulationBehaviour
    seed: str

    def of(self, device: DeviceInfo) -> Behaviour:
        """One device's behaviour."""
        return self.fleet.group_of(device, self.seed).behaviour

    def of_one(self, device: DeviceInfo) -> Behaviour:
        """The behaviour of a device that is simulated alone: it is there, whatever share of a fleet is not."""
        behaviour = self.of(device)
        return replace(behaviour, presence=replace(behaviour.presence, offline_share=0.0))

    def group_sizes(self, fleet: Iterable[DeviceInfo]) -> dict[str, int]:
        """How many devices each group has; nothing where there are no groups."""
        if not self.fleet.groups:
            return {}
        names = [group.name for group in (*self.fleet.groups, self.fleet.otherwise)]
        found = Counter(self.fleet.group_of(device, self.seed).name for device in fleet)
        return {name: found[name] for name in names}


@dataclass(frozen=True, kw_only=True)
class BehaviourOptions:
    """The options by their dest; None where nothing was typed."""

    answer_status: str | None = None
    answer_payload: Given | None = None
    first_reported: Given | None = None
    ready_mades: Sequence[str] | None = None
    rules_path: str | None = None
    method_rules: Sequence[str] | None = None
    method_delay: str | None = None
    failure_share: str | None = None
    offline_share: str | None = None
    chance_seed: str | None = None

    @classmethod
    def taken_from(cls, typed: dict[str, Any], **named: Any) -> "BehaviourOptions":
        """The options among those that were typed, which are removed there; `named` are some more."""
        mine = {field.name: typed.pop(field.name) for field in fields(cls) if field.name in typed}
        return cls(**mine, **named)

    @property
    def is_typed(self) -> bool:
        """Whether any of those was typed that azure-iot does not have."""
        reference = ("answer_status", "answer_payload", "first_reported")
        return any(getattr(self, field.name) is not None for field in fields(self) if field.name not in reference)

    def read(self) -> "SeededBehaviour":
        """How the devices behave. Raises BadValue."""
        return SeededBehaviour(fleet=self._fleet(), seed=token_hex(4) if self.chance_seed is None else self.chance_seed)

    def _fleet(self) -> SimulationBehaviour:
        fleet = SimulationBehaviour(otherwise=Group(name=REST, behaviour=Behaviour()))
        if self.ready_mades or self.rules_path is not None:
            # Imported for those who have rules: YAML and what reads it take their time to load.
            from azext_iotjobs.cli.simulate.behaviour.file import behaviour_file, ready_made

            base = ready_made(self.ready_mades or (), "--behaviour")
            fleet = SimulationBehaviour(otherwise=Group(name=REST, behaviour=base))
            if self.rules_path is not None:
                fleet = behaviour_file(self.rules_path, base)
        change = self._change()
        return SimulationBehaviour(
            otherwise=_changed(fleet.otherwise, change), groups=tuple(_changed(each, change) for each in fleet.groups)
        )

    def _change(self) -> Callable[[Behaviour], Behaviour]:
        """What the quick options make of a behaviour. What is wrong in them is said once, here."""
        first: Template | None = None
        if self.first_reported is not None:
            first = constant(json_object_or_file(self.first_reported, "--init-reported-properties"))
        to_any: dict[str, Any] = {}
        if self.answer_status is not None:
            to_any["status"] = whole_number(self.answer_status, "--method-response-code")
        if self.answer_payload is not None:
            to_any["payload"] = constant(json_or_file(self.answer_payload, "--method-response-payload"))
        named = [_method(each) for each in self.method_rules or ()]
        to_all: dict[str, Any] = {}
        if self.method_delay is not None:
            to_all["latency"] = parse_duration(self.method_delay)
            if to_all["latency"] is None:
                raise BadValue(f"--method-delay: {shown(self.method_delay)}, allowed: {FORMS}; 7 days at most.")
        failing = _share(self.failure_share, "--failure-rate")
        offline = _share(self.offline_share, "--offline-rate")

        def change(behaviour: Behaviour) -> Behaviour:
            methods, any_method = dict(behaviour.methods), replace(behaviour.any_method, **to_any)
            for name, changes in named:
                if name == ANY:
                    any_method = replace(any_method, **changes)
                else:
                    methods[name] = replace(methods.get(name, MethodRule()), **changes)

            def finished(rule: MethodRule) -> MethodRule:
                if failing is not None:
                    rule = replace(rule, failure=replace(rule.failure, rate=failing))
                return replace(rule, **to_all)

            return replace(
                behaviour,
                methods={name: finished(rule) for name, rule in methods.items()},
                any_method=finished(any_method),
                first_reported=behaviour.first_reported if first is None else first,
                presence=(
                    behaviour.presence if offline is None else replace(behaviour.presence, offline_share=offline)
                ),
            )

        return change


def _changed(group: Group, change: Callable[[Behaviour], Behaviour]) -> Group:
    return replace(group, behaviour=change(group.behaviour))


def _method(text: str) -> tuple[str, dict[str, Any]]:
    """ "reboot=200:{...}" -> "reboot" and what it changes of the rule."""
    option = "--method"
    name, equals, answer = text.partition("=")
    status, colon, payload = answer.partition(":")
    if not name or not equals or not status.strip().isdecimal():
        raise BadValue(
            f"{option}: {shown(text)} is not NAME=STATUS or NAME=STATUS:JSON.",
            hint=f"Give {option} reboot=200, or {option} 'reboot=200:{{\"done\": true}}'. * is every other method.",
        )
    changes: dict[str, Any] = {"status": whole_number(status, option)}
    if colon:
        try:
            changes["payload"] = compiled(json_or_file(payload, f"{option} {name}"), METHOD_NAMES)
        except BadTemplate as err:
            raise BadValue(f"{option} {name}: {err}.") from None
    return name, changes


def _share(text: str | None, option: str) -> float | None:
    """A share: 0.1 or 10%."""
    if text is None:
        return None
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise BadValue(f"{option}: {shown(text)}, allowed: a share from 0 to 1, or from 0% to 100%.")
    return share
