"""Telemetry by rules."""

import json
from typing import Any

import pytest

from azext_iotjobs.simulator.behaviour import Behaviour, TelemetryRule
from azext_iotjobs.simulator.durations import Fixed, Uniform
from azext_iotjobs.simulator.generators import Counter, RandomWalk, Sine
from azext_iotjobs.simulator.template import compiled
from tests.helpers.driven_session import DrivenSession

COUNTED = {"n": Counter()}


def device(*rules: TelemetryRule, **more: Any) -> DrivenSession:
    return DrivenSession(Behaviour(telemetry=rules), **more)


def bodies(one: DrivenSession) -> list[Any]:
    return [json.loads(message.body) for _, message in one.messages]


def test_each_kind_has_a_rate_of_its_own() -> None:
    quick = TelemetryRule(name="quick", every=Fixed(1), first=Fixed(0), payload=compiled({"q": "${count}"}, ("count",)))
    slow = TelemetryRule(name="slow", every=Fixed(10), first=Fixed(5), count=2, values=COUNTED)
    one = device(quick, slow)
    one.run_until(99.5)
    found = bodies(one)
    assert [each["q"] for each in found if "q" in each] == list(range(1, 101))
    assert [at for at, message in one.messages if b"n" in message.body] == [5, 15]


def test_devices_do_not_all_send_at_the_same_time() -> None:
    rule = TelemetryRule(name="t", every=Fixed(10), values=COUNTED)
    devices = [device(rule, device_id=f"d-{number}") for number in range(200)]
    for each in devices:
        each.run_until(9.999)
    firsts = [each.messages[0][0] for each in devices]
    assert all(len(each.messages) == 1 for each in devices)
    assert sum(firsts) / 200 == pytest.approx(5, abs=0.7)


def test_values_properties_and_payload_are_filled_for_each_message() -> None:
    rule = TelemetryRule(
        name="climate",
        every=Uniform(1, 2),
        values={"temperature": Sine(mean=20, amplitude=5, period_s=60), "wear": RandomWalk(start=0, step=1)},
        payload=compiled({"id": "${device}", "t": "${temperature}", "note": "wear ${wear}"}, ("temperature", "wear")),
        properties={"site": compiled("${tags.site}"), "$.ct": compiled("text/json")},
    )
    one = device(rule, tags={"site": "north"})
    one.run_until(60)
    assert 30 <= len(one.messages) <= 60
    assert one.messages[0][1].properties == {"$.ct": "text/json", "$.ce": "utf-8", "site": "north"}
    assert len({body["t"] for body in bodies(one)}) > 10
    assert len({body["note"] for body in bodies(one)}) > 10


def test_messages_due_while_it_is_off_line_are_skipped_and_values_continue() -> None:
    one = device(TelemetryRule(name="t", every=Fixed(1), first=Fixed(0), values=COUNTED))
    one.run_until(3.5)
    one.lose_link()
    one.run_until(100)
    assert len(one.messages) == 4
    one.link()
    one.run_until(102)
    assert [body["n"] for body in bodies(one)][:6] == [1, 2, 3, 4, 5, 6]
    assert len(one.messages) <= 7


def test_late_messages_are_not_sent_in_a_burst() -> None:
    one = device(TelemetryRule(name="t", every=Fixed(1), first=Fixed(0), values=COUNTED))
    one.run_until(0)
    one.now = 50.0  # the loop was held up
    one.run_until(52.5)
    assert [at for at, _ in one.messages] == [0, 50, 51, 52]


def test_the_same_seed_gives_the_same_values() -> None:
    rule = TelemetryRule(name="t", every=Uniform(1, 3), values={"w": RandomWalk(start=0, step=1)})

    def story(seed: str) -> list[Any]:
        one = device(rule, seed=seed)
        one.run_until(100)
        return [(at, message.body) for at, message in one.messages]

    assert story("1") == story("1") != story("2")
