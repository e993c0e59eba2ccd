"""What a behaviour file says, and what is said about one that is wrong."""

import re
from datetime import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.cli.simulate.behaviour.file import behaviour_file, parse_behaviour, ready_made, ready_made_names
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.simulator.behaviour import (
    Acknowledge,
    Behaviour,
    Flapping,
    PresenceRule,
    SimulationBehaviour,
    Span,
    TwinRule,
)
from azext_iotjobs.simulator.durations import AT_ONCE, Fixed, LongTail, Normal, Uniform
from azext_iotjobs.simulator.events import DeviceInfo
from tests.helpers.driven_session import DrivenSession

NAME = "--behaviour-file fleet.yaml"
PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "behaviour-file.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def parsed(content: str) -> SimulationBehaviour:
    return parse_behaviour(content, NAME, Behaviour())


def behaviour(content: str) -> Behaviour:
    return parsed(content).otherwise.behaviour


def wrong(content: str) -> str:
    with pytest.raises(BadValue) as caught:
        parsed(content)
    said = str(caught.value)
    assert said.isprintable()
    return said


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_of_the_page_is_a_behaviour_that_runs(number: int) -> None:
    rules = parsed(EXAMPLES[number])
    for group in (rules.otherwise, *rules.groups):
        one = DrivenSession(group.behaviour, tags={"site": "north"})
        one.desire(interval=5, thermostat={"target": 21}, valve={"opening": 50}, other=1)
        for method in (*group.behaviour.methods, "other"):
            one.call(method, {"version": "2"})
        one.run_until(300)
        assert one.done


def test_the_page_has_an_example_for_each_part() -> None:
    tops = {key for example in EXAMPLES for key in yaml.safe_load(example)}
    assert tops == {"based-on", "reported", "methods", "twin", "telemetry", "presence", "groups"}


@pytest.mark.parametrize("name", ready_made_names())
def test_what_is_ready_made_is_described_and_does_what_its_page_says(name: str) -> None:
    assert f"| `{name}` |" in PAGE
    one = DrivenSession(ready_made([name], "--behaviour"))
    for method in ready_made([name], "--behaviour").methods:
        one.call(method, {"version": "2.0.1", "fwPackageUri": "https://example.com/fw.bin"})
        one.run_for(300)
    assert one.is_ready
    assert {200, 202, 500} >= {answer.status for _, answer in one.answers}
    ends = {"reboot": ("reboots", 1), "lock-door": ("door", "unlocked"), "firmware-update": ("firmware", "2.0.1")}
    key, end = ends[name]
    assert end in (one.reported[key], *(one.reported[key].values() if isinstance(one.reported[key], dict) else ()))


def test_a_firmware_update_goes_through_its_stages() -> None:
    one = DrivenSession(ready_made(["firmware-update"], "--behaviour"), seed="2")  # not one of those that fail
    one.call("firmwareUpdate", {"version": "2.0.1", "fwPackageUri": "https://example.com/fw.bin"})
    one.run_for(60)
    stages = [patch["firmware"]["status"] for _, patch in one.reports if "status" in patch["firmware"]]
    assert stages == ["current", "downloading", "applying", "rebooting", "current"]
    assert [word for _, word in one.connection_changes()] == ["come", "leave", "come"]
    progress = [patch["firmware"]["progress"] for _, patch in one.reports if "progress" in patch["firmware"]]
    assert progress == [100, 0, 25, 50, 75, 100]
    assert one.reported["firmware"].keys() == {"status", "version", "progress", "updated"}


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0.5", Fixed(0.5)),
        ("2", Fixed(2)),
        ("500ms", Fixed(0.5)),
        ("5m", Fixed(300)),
        ("1.5h", Fixed(5400)),
        ("0.1-2", Uniform(0.1, 2)),
        ("100ms - 2s", Uniform(0.1, 2)),
        ("100-500ms", Uniform(0.1, 0.5)),
        ("1-2min", Uniform(60, 120)),
        ("{uniform: [100ms, 2]}", Uniform(0.1, 2)),
        ("{normal: {mean: 1m, deviation: 2}}", Normal(60, 2)),
        ("{long-tail: {median: 200ms, p99: 5s, at-most: 30s}}", LongTail(0.2, 5, 30)),
    ],
)
def test_times_in_every_form(text: str, duration: Any) -> None:
    assert behaviour(f"methods: {{m: {{latency: {text}}}}}").methods["m"].latency == duration


