"""The JSON schema of behaviour files says what the reader takes: tried with what both must take or refuse."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.input.yaml_reader import read
from azext_iotjobs.cli.simulate.behaviour.file import READY_MADE, parse_behaviour, ready_made_names
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.simulator.behaviour import Behaviour
from tests.helpers.json_schema import problems

DOCS = Path(__file__).parents[4] / "docs"
SCHEMA = json.loads((DOCS / "reference" / "behaviour.schema.json").read_text(encoding="utf-8"))
PAGE = (DOCS / "reference" / "behaviour-file.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
HOLE: dict[str, Any] = {"zzz": 1}
STEP: Any = lambda step: {"methods": {"m": {"then": [step]}}}  # noqa: E731
VALUE: Any = lambda value: {"telemetry": {"t": {"every": 1, "values": {"v": value}}}}  # noqa: E731
TWIN: Any = lambda rule: {"twin": {"p": rule}}  # noqa: E731
LATENCY: Any = lambda latency: {"methods": {"m": {"latency": latency}}}  # noqa: E731
# For each object of the schema a file that has a wrong key just there.
WRONG: dict[str, Any] = {
    "": HOLE,
    "method": {"methods": {"m": HOLE}},
    "failure": {"methods": {"m": {"failure": HOLE}}},
    "reportStep": STEP({"report": {}, **HOLE}),
    "waitStep": STEP({"wait": 1, **HOLE}),
    "offlineStep": STEP({"offline": 1, **HOLE}),
    "sendStep": STEP({"send": 1, **HOLE}),
    "chanceStep": STEP({"chance": 1, **HOLE}),
    "distribution": LATENCY(HOLE),
    "normalTime": LATENCY({"normal": HOLE}),
    "longTail": LATENCY({"long-tail": HOLE}),
    "twinRule": TWIN(HOLE),
    "reject": TWIN({"reject": HOLE}),
    "converge": TWIN({"converge": HOLE}),
    "telemetryRule": {"telemetry": {"t": HOLE}},
    "generator": VALUE(HOLE),
    **{kind: VALUE({kind: HOLE}) for kind in ("sine", "ramp", "walk", "uniform", "normal", "choice", "counter")},
    "presenceRule": {"presence": HOLE},
    "flapping": {"presence": {"flapping": HOLE}},
    "windows": {"presence": {"windows": HOLE}},
    "group": {"groups": {"g": HOLE}},
}


def test_every_object_of_the_schema_is_tried() -> None:
    closed = {name for name, each in SCHEMA["$defs"].items() if each.get("additionalProperties") is False}
    assert closed == WRONG.keys() - {""}


@pytest.mark.parametrize("name", WRONG)
def test_the_schema_and_the_reader_know_the_same_keys(name: str) -> None:
    with pytest.raises(BadValue) as caught:
        parse_behaviour(json.dumps(WRONG[name]), "file", Behaviour())
    allowed = str(caught.value).partition("unknown key 'zzz'")[2].partition("allowed: ")[2].rstrip(".").split(", ")
    part = SCHEMA["$defs"][name] if name else SCHEMA
    assert part["properties"].keys() == set(allowed)
    assert problems(SCHEMA, WRONG[name], SCHEMA)


@pytest.mark.parametrize(
    "content", [*EXAMPLES, *((READY_MADE / f"{each}.yaml").read_text() for each in ready_made_names())]
)
def test_what_is_an_example_is_valid(content: str) -> None:
    assert problems(SCHEMA, read(content, "file").value(), SCHEMA) == []


@pytest.mark.parametrize(
    ("document", "is_taken"),
    [
        (LATENCY("500ms"), True),
        (LATENCY("1-2min"), True),
        (LATENCY("1-2s"), True),
        (LATENCY("soon"), False),
        (LATENCY(-1), False),
        (LATENCY(604801), False),
        (LATENCY({"uniform": [1]}), False),
        (LATENCY({"long-tail": {"median": 1}}), False),
        ({"methods": {"m": {"status": 1.5}}}, False),
        ({"methods": {"m": {"status": -1}}}, False),
        ({"methods": {"m": {"failure": "10%"}}}, True),
        ({"methods": {"m": {"failure": 1.1}}}, False),
        ({"methods": {"m": {"no-answer": True}}}, True),
        ({"methods": {"m": None}}, True),
        ({"methods": []}, False),
        (STEP({"report": {}, "times": 2}), False),
        (STEP({"report": {}, "times": 0, "every": 1}), False),
        (STEP({"report": [1]}), False),
        (STEP({"chance": 0.5}), False),
        (STEP({"nothing": 1}), False),
        (TWIN("pnp"), True),
        (TWIN("other"), False),
        (TWIN({"reject": {"status": 200}}), False),
        (TWIN({"converge": {"steps": 2}}), False),
        (VALUE({"uniform": [1, 2]}), True),
        (VALUE({"uniform": {"least": 1}}), False),
        (VALUE({"choice": []}), False),
        (VALUE({"sine": {"mean": 1}}), False),
        (VALUE({"walk": {"start": 0, "step": -1}}), False),
        (VALUE({"counter": {}, "constant": 1}), False),
        ({"telemetry": {"t": {"every": 1, "payload": 1, "count": 0}}}, False),
        ({"presence": "always"}, True),
        ({"presence": "never"}, False),
        ({"presence": {"flapping": {"on": 1}}}, False),
        ({"presence": {"windows": {"zone": "UTC", "daily": "6-22"}}}, False),
        ({"presence": {"windows": {"zone": "UTC", "daily": "06:00-22:00", "days": "mon-fri"}}}, True),
        ({"presence": {"windows": {"zone": "UTC", "daily": "06:00-22:00", "days": ["monday"]}}}, False),
        ({"groups": {"g": {"share": 0.5, "tags": {"a": 1}}}}, False),
        ({"groups": {"g": {}}}, False),
        ({"groups": {"g": {"tags": {}}}}, False),
        ({"groups": {"g": {"tags": {"a": None}}}}, False),
        ({"based-on": ["reboot", "lock-door"]}, True),
        ({"based-on": "boot"}, False),
    ],
)
def test_both_take_and_refuse_the_same(document: Any, is_taken: bool) -> None:
    assert (problems(SCHEMA, document, SCHEMA) == []) is is_taken
    try:
        parse_behaviour(json.dumps(document), "file", Behaviour())
    except BadValue:
        assert not is_taken
    else:
        assert is_taken


def test_the_schema_names_what_is_ready_made() -> None:
    assert SCHEMA["$defs"]["name"]["enum"] == ready_made_names()
