"""Options over files over what is ready-made."""

from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.input.option_groups import taken_from
from azext_iotjobs.cli.simulate.behaviour.file import ready_made_names
from azext_iotjobs.cli.simulate.behaviour.options import BehaviourOptions
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.durations import Fixed, Uniform
from azext_iotjobs.simulator.events import DeviceInfo
from tests.helpers.driven_session import DrivenSession
from tests.helpers.surface import our_arguments


def behaviour(**typed: Any) -> Behaviour:
    return BehaviourOptions(**typed).read().of(DeviceInfo(device_id="pump-1"))


def answer(found: Behaviour, method: str, payload: Any = None) -> tuple[int, Any]:
    one = DrivenSession(found)
    one.call(method, payload)
    one.run_for(60)
    return one.answers[0][1].status, one.answers[0][1].payload


def test_without_options_a_device_behaves_as_in_the_reference() -> None:
    found = behaviour()
    assert found == Behaviour()
    assert answer(found, "m", 1)[1]["methodRequestPayload"] == 1


def test_the_references_own_options_are_taken_as_they_are() -> None:
    found = behaviour(
        our_method_response_code="201",
        our_method_response_payload='{"a": "${device}"}',
        our_init_reported_properties='{"b": "${x"}',
    )
    assert answer(found, "m") == (201, {"a": "${device}"})
    assert DrivenSession(found).reported == {"b": "${x"}


@pytest.mark.parametrize(
    ("text", "method", "answered"),
    [
        ("m=201", "m", (201, None)),
        ("m=200:null", "m", (200, None)),
        ('m=200:{"d": "${device}", "r": "${request.x}"}', "m", (200, {"d": "pump-1", "r": 5})),
        ("m=200:[1, 2]", "m", (200, [1, 2])),
        ("*=501:0", "other", (501, 0)),
    ],
)
def test_a_method_has_a_status_and_a_payload(text: str, method: str, answered: tuple[int, Any]) -> None:
    found = behaviour(method=[text])
    status, payload = answer(found, method, {"x": 5})
    assert status == answered[0]
    if ":" in text:
        assert payload == answered[1]
    assert answer(found, "unnamed" if "*" not in text else "m")[0] == (501 if "*" in text else 200)


def test_options_change_a_file_which_changes_what_is_ready_made(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text("methods: {reboot: {status: 203}, mine: {status: 204, latency: 7}}\ngroups: {all: {share: 1}}\n")
    found = behaviour(behaviour=["reboot", "lock-door"], behaviour_file=str(path), method=["mine=205:1"])
    assert set(found.methods) == {"reboot", "lockDoor", "unlockDoor", "mine"}
    assert found.methods["reboot"].status == 203
    assert found.methods["reboot"].then
    assert (found.methods["mine"].status, found.methods["mine"].latency) == (205, Fixed(7))
    rates = behaviour(behaviour_file=str(path), method_delay="1-2", failure_rate="10%", offline_rate="0.5")
    for rule in (*rates.methods.values(), rates.any_method):
        assert (rule.latency, rule.failure.rate) == (Uniform(1, 2), 0.1)
    assert rates.presence.offline_share == 0.5


def test_one_device_alone_always_connects() -> None:
    behaviour = BehaviourOptions(offline_rate="1").read()
    assert behaviour.of(DeviceInfo(device_id="d")).presence.offline_share == 1
    assert behaviour.of_one(DeviceInfo(device_id="d")).presence.offline_share == 0


def test_the_help_names_all_that_is_ready_made() -> None:
    options = our_arguments()["iot device simulate"]
    (text,) = [each["help"] for each in options.values() if "--behaviour" in each["options"]]
    assert [name for name in ready_made_names() if name not in text] == []


def test_the_devices_of_each_group_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text("groups: {north: {tags: {site: north}}, none: {share: 0}}\n")
    devices = [
        DeviceInfo(device_id=f"d-{number}", tags={"site": "north" if number < 3 else "south"}) for number in range(10)
    ]
    assert BehaviourOptions(behaviour_file=str(path)).read().group_sizes(devices) == {"north": 3, "none": 0, "rest": 7}
    assert BehaviourOptions().read().group_sizes(devices) == {}


def test_a_seed_is_kept_and_without_one_each_run_has_its_own() -> None:
    assert BehaviourOptions(seed="7").read().seed == "7"
    assert BehaviourOptions().read().seed != BehaviourOptions().read().seed


def test_the_options_are_taken_out_of_what_was_typed() -> None:
    typed = {"behaviour": ["reboot"], "behaviour_file": None, "our_method_response_code": "200", "until": ["5m"]}
    options = taken_from(typed, BehaviourOptions)
    assert typed == {"until": ["5m"]}
    assert (options.behaviour, options.our_method_response_code, options.has_rules) == (["reboot"], "200", True)
    assert not BehaviourOptions(our_method_response_code="200").has_rules


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            {"behaviour": ["rebot"]},
            r"--behaviour: 'rebot' is not ready-made \(did you mean reboot\?\), allowed: firm",
        ),
        ({"behaviour": ["../reboot"]}, "is not ready-made"),
        ({"method": ["reboot"]}, "--method: 'reboot' is not NAME=STATUS"),
        ({"method": ["=200"]}, "is not NAME=STATUS"),
        ({"method": ["m=ok"]}, "is not NAME=STATUS"),
        ({"method": ["m=-1"]}, "is not NAME=STATUS"),
        ({"method": ["m=200:{broken"]}, "--method m"),
        ({"method": ["m=200:"]}, "--method m"),
        ({"method": ['m=200:"${requets}"']}, r"--method m: .*did you mean request\?"),
        ({"method_delay": "soon"}, "--method-delay: 'soon', allowed: seconds"),
        ({"method_delay": "2-1"}, "--method-delay"),
        ({"failure_rate": "1.1"}, "--failure-rate: '1.1', allowed: a share"),
        ({"failure_rate": "nan"}, "--failure-rate"),
        ({"offline_rate": "-5%"}, "--offline-rate"),
    ],
)
def test_an_error_names_the_option(typed: dict[str, Any], said: str) -> None:
    with pytest.raises(BadValue, match=said):
        BehaviourOptions(**typed).read()
