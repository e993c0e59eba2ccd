"""What is typed about a fleet: devices out of files with keys in them, ways to sign in, what does not fit together."""

import re
import shlex
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from azure.cli.core.mock import DummyCli

from azext_iotjobs.cli.simulate import select_devices
from azext_iotjobs.cli.simulate.behaviour.options import BehaviourOptions
from azext_iotjobs.cli.simulate.credentials import Ways
from azext_iotjobs.cli.simulate.device_options import OneDevice
from azext_iotjobs.cli.simulate.options import FleetOptions
from azext_iotjobs.cli.simulate.select_devices import Fleet
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.device_credentials import DeviceCertificate, DeviceKey
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, IotJobsError, MissingChoice, NotFound
from azext_iotjobs.model.fleets import DeviceFacts
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from azext_iotjobs.transport.mqtt import MqttProtocol
from tests.helpers.device_certificates import make
from tests.helpers.fleet_registry_double import FleetRegistry
from tests.helpers.surface import our_arguments

TARGET = HubTarget(host="hub.example")
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
STRING = f"HostName=hub.example;DeviceId=pump-1;SharedAccessKey={KEY}"


def one(**typed: Any) -> OneDevice:
    names = ("device", "model", "device_key", "certificate_path", "key_path", "key_passphrase")
    plan = TelemetryPlan(text="t", count=1, interval_s=1)
    given = {**dict.fromkeys(names), **typed}
    return OneDevice(behaving=BehaviourOptions().read(), plan=plan, sends=False, way=MqttProtocol.TLS, **given)


def cmd() -> Any:
    return SimpleNamespace(cli_ctx=DummyCli())


def facts(name: str, sign_in: str = "sas") -> DeviceFacts:
    return DeviceFacts(device_id=name, etag="e", is_connected=False, sign_in=sign_in)


def fleet(*there: DeviceFacts, missing: tuple[str, ...] = (), **own_keys: DeviceKey) -> Fleet:
    return Fleet(there=there, missing=missing, numbers={}, own_keys=own_keys)


def read_file(folder: Path, content: str) -> select_devices.Meant:
    path = folder / "devices"
    path.write_text(content)
    return select_devices.read(cmd(), TARGET, None, FleetOptions(devices_path=str(path)))


@pytest.mark.parametrize(
    ("device", "typed", "said"),
    [
        (None, {}, "No device is named"),
        (None, {"takes_over": True}, "No device is named"),
        ("d", {"id_prefix": "P", "fleet_size": 3}, "--device-id is one device; --prefix"),
        ("d", {"shard": "1/2"}, "--device-id is one device; --shard"),
        (None, {"id_prefix": "P"}, "--prefix needs --count"),
        (None, {"fleet_size": 3}, "--count says how many"),
        (None, {"id_prefix": "P", "fleet_size": 3, "condition": "*"}, "Which are meant"),
        (None, {"condition": "*", "creates": True}, "--create registers"),
        (None, {"id_prefix": "P", "fleet_size": 3, "deletes_after": True}, "--delete-after removes"),
        (None, {"cleans_up": "", "condition": "*"}, "--query-condition does not go with it"),
        (None, {"condition": "*", "ca_key_path": "k"}, "--issue-from-ca, which is missing"),
    ],
)
def test_what_does_not_fit_together_is_said(device: str | None, typed: dict[str, Any], said: str) -> None:
    with pytest.raises(IotJobsError, match=said):
        FleetOptions(**typed).check(device)


@pytest.mark.parametrize(
    ("ramp", "per_s"),
    [(None, 200), ("50", 50), ("50/s", 50), (" 0.5 / s ", 0.5), ("600/m", 10), ("7200/h", 2), ("10000", 10_000)],
)
def test_a_ramp_is_read(ramp: str | None, per_s: float) -> None:
    assert FleetOptions(ramp=ramp).ramp_per_s == per_s


@pytest.mark.parametrize("ramp", ["0", "0/s", "-1", "fast", "10001", "5/d", "", "1e3"])
def test_a_ramp_that_is_none_is_said_with_what_is_allowed(ramp: str) -> None:
    with pytest.raises(IotJobsError, match="200/s or 600/m"):
        _ = FleetOptions(ramp=ramp).ramp_per_s


@pytest.mark.parametrize("typed", [{"only_plans": True}, {"takes_over": True}, {"devices_at_most": 1}])
def test_what_is_about_one_device_too_goes_with_it(typed: dict[str, Any]) -> None:
    FleetOptions(**typed).check("d")
    assert not FleetOptions().is_typed


