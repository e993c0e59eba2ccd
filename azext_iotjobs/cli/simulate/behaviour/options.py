"""Options that say how simulated devices behave.

--behaviour NAME       ready-made rules
--behaviour-file FILE  rules that change these
--method NAME=STATUS[:JSON], --method-delay, --failure-rate, --offline-rate and azure-iot's own options change both
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from secrets import token_hex
from typing import Any

from azext_iotjobs.cli.input.durations import FORMS, parse_duration
from azext_iotjobs.cli.input.json_option import Given, json_object_or_file, json_or_file
from azext_iotjobs.cli.input.scalars import shown, whole_number
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.simulator.behaviour import ANY, METHOD_NAMES, REST, Behaviour, Group, MethodRule, SimulationBehaviour
from azext_iotjobs.simulator.events import DeviceInfo
from azext_iotjobs.simulator.template import BadTemplate, Template, compiled, constant


@dataclass(frozen=True, kw_only=True)
class SeededBehaviour:
    """How the devices of a simulation behave, and the seed of their random numbers."""

    rules: SimulationBehaviour
    seed: str
    sources: tuple[str, ...] = ()  # ready-made behaviours and the file, as typed

    def of(self, device: DeviceInfo) -> Behaviour:
        """The behaviour of a device."""
        return self.rules.group_of(device, self.seed).behaviour

    def of_one(self, device: DeviceInfo) -> Behaviour:
        """The behaviour of a device that is simulated alone: it connects, whatever share of many devices would not."""
        behaviour = self.of(device)
        return replace(behaviour, presence=replace(behaviour.presence, offline_share=0.0))

    def group_sizes(self, devices: Iterable[DeviceInfo]) -> dict[str, int]:
        """How many devices each group has; {} where there are no groups."""
        if not self.rules.groups:
            return {}
        names = [group.name for group in (*self.rules.groups, self.rules.otherwise)]
        found = Counter(self.rules.group_of(device, self.seed).name for device in devices)
        return {name: found[name] for name in names}


@dataclass(frozen=True, kw_only=True)
class BehaviourOptions:
    """The options as typed; None where nothing was typed."""

    our_method_response_code: str | None = None
    our_method_response_payload: Given | None = None
    our_init_reported_properties: Given | None = None
    behaviour: Sequence[str] | None = None
    behaviour_file: str | None = None
    method: Sequence[str] | None = None
    method_delay: str | None = None
    failure_rate: str | None = None
    offline_rate: str | None = None
    seed: str | None = None

    @property
    def has_rules(self) -> bool:
        """Whether any option was typed that azure-iot does not have."""
        reference = ("our_method_response_code", "our_method_response_payload", "our_init_reported_properties")
        return any(getattr(self, field.name) is not None for field in fields(self) if field.name not in reference)

    def read(self) -> SeededBehaviour:
        """How the devices behave, with a random seed if none was typed. Raises BadValue."""
        seed = token_hex(4) if self.seed is None else self.seed
        file = () if self.behaviour_file is None else (self.behaviour_file,)
        return SeededBehaviour(rules=self._rules(), seed=seed, sources=(*(self.behaviour or ()), *file))

    def _rules(self) -> SimulationBehaviour:
        rules = SimulationBehaviour(otherwise=Group(name=REST, behaviour=Behaviour()))
        if self.behaviour or self.behaviour_file is not None:
            # Imported for those who have rules: YAML and its readers load slowly.
            from azext_iotjobs.cli.simulate.behaviour.file import behaviour_file, ready_made

            base = ready_made(self.behaviour or (), "--behaviour")
            rules = SimulationBehaviour(otherwise=Group(name=REST, behaviour=base))
            if self.behaviour_file is not None:
                rules = behaviour_file(self.behaviour_file, base)
        overrides = self._overrides()
        return SimulationBehaviour(
            otherwise=overrides.applied_to(rules.otherwise), groups=tuple(map(overrides.applied_to, rules.groups))
        )

    def _overrides(self) -> "_Overrides":
        any_method: dict[str, Any] = {}
        if self.our_method_response_code is not None:
            any_method["status"] = whole_number(self.our_method_response_code, "--method-response-code")
        if self.our_method_response_payload is not None:
            any_method["payload"] = constant(
                json_or_file(self.our_method_response_payload, "--method-response-payload")
            )
        every_method: dict[str, Any] = {}
        if self.method_delay is not None:
            every_method["latency"] = parse_duration(self.method_delay)
            if every_method["latency"] is None:
                raise BadValue(f"--method-delay: {shown(self.method_delay)}, allowed: {FORMS}; 7 days at most.")
        reported = self.our_init_reported_properties
        return _Overrides(
            any_method=any_method,
            named_methods=[_method(each) for each in self.method or ()],
            every_method=every_method,
            failure_rate=_share(self.failure_rate, "--failure-rate"),
            offline_share=_share(self.offline_rate, "--offline-rate"),
            first_reported=(
                None if reported is None else constant(json_object_or_file(reported, "--init-reported-properties"))
            ),
        )


@dataclass(frozen=True, kw_only=True)
class _Overrides:
    """What the options change in the rules of a behaviour; None and empty where nothing was typed."""

    any_method: Mapping[str, Any]  # fields of the rule for methods without a rule of their own
    named_methods: Sequence[tuple[str, Mapping[str, Any]]]  # fields of the rules of methods, in the order of typing
    every_method: Mapping[str, Any]  # fields of all rules for methods
    failure_rate: float | None
    offline_share: float | None
    first_reported: Template | None

    def applied_to(self, group: Group) -> Group:
        """A group whose behaviour is changed."""
        behaviour = group.behaviour
        methods, any_method = dict(behaviour.methods), replace(behaviour.any_method, **self.any_method)
        for name, changes in self.named_methods:
            if name == ANY:
                any_method = replace(any_method, **changes)
            else:
                methods[name] = replace(methods.get(name, MethodRule()), **changes)
        presence = behaviour.presence
        if self.offline_share is not None:
            presence = replace(presence, offline_share=self.offline_share)
        changed = replace(
            behaviour,
            methods={name: self._method(rule) for name, rule in methods.items()},
            any_method=self._method(any_method),
            first_reported=behaviour.first_reported if self.first_reported is None else self.first_reported,
            presence=presence,
        )
        return replace(group, behaviour=changed)

    def _method(self, rule: MethodRule) -> MethodRule:
        if self.failure_rate is not None:
            rule = replace(rule, failure=replace(rule.failure, rate=self.failure_rate))
        return replace(rule, **self.every_method)


def _method(text: str) -> tuple[str, dict[str, Any]]:
    """ "reboot=200:{...}" -> "reboot" and the changed fields of its rule."""
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