def test_twin_rules_in_every_form() -> None:
    rules = behaviour(
        "twin:\n  a: pnp\n  b.c: {reject: 5%, converge: {steps: 3, every: 2}}\n  '*': none\n"
        "  d: {acknowledge: pnp, delay: 1, reject: {rate: true, status: 403, text: no}}"
    ).twin
    assert rules is not None
    assert rules.otherwise.acknowledge is Acknowledge.NONE
    assert rules.paths == {
        ("a",): TwinRule(acknowledge=Acknowledge.PNP),
        ("b", "c"): TwinRule(reject=0.05, steps=3, every=Fixed(2)),
        ("d",): TwinRule(acknowledge=Acknowledge.PNP, delay=Fixed(1), reject=1, reject_status=403, reject_text="no"),
    }


def test_presence_in_every_form() -> None:
    assert behaviour("presence: always").presence == PresenceRule()
    found = behaviour(
        "presence: {offline: 5%, flapping: {on: 1m, off: 5}, windows: {zone: Europe/Berlin, daily: 22:00-06:00, "
        "days: [fri-mon, wed], spread: 1m}}"
    ).presence
    assert found.offline_share == 0.05
    assert found.flapping == Flapping(60, 5)
    assert found.windows is not None
    assert found.windows.spans == (Span(time(22), time(6)),)
    assert (str(found.windows.zone), found.windows.spread_s) == ("Europe/Berlin", 60)
    assert found.windows.weekdays == {4, 5, 6, 0, 2}


def test_a_group_changes_what_it_names_and_keeps_the_rest() -> None:
    rules = parsed(
        "methods: {m: {status: 201, latency: 1}, gone: {status: 1}}\n"
        "telemetry: {t: {every: 5, values: {a: 1, b: 2}}}\n"
        "twin: {x: pnp, y: pnp}\n"
        "groups:\n  g:\n    share: 1\n    methods: {m: {failure: 0.5}, gone: null, '*': {status: 501}}\n"
        "    telemetry: {t: {every: 9, values: {b: 3}}}\n    twin: {x: null}\n"
    )
    mine = rules.group_of(DeviceInfo(device_id="d"), "").behaviour
    assert set(mine.methods) == {"m"}
    rule = mine.methods["m"]
    assert (rule.status, rule.latency, rule.failure.rate, rule.failure.status) == (201, Fixed(1), 0.5, 500)
    assert (mine.any_method.status, rules.otherwise.behaviour.any_method.status) == (501, 200)
    assert mine.telemetry[0].every == Fixed(9)
    assert set(mine.telemetry[0].values) == {"a", "b"}
    assert mine.twin is not None
    assert set(mine.twin.paths) == {("y",)}
    assert rules.otherwise.behaviour.methods["gone"].latency is AT_ONCE


