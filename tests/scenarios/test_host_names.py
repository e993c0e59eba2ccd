"""A hub with three host names, as a user at a terminal meets it.

The local hub refuses services at its name for devices and devices at its name for services: what goes to the wrong one
fails here.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.conftest import ScenarioHub

KINDS = ("device", "service")
ENDED_AT_ONCE = ("--msg-count", "1", "--msg-interval", "1")


@pytest.fixture
def called(hub: ScenarioHub) -> Callable[[str], str]:
    """The hub's name of a kind, with its port."""
    names = {kind: hub.document[f"{kind}HostName"] for kind in KINDS}
    return {**names, "classic": names["device"].replace(".device.", ".")}.__getitem__


def login_of(hub: ScenarioHub, name: str) -> str:
    return str(hub.document["connectionString"]).replace(hub.name, name)


def host_in(string: str) -> str:
    return string.partition(";")[0].removeprefix("HostName=")


def connection_string(hub: ScenarioHub, *words: str) -> str:
    return host_in(hub.az.json("iot hub", *words)["connectionString"])


@pytest.mark.parametrize("kind", ["classic", *KINDS])
def test_service_calls_reach_the_hub_by_every_name_however_it_is_given(
    hub: ScenarioHub, called: Callable[[str], str], kind: str
) -> None:
    name, device = called(kind), f"named-{kind}"
    assert hub.az.json(f"iot hub device-identity create -n {name} -d {device}")["deviceId"] == device
    twins = ("iot", "hub", "query", "-q", f"SELECT deviceId FROM devices WHERE deviceId = '{device}'")
    assert hub.az.json(*twins, "-l", login_of(hub, name)) == [{"deviceId": device}]
    ran = hub.az.run(*twins, environment={"IOTJOBS_CONNECTION_STRING": login_of(hub, name)})
    assert (ran.code, ran.json) == (0, [{"deviceId": device}]), ran.stderr
    ran = hub.az.run(*twins, "-n", name, "--debug")
    sent_to = name if kind == "classic" else called("service")
    assert f"POST https://{sent_to}/devices/query" in ran.stderr


@pytest.mark.parametrize("kind", ["classic", *KINDS])
@pytest.mark.parametrize("way", [(), ("--websocket",), ("--protocol", "http")])
def test_a_simulated_device_connects_to_the_name_for_devices(
    hub: ScenarioHub, called: Callable[[str], str], kind: str, way: tuple[str, ...]
) -> None:
    device = "-".join(("sim", kind, *(each.strip("-") for each in way)))
    hub.new_device(device)
    ran = hub.az.run(f"iot device simulate -d {device}", "-n", called(kind), *ENDED_AT_ONCE, *way)
    assert ran.code == 0 and "1 message" in f"{ran.stderr}{ran.stdout}", ran.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_messages_from_and_to_a_device_go_by_the_name_for_devices(
    hub: ScenarioHub, called: Callable[[str], str], kind: str
) -> None:
    device, name = f"messages-{kind}", called(kind)
    hub.new_device(device)
    assert hub.az.run(f"iot device send-d2c-message -n {name} -d {device} --data x").code == 0
    hub.az.json(f"iot local-hub send -d {device} --data hello", "--https-port", str(hub.document["httpsPort"]))
    assert (
        hub.az.json(f"iot device c2d-message receive -d {device} --complete true", "-l", login_of(hub, name))["data"]
        == "hello"
    )


def test_a_finished_token_for_services_lets_no_device_in_so_its_own_key_does(
    hub: ScenarioHub, called: Callable[[str], str]
) -> None:
    hub.new_device("by-token")
    token = hub.az.json("iot hub generate-sas-token", "-n", called("service"))["sas"]
    login = f"HostName={called('device')};SharedAccessSignature={token}"
    receive = ("iot", "device", "c2d-message", "receive", "-d", "by-token")
    ran = hub.az.run(*receive, "-l", login)
    assert ran.code == 0 and "no message waits" in ran.stderr, ran.stderr