@pytest.mark.parametrize(
    "content",
    [
        f"{STRING}\npump-2\n",
        f"deviceId,connectionString\npump-1,{STRING}\npump-2,\n",
        f"connectionString,deviceId\n{STRING},\n,pump-2\n",
        f'["{STRING}", "pump-2"]',
        f'{{"connectionString": "{STRING}"}}\n{{"deviceId": "pump-2"}}',
    ],
)
def test_a_file_holds_ids_and_connection_strings(tmp_path: Path, content: str) -> None:
    meant = read_file(tmp_path, content)
    assert meant.selection.device_ids == ("pump-1", "pump-2")
    assert meant.own_keys == {"pump-1": DeviceKey(device_id="pump-1", key=KEY)}
    assert KEY not in repr(meant)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (STRING.replace("hub.example", "other.example"), "hub 'other.example', not hub.example"),
        (f"pump-2\n{STRING.replace('DeviceId', 'DeviseId')}", "line 2"),
        (f"HostName=hub.example;SharedAccessKeyName=iothubowner;SharedAccessKey={KEY}", "not a device's"),
        (f"{STRING};ModuleId=m", "not a device's"),
        (f"deviceId,connectionString\npump-9,{STRING}", "pump-9"),
        (f'[{{"text": "{STRING}"}}]', "neither an id"),
        (f"HostName=h;DeviceId=d;SharedAccessKey={KEY}=", "not base64"),
        (f"SharedAccessKey={KEY}", "HostName"),
        ("{broken", "JSON"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_without_its_keys(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(IotJobsError, match=said) as raised:
        read_file(tmp_path, content)
    assert KEY[:8] not in f"{raised.value} {raised.value.hint}"


def test_a_connection_string_in_place_of_ids_is_not_shown() -> None:
    with pytest.raises(IotJobsError, match="this is a connection string") as raised:
        select_devices.read(cmd(), TARGET, None, FleetOptions(named_devices=STRING))
    assert KEY[:8] not in str(raised.value)


def test_devices_that_are_missing_are_named_and_made_only_on_request() -> None:
    client = HubClient(TARGET, FleetRegistry("P1"))
    meant = select_devices.read(cmd(), TARGET, None, FleetOptions(id_prefix="P", fleet_size=3))
    with pytest.raises(NotFound, match=r"2 devices \(P2, P3\)"):
        select_devices.find(client, meant, FleetOptions(), is_single=False)
    with pytest.raises(ConflictingChoice, match=r"1 device \(P1\) is not marked"):
        select_devices.find(client, meant, FleetOptions(creates=True), is_single=False)
    found = select_devices.find(client, meant, FleetOptions(creates=True, takes_over=True), is_single=False)
    assert found.missing == ("P2", "P3")


def test_a_plan_says_what_is_in_the_way_and_how_long_it_takes() -> None:
    client = HubClient(TARGET, FleetRegistry("P1"))
    options = FleetOptions(id_prefix="P", fleet_size=3, creates=True, only_plans=True)
    meant = select_devices.read(cmd(), TARGET, None, options)
    found = select_devices.find(client, meant, options, is_single=False)
    plan = select_devices.show_plan(client, found, options, is_single=False)
    assert (plan["deviceCount"], plan["notRegistered"]) == (3, ["P2", "P3"])
    assert "P1" in plan["inTheWay"][0]
    assert "100 a minute" in plan["registryTime"]


def test_a_plan_and_a_warning_say_which_ids_mqtt_cannot_carry(caplog: pytest.LogCaptureFixture) -> None:
    client = HubClient(TARGET, FleetRegistry("a+1", "b"))
    options = FleetOptions(named_devices="a+1,b", only_plans=True, takes_over=True)
    meant = select_devices.read(cmd(), TARGET, None, options)
    found = select_devices.find(client, meant, options, is_single=False)
    plan = select_devices.show_plan(client, found, options, is_single=False)
    assert (plan["notOverMqttCount"], plan["notOverMqtt"]) == (1, ["a+1"])
    select_devices.check_topics(found)
    assert "1 device (a+1)" in caplog.text and "the other 1" in caplog.text.lower()
    assert "--protocol http" in caplog.text


@pytest.mark.parametrize("creates", [True, False])
def test_nothing_is_made_or_connected_where_mqtt_carries_no_id(creates: bool) -> None:
    with pytest.raises(BadValue, match=r"a\+1") as raised:
        select_devices.check_topics(fleet(missing=("a+1", "a+2")) if creates else fleet(facts("a+1")))
    assert "--protocol http" in str(raised.value.hint)


def credentials(policy: SasKey | None, meant: Fleet, registry: FleetRegistry, **typed: Any) -> dict[str, Any]:
    client = HubClient(TARGET, registry, policy_key=policy)
    ways = Ways.read(one(**typed), FleetOptions())
    return ways.credentials(client, meant, Path(), MqttProtocol.TLS, threading.Event())


@pytest.mark.parametrize("policy", ["iothubowner", "device"])
def test_a_policy_that_may_connect_devices_signs_them_in_without_asking_for_a_key(policy: str) -> None:
    registry = FleetRegistry("a", "b")
    own = DeviceKey(device_id="b", key=KEY)
    found = credentials(SasKey(policy=policy, key=KEY), fleet(facts("a"), facts("b"), b=own), registry)
    assert found == {"a": DeviceKey(device_id="a", key=KEY, policy=policy), "b": own}
    assert registry.requests == []


@pytest.mark.parametrize("policy", [SasKey(policy="registryReadWrite", key=KEY), None])
def test_another_login_asks_for_each_key_that_it_does_not_know(
    policy: SasKey | None, caplog: pytest.LogCaptureFixture
) -> None:
    registry = FleetRegistry("a", "b", "c")
    registry.keys = {"a": "AAAA"}
    client = HubClient(TARGET, registry, policy_key=policy)
    ways = Ways.read(one(), FleetOptions())
    made = ways.new_device("b", "run")
    own = DeviceKey(device_id="c", key=KEY)
    there = fleet(facts("a"), facts("b"), facts("c"), c=own)
    found = ways.credentials(client, there, Path(), MqttProtocol.TLS, threading.Event())
    assert {name: each.key for name, each in found.items()} == {"a": "AAAA", "b": made.primary_key, "c": KEY}
    assert [each.path for each in registry.requests] == ["/devices/a"]
    assert "1 devices' keys" in caplog.text and "100 a minute" in caplog.text


def test_certificates_out_of_a_folder_are_those_of_devices_that_sign_in_so(tmp_path: Path) -> None:
    own = make("pump*1")
    (tmp_path / "pump_1-cert.pem").write_text(own.pem)
    (tmp_path / "pump_1-key.pem").write_bytes(own.key_pem())
    (tmp_path / "b.pem").write_bytes(own.key_pem() + own.pem.encode())
    ways = Ways.read(one(certificate_path=str(tmp_path)), FleetOptions())
    there = fleet(facts("pump*1", "selfSigned"), facts("b", "selfSigned"), facts("k"))
    ways.check(there)
    client = HubClient(TARGET, FleetRegistry(), policy_key=SasKey(policy="device", key=KEY))
    found = ways.credentials(client, there, tmp_path, MqttProtocol.TLS, threading.Event())
    assert isinstance(found["k"], DeviceKey)
    assert found["pump*1"] == DeviceCertificate(
        certificate_file=str(tmp_path / "pump_1-cert.pem"), key_file=str(tmp_path / "pump_1-key.pem")
    )
    assert isinstance(found["b"], DeviceCertificate) and found["b"].key_file.endswith("b.pem")
    assert ways.new_device("pump*1", "run").thumbprint == own.thumbprint().upper()
    with pytest.raises(IotJobsError, match=r"no certificate of 1 device \(c\)"):
        ways.check(fleet(facts("c", "selfSigned")))


def test_ways_to_sign_in_that_cannot_work_are_said_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(MissingChoice, match=r"1 device \(x\): registered to sign in by certificate"):
        Ways.read(one(), FleetOptions()).check(fleet(facts("x", "certificateAuthority"), facts("k")))
    with pytest.raises(ConflictingChoice, match="sign in by key"):
        Ways.read(one(certificate_path=str(tmp_path)), FleetOptions()).check(fleet(facts("k")))
    with pytest.raises(ConflictingChoice, match="one device's key"):
        Ways.read(one(device_key=KEY), FleetOptions(condition="*"))
    with pytest.raises(IotJobsError, match="is no folder"):
        Ways.read(one(certificate_path=str(tmp_path / "nothing")), FleetOptions(condition="*"))
    ca, other = make("ca"), make("other")
    (tmp_path / "ca.pem").write_text(ca.pem)
    (tmp_path / "other.key").write_bytes(other.key_pem())
    (tmp_path / "locked.key").write_bytes(ca.key_pem("secret"))
    for key, said in (("other.key", "not the key of"), ("locked.key", "--passphrase is missing"), (None, "--ca-key")):
        options = FleetOptions(ca_path=str(tmp_path / "ca.pem"), ca_key_path=key and str(tmp_path / key))
        with pytest.raises(IotJobsError) as raised:
            Ways.read(one(), options)
        assert said in f"{raised.value} {raised.value.hint}"


def test_the_recipe_for_kubernetes_is_yaml_with_options_that_there_are() -> None:
    page = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")
    [recipe] = re.findall(r"```yml\n(.*?)```", page, re.DOTALL)
    spec = yaml.safe_load(recipe)["spec"]
    [container] = spec["template"]["spec"]["containers"]
    shell, line = container["command"], container["args"][0]
    typed = [word for word in shlex.split(line) if word.startswith("--")]
    known = {option for each in our_arguments()["iot device simulate"].values() for option in each["options"]}
    assert set(typed) <= known and typed
    done = subprocess.run(
        [*shell, line.replace("exec az", "echo")], env={"JOB_COMPLETION_INDEX": "4"}, capture_output=True
    )
    assert b"--shard 5/5" in done.stdout
    assert spec["completions"] == 5