def test_words_of_yaml_1_1_stay_words() -> None:
    template = behaviour("methods: {m: {payload: [off, no, 12:30, 2026-11-21, 007, 1_000, 0x1F, .inf, ~, '5', 5]}}")
    one = DrivenSession(template)
    one.call("m")
    words = ["off", "no", "12:30", "2026-11-21", "007", "1_000", "0x1F", ".inf"]
    assert one.answers[0][1].payload == [*words, None, "5", 5]


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("method: {}", 1, "unknown key 'method' (did you mean methods?), allowed: based-on, reported, methods,"),
        ("methods:\n  m:\n    latncy: 1", 3, "methods.m: unknown key 'latncy' (did you mean latency?)"),
        ("methods:\n  m:\n    latency: soon", 3, "methods.m.latency: 'soon', allowed: seconds such as 0.5"),
        ("methods:\n  m:\n    latency: -1", 3, "'-1', allowed: seconds"),
        ("methods:\n  m:\n    latency: 8d", 3, "7 days"),
        ("methods:\n  m: {latency: {uniform: [2, 1]}}", 2, "the shorter one first"),
        ("methods:\n  m: {latency: {long-tail: {median: 2, p99: 1}}}", 2, "less than p99"),
        ("methods:\n  m: {status: ok}", 2, "methods.m.status: 'ok', allowed: a number"),
        ("methods:\n  m: {status: 1.5}", 2, "whole number"),
        ("methods:\n  m: {failure: 101%}", 2, "a share from 0 to 1"),
        ("methods:\n  m: {failure: {rate: 0.1, staus: 1}}", 2, "did you mean status?"),
        ("methods:\n  m:\n    payload:\n      a:\n        - 1\n        - ${requets.x}", 6, "did you mean request?"),
        ("methods:\n  m:\n    then:\n      - wait: 1\n      - wiat: 1", 5, "then[1]: an object of 'wiat', allowed:"),
        ("methods:\n  m:\n    then:\n      - {wait: 1, offline: 1}", 4, "one of report, wait"),
        ("methods:\n  m:\n    then:\n      - {report: {}, times: 3}", 4, "times and every"),
        ("methods:\n  m:\n    then:\n      - {chance: 0.1}", 4, "instead"),
        ("methods:\n  m:\n    then: [{report: [1]}]", 3, "an object"),
        ("methods:\n  m: {}\n  n: {}\n  m: {}", 4, "methods: the key 'm' occurs twice, first in line 2"),
        ("methods: [m]", 1, "methods: a list of 1, allowed: an object"),
        ("twin:\n  a: {acknowledge: yes}", 2, "'yes', allowed: plain, pnp, none"),
        ("twin:\n  a.b: pnp\n  a: pnp", 3, "overlaps with a.b"),
        ("twin:\n  a..b: pnp", 2, "names with dots"),
        ("twin:\n  $version: pnp", 2, "names with dots"),
        ("telemetry:\n  t: {every: 5}", 2, "values or payload"),
        ("telemetry:\n  t: {every: 1ms, payload: 1}", 2, "10ms or more"),
        ("telemetry:\n  t: {every: 5, values: {x: {sin: {}}}}", 2, "did you mean sine?"),
        ("telemetry:\n  t: {every: 5, values: {x: {sine: {mean: 1}}}}", 2, "amplitude, period is missing"),
        ("telemetry:\n  t: {every: 5, values: {x: 1}, payload: '${y}'}", 2, "${y} is not known here"),
        ("telemetry:\n  t: {every: 5, values: {x: {choice: {values: [1], weights: [0]}}}}", 2, "not all 0"),
        ("presence: sometimes", 1, "'sometimes', allowed: always"),
        ("presence:\n  windows: {zone: Europe/Nowhere, daily: 06:00-22:00}", 2, "such as Europe/Berlin"),
        ("presence:\n  windows: {zone: ../UTC, daily: 06:00-22:00}", 2, "such as Europe/Berlin"),
        ("presence:\n  windows: {zone: UTC, daily: 6-22}", 2, "06:00-22:00"),
        ("presence:\n  windows: {zone: UTC, daily: 06:00-24:30}", 2, "06:00-22:00"),
        ("presence:\n  windows: {zone: UTC, daily: 06:00-22:00, days: [mo]}", 2, "mon, tue"),
        ("presence:\n  flapping: {on: 0, off: 1}", 2, "0.1 s or more"),
        ("groups:\n  a: {share: 0.6}\n  b: {share: 50%}", 2, "the shares come to 1.1, allowed: 1 in all"),
        ("groups:\n  a: {}", 2, "share or tags"),
        ("groups:\n  a: {tags: {x: [1]}}", 2, "nested tags are named with dots"),
        ("groups:\n  rest: {share: 1}", 2, "another one than rest"),
        ("based-on: rebot", 1, "'rebot', allowed: firmware-update, lock-door, reboot"),
        (f"based-on: [{', '.join(['reboot'] * 20_000)}]", 1, "20000 names, allowed: 100"),
        ("- 1", 1, "a list of 1, allowed: an object"),
        ("a: b: c", 1, "this is not YAML"),
        ("methods: {m: {payload: {a: ${now}}}}", 1, "this is not YAML"),
        ("a: 1\n---\nb: 2", 2, "this is not YAML"),
        ("methods:\n  m: !!python/object/apply:os.system [ls]", 2, "the tag 'tag:yaml.org,2002:python"),
        ('methods:\n  "\\e[31m": {x: 1}', 2, "methods.?[31m: unknown key 'x'"),
        ("methods:\n  m: &a\n    payload: [*a]", 3, "contains itself"),
    ],
)
def test_an_error_names_the_line_and_what_is_allowed(content: str, line: int, said: str) -> None:
    message = wrong(content)
    assert message.startswith(f"{NAME}, line {line}: "), message
    assert said in message


def test_aliases_that_expand_without_end_are_refused() -> None:
    levels = "\n".join(f"  m{n}: {{payload: &p{n} [{', '.join([f'*p{n - 1}'] * 9)}]}}" for n in range(1, 9))
    assert "more than 50000 values" in wrong(f"methods:\n  m0: {{payload: &p0 [x]}}\n{levels}")


@pytest.mark.parametrize("content", ["", "# nothing\n", "[" * 100_000, "x" * 300_000, "\x00", "{"])
def test_a_file_without_rules_is_refused(content: str) -> None:
    assert NAME in wrong(content)


@given(st.text(alphabet="methodstwin:{}[]\n -\"'&*!%|>$0159.,#", max_size=60))
def test_no_text_breaks_the_reader(content: str) -> None:
    try:
        parsed(content)
    except BadValue as err:
        assert str(err).startswith(NAME)


def test_a_file_may_be_in_json_and_in_utf_16_and_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    path.write_text('{"methods": {"m": {"status": 201}}}', encoding="utf-16")
    assert behaviour_file(str(path), Behaviour()).otherwise.behaviour.methods["m"].status == 201
    with pytest.raises(BadValue, match="there is no file"):
        behaviour_file(str(tmp_path / "none.yaml"), Behaviour())