@pytest.mark.parametrize("kind", ["classic", *KINDS])
def test_devices_of_a_file_may_name_any_of_the_hubs_names(
    hub: ScenarioHub, called: Callable[[str], str], tmp_path: Path, kind: str
) -> None:
    device = f"in-file-{kind}"
    hub.new_device(device)
    string = hub.az.json(f"iot hub device-identity connection-string show -n {hub.name} -d {device}")
    other = string["connectionString"].replace("localhost", called(kind).partition(":")[0])
    (tmp_path / "devices").write_text(f"connectionString\n{other}\n")
    ran = hub.az.run(
        "iot device simulate",
        "-n",
        called("service"),
        "--devices-file",
        str(tmp_path / "devices"),
        *ENDED_AT_ONCE,
    )
    assert (ran.code, ran.json["messages"]["acknowledged"]) == (0, 1), ran.stderr


def test_connection_strings_show_the_name_that_is_asked_for(hub: ScenarioHub, called: Callable[[str], str]) -> None:
    hub.new_device("shown")
    hub.az.json(f"iot hub module-identity create -n {hub.name} -d shown -m m")
    of_hub = ("connection-string", "show")
    of_device = ("device-identity", *of_hub, "-d", "shown")
    of_module = ("module-identity", *of_hub, "-d", "shown", "-m", "m")
    split, plain = ("-n", called("service")), ("-n", hub.name)
    assert connection_string(hub, *of_hub, *split) == called("device")
    assert connection_string(hub, *of_hub, *plain) == hub.name
    for kind in KINDS:
        assert connection_string(hub, *of_hub, *plain, "--hostname-type", kind) == called(kind)
    assert connection_string(hub, *of_hub, *split, "--ht", "classic") == called("classic")
    for words in (of_device, of_module):
        assert connection_string(hub, *words, *split) == called("device").partition(":")[0]
        assert connection_string(hub, *words, *plain) == "localhost"
        assert connection_string(hub, *words, *plain, "--ht", "device") == called("device").partition(":")[0]
        refused = hub.az.run("iot hub", *words, *split, "--ht", "service")
        assert (refused.code, refused.stdout) == (1, "") and "--hostname-type service" in refused.stderr


def test_tokens_are_for_the_host_that_is_called(hub: ScenarioHub, called: Callable[[str], str]) -> None:
    hub.new_device("signed")

    def resource(*words: str) -> str:
        token = hub.az.json("iot hub generate-sas-token", *words)["sas"]
        return str(parse_qs(token.removeprefix("SharedAccessSignature "))["sr"][0])

    bare = {kind: called(kind).partition(":")[0] for kind in ("classic", *KINDS)}
    assert resource("-n", called("device")) == bare["service"]
    assert resource("-n", called("device"), "-d", "signed") == f"{bare['device']}/devices/signed"
    assert resource("-n", hub.name) == "localhost"
    for kind, host in bare.items():
        assert resource("-n", called("device"), "--ht", kind) == host
        assert resource("-l", login_of(hub, called(kind))) == host
        assert resource("--cs", f"{login_of(hub, hub.name)}", "--ht", "classic") == "localhost"


def test_a_fleet_job_belongs_to_its_hub_under_every_name(
    hub: ScenarioHub, called: Callable[[str], str], tmp_path: Path
) -> None:
    hub.new_device("tagged")
    state = ("--state-dir", str(tmp_path))

    def fleet_job(verb: str, *words: str) -> Any:
        return hub.az.json("iot hub fleet-job", verb, *words, *state)

    created = fleet_job(
        "create", "-j", "f", "-n", called("device"), "--twin-patch", '{"tags": {"a": 1}}', "-q", "deviceId = 'tagged'"
    )
    assert created["hub"] == hub.name
    for name in (hub.name, *map(called, ("classic", *KINDS))):
        assert [each["id"] for each in fleet_job("list", "-n", name)] == ["f"]
        assert fleet_job("run", "-j", "f", "-n", name, "-y")["status"] == "completed"
    assert fleet_job("run", "-j", "f", "-y")["status"] == "completed"
    fleet_job("group", "create", "--group", "g", "-n", called("service"), "-q", "tags.a = 1")
    assert len(fleet_job("group", "list", "-n", called("device"))) == 1
