"""Options about many devices: files with ids and keys, credentials, options that do not fit together."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.cli.core.mock import DummyCli

from azext_iotjobs.cli.hub_access.device_key import SignInOptions
from azext_iotjobs.cli.simulate import select_devices
from azext_iotjobs.cli.simulate.credentials import CredentialPlan
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.cli.simulate.select_devices import SimulatedDevices
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.device_credentials import DeviceCertificate, DeviceKey
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, IotJobsError, MissingChoice, NotFound
from azext_iotjobs.model.simulated_devices import DeviceFacts
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.transport.mqtt import MqttProtocol
from tests.helpers.device_certificates import make
from tests.helpers.device_registry_double import DeviceRegistryDouble

TARGET = HubTarget(host="hub.example")
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
STRING = f"HostName=hub.example;DeviceId=pump-1;SharedAccessKey={KEY}"


def read_plan(options: SimulateOptions | None = None, **typed: Any) -> CredentialPlan:
    return CredentialPlan.read(None, SignInOptions(**typed), options or SimulateOptions())


def cmd() -> Any:
    return SimpleNamespace(cli_ctx=DummyCli())


def facts(name: str, sign_in: str = "sas") -> DeviceFacts:
    return DeviceFacts(device_id=name, etag="e", is_connected=False, sign_in=sign_in)


def devices(*existing: DeviceFacts, missing: tuple[str, ...] = (), **own_keys: DeviceKey) -> SimulatedDevices:
    return SimulatedDevices(existing=existing, missing=missing, numbers={}, own_keys=own_keys)


def read_file(folder: Path, content: str) -> select_devices.DeviceSelectionSpec:
    path = folder / "devices"
    path.write_text(content)
    return select_devices.read(cmd(), TARGET, None, SimulateOptions(devices_file=str(path)))


@pytest.mark.parametrize(
    ("device", "typed", "said"),
    [
        (None, {}, "No device is named"),
        (None, {"take_over": True}, "No device is named"),
        ("d", {"prefix": "P", "count": 3}, "--device-id names one device; --prefix"),
        ("d", {"shard": "1/2"}, "--device-id names one device; --shard"),
        (None, {"prefix": "P"}, "--prefix needs --count"),
        (None, {"count": 3}, "--count is the number of devices"),
        (None, {"prefix": "P", "count": 3, "our_query_condition": "*"}, "Which are meant"),
        (None, {"our_query_condition": "*", "create": True}, "--create registers"),
        (None, {"prefix": "P", "count": 3, "delete_after": True}, "--delete-after removes"),
        (None, {"clean_up": "", "our_query_condition": "*"}, "--query-condition cannot be used with it"),
        (None, {"our_query_condition": "*", "ca_key": "k"}, "--issue-from-ca: give --issue-from-ca too"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(device: str | None, typed: dict[str, Any], said: str) -> None:
    with pytest.raises(IotJobsError, match=said):
        SimulateOptions(**typed).check(device)


def test_tags_of_devices_that_are_created_are_read_before_any_request() -> None:
    def options(*tags: str) -> SimulateOptions:
        return SimulateOptions(prefix="p-", count=2, create=True, our_tags=list(tags))

    assert options("site=north", "ring=2").extra_tags == {"site": "north", "ring": 2}
    assert options('{"site": {"floor": 1}}').extra_tags == {"site": {"floor": 1}}
    assert SimulateOptions().extra_tags == {}
    for wrong, why in (("simulated=false", "set by --create itself"), ('{"a": null}', "is null"), ("[1]", "--tags")):
        with pytest.raises(BadValue, match=why):
            options(wrong).check(None)
    with pytest.raises(ConflictingChoice, match="--create"):
        SimulateOptions(prefix="p-", count=2, our_tags=["a=1"]).check(None)


@pytest.mark.parametrize(
    ("ramp", "per_s"),
    [(None, 200), ("50", 50), ("50/s", 50), (" 0.5 / s ", 0.5), ("600/m", 10), ("7200/h", 2), ("10000", 10_000)],
)
def test_a_ramp_is_read(ramp: str | None, per_s: float) -> None:
    assert SimulateOptions(ramp=ramp).ramp_per_s == per_s


@pytest.mark.parametrize("ramp", ["0", "0/s", "-1", "fast", "10001", "5/d", "", "1e3"])
def test_a_wrong_ramp_is_refused_with_what_is_allowed(ramp: str) -> None:
    with pytest.raises(IotJobsError, match="200/s or 600/m"):
        _ = SimulateOptions(ramp=ramp).ramp_per_s


@pytest.mark.parametrize("typed", [{"dry_run": True}, {"take_over": True}, {"max_devices": 1}])
def test_options_about_one_device_too_go_with_it(typed: dict[str, Any]) -> None:
    SimulateOptions(**typed).check("d")
    assert not SimulateOptions().is_typed


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
    spec = read_file(tmp_path, content)
    assert spec.selection.device_ids == ("pump-1", "pump-2")
    assert spec.own_keys == {"pump-1": DeviceKey(device_id="pump-1", key=KEY)}
    assert KEY not in repr(spec)


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
def test_an_error_in_a_file_shows_no_keys(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(IotJobsError, match=said) as raised:
        read_file(tmp_path, content)
    assert KEY[:8] not in f"{raised.value} {raised.value.hint}"


def test_a_connection_string_in_place_of_ids_is_not_shown() -> None:
    with pytest.raises(IotJobsError, match="this is a connection string") as raised:
        select_devices.read(cmd(), TARGET, None, SimulateOptions(our_device_ids=STRING))
    assert KEY[:8] not in str(raised.value)


def test_missing_devices_are_named_and_created_only_on_request() -> None:
    client = HubClient(TARGET, DeviceRegistryDouble("P1"))
    spec = select_devices.read(cmd(), TARGET, None, SimulateOptions(prefix="P", count=3))
    with pytest.raises(NotFound, match=r"2 devices \(P2, P3\)"):
        select_devices.find(client, spec, SimulateOptions(), is_single=False)
    with pytest.raises(ConflictingChoice, match=r"1 device \(P1\) is not marked"):
        select_devices.find(client, spec, SimulateOptions(create=True), is_single=False)
    found = select_devices.find(client, spec, SimulateOptions(create=True, take_over=True), is_single=False)
    assert found.missing == ("P2", "P3")


def test_a_dry_run_shows_what_prevents_it_and_how_long_it_takes() -> None:
    client = HubClient(TARGET, DeviceRegistryDouble("P1"))
    options = SimulateOptions(prefix="P", count=3, create=True, dry_run=True)
    spec = select_devices.read(cmd(), TARGET, None, options)
    found = select_devices.find(client, spec, options, is_single=False)
    shown = select_devices.dry_run_document(client, found, options, is_single=False)
    assert (shown["deviceCount"], shown["notRegistered"]) == (3, ["P2", "P3"])
    assert "P1" in shown["inTheWay"][0]
    assert "100 a minute" in shown["registryTime"]


def test_a_dry_run_and_a_warning_name_ids_that_mqtt_cannot_carry(caplog: pytest.LogCaptureFixture) -> None:
    client = HubClient(TARGET, DeviceRegistryDouble("a+1", "b"))
    options = SimulateOptions(our_device_ids="a+1,b", dry_run=True, take_over=True)
    spec = select_devices.read(cmd(), TARGET, None, options)
    found = select_devices.find(client, spec, options, is_single=False)
    shown = select_devices.dry_run_document(client, found, options, is_single=False)
    assert (shown["notOverMqttCount"], shown["notOverMqtt"]) == (1, ["a+1"])
    select_devices.check_topics(found)
    assert "1 device (a+1)" in caplog.text and "1 other device is simulated" in caplog.text
    assert "--protocol http" in caplog.text


@pytest.mark.parametrize("creates", [True, False])
def test_nothing_is_created_or_connected_if_mqtt_can_carry_no_id(creates: bool) -> None:
    with pytest.raises(BadValue, match=r"a\+1") as raised:
        select_devices.check_topics(devices(missing=("a+1", "a+2")) if creates else devices(facts("a+1")))
    assert "--protocol http" in str(raised.value.hint)


def credentials(
    policy: SasKey | None, spec: SimulatedDevices, registry: DeviceRegistryDouble, **typed: Any
) -> dict[str, Any]:
    client = HubClient(TARGET, registry, policy_key=policy)
    plan = read_plan(**typed)
    return plan.credentials(client, spec, Path(), MqttProtocol.TLS, threading.Event())


@pytest.mark.parametrize("policy", ["iothubowner", "device"])
def test_a_policy_that_may_connect_devices_signs_them_in_without_reading_keys(policy: str) -> None:
    registry = DeviceRegistryDouble("a", "b")
    own = DeviceKey(device_id="b", key=KEY)
    found = credentials(SasKey(policy=policy, key=KEY), devices(facts("a"), facts("b"), b=own), registry)
    assert found == {"a": DeviceKey(device_id="a", key=KEY, policy=policy), "b": own}
    assert registry.requests == []


@pytest.mark.parametrize("policy", [SasKey(policy="registryReadWrite", key=KEY), None])
def test_another_login_reads_each_key_that_is_not_known(
    policy: SasKey | None, caplog: pytest.LogCaptureFixture
) -> None:
    registry = DeviceRegistryDouble("a", "b", "c")
    registry.keys = {"a": "AAAA"}
    client = HubClient(TARGET, registry, policy_key=policy)
    plan = read_plan()
    created = plan.new_device("b", "run")
    own = DeviceKey(device_id="c", key=KEY)
    existing = devices(facts("a"), facts("b"), facts("c"), c=own)
    found = plan.credentials(client, existing, Path(), MqttProtocol.TLS, threading.Event())
    assert {name: each.key for name, each in found.items() if isinstance(each, DeviceKey)} == {
        "a": "AAAA",
        "b": created.identity.primary_key,
        "c": KEY,
    }
    assert [each.path for each in registry.requests] == ["/devices/a"]
    assert "Reading the keys of 1 device," in caplog.text and "100 a minute" in caplog.text


def test_certificates_in_a_folder_are_for_devices_that_sign_in_by_certificate(tmp_path: Path) -> None:
    own = make("pump*1")
    (tmp_path / "pump_1-cert.pem").write_text(own.pem)
    (tmp_path / "pump_1-key.pem").write_bytes(own.key_pem())
    (tmp_path / "b.pem").write_bytes(own.key_pem() + own.pem.encode())
    plan = read_plan(certificate_file_path=str(tmp_path))
    existing = devices(facts("pump*1", "selfSigned"), facts("b", "selfSigned"), facts("k"))
    plan.check(existing)
    client = HubClient(TARGET, DeviceRegistryDouble(), policy_key=SasKey(policy="device", key=KEY))
    found = plan.credentials(client, existing, tmp_path, MqttProtocol.TLS, threading.Event())
    assert isinstance(found["k"], DeviceKey)
    assert found["pump*1"] == DeviceCertificate(
        certificate_file=str(tmp_path / "pump_1-cert.pem"), key_file=str(tmp_path / "pump_1-key.pem")
    )
    assert isinstance(found["b"], DeviceCertificate) and found["b"].key_file.endswith("b.pem")
    assert plan.new_device("pump*1", "run").identity.primary_thumbprint == own.thumbprint().upper()
    with pytest.raises(IotJobsError, match=r"no certificate of 1 device \(c\)"):
        plan.check(devices(facts("c", "selfSigned")))


def test_credentials_that_cannot_work_are_refused_before_anything_is_created(tmp_path: Path) -> None:
    with pytest.raises(MissingChoice, match=r"1 device \(x\): registered to sign in by certificate"):
        read_plan().check(devices(facts("x", "certificateAuthority"), facts("k")))
    with pytest.raises(ConflictingChoice, match="sign in by key"):
        read_plan(certificate_file_path=str(tmp_path)).check(devices(facts("k")))
    with pytest.raises(ConflictingChoice, match="one device's key"):
        read_plan(SimulateOptions(our_query_condition="*"), symmetric_key=KEY)
    with pytest.raises(IotJobsError, match="is not a folder"):
        read_plan(SimulateOptions(our_query_condition="*"), certificate_file_path=str(tmp_path / "nothing"))
    ca, other = make("ca"), make("other")
    (tmp_path / "ca.pem").write_text(ca.pem)
    (tmp_path / "other.key").write_bytes(other.key_pem())
    (tmp_path / "locked.key").write_bytes(ca.key_pem("secret"))
    for key, said in (("other.key", "not the key of"), ("locked.key", "--passphrase is missing"), (None, "--ca-key")):
        options = SimulateOptions(issue_from_ca=str(tmp_path / "ca.pem"), ca_key=key and str(tmp_path / key))
        with pytest.raises(IotJobsError) as raised:
            read_plan(options)
        assert said in f"{raised.value} {raised.value.hint}"
