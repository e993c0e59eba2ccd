"""A hub of one's own: what `LocalHub` promises to who writes tests with it."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from azext_iotjobs.localhub.testing.fixtures import local_hub, local_hub_session
from azext_iotjobs.localhub.testing.process import LocalHub, LocalHubFailed, LocalHubRefused
from tests.helpers.waiting import wait_until

__all__ = ["local_hub", "local_hub_session"]  # fixtures


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_the_fixture_gives_a_hub_that_answers(local_hub: LocalHub) -> None:
    identity = local_hub.create_device("pump#1", status="disabled")
    assert (identity["deviceId"], identity["status"]) == ("pump#1", "disabled")
    assert local_hub.request("GET", "/devices?top=5") == [identity]
    twin = local_hub.request("PATCH", "/twins/pump%231", {"tags": {"site": "é"}}, headers={"If-Match": "*"})
    assert twin["tags"] == {"site": "é"}
    assert local_hub.request("DELETE", "/devices/pump%231", headers={"If-Match": "*"}) is None


def test_its_names_are_those_of_connection_strings(local_hub: LocalHub) -> None:
    key = local_hub.create_device("d1")["authentication"]["symmetricKey"]["primaryKey"]
    assert local_hub.host_name == f"localhost:{local_hub.https_port}"
    assert local_hub.connection_string.startswith(f"HostName={local_hub.host_name};SharedAccessKeyName=iothubowner;")
    assert local_hub.device_connection_string("d1") == f"HostName=localhost;DeviceId=d1;SharedAccessKey={key}"
    assert listens(local_hub.https_port) and listens(local_hub.mqtt_port)
    ca, bundle = Path(local_hub.ca_certificate_path).read_text(), Path(local_hub.ca_bundle_path).read_text()
    assert ca in bundle and len(bundle) > len(ca)


def test_it_may_have_a_tier() -> None:
    with LocalHub(sku="S2", units=3) as hub:
        assert (hub.info["sku"], hub.info["units"]) == ("S2", 3)
        quotas = {each["name"]: each["burst"] for each in hub.request("GET", "/_local/quotas")["throttles"]}
        assert quotas["telemetry sends"] == 360


def test_a_hub_of_a_test_has_nothing_of_the_hub_of_the_run(local_hub: LocalHub, local_hub_session: LocalHub) -> None:
    local_hub.create_device("only-here")
    with pytest.raises(LocalHubRefused) as refusal:
        local_hub_session.request("GET", "/devices/only-here")
    assert (refusal.value.status, refusal.value.error_code) == (404, "DeviceNotFound")
    assert "only-here" in str(refusal.value)
    assert local_hub.environment()["AZURE_CONFIG_DIR"] != local_hub_session.environment()["AZURE_CONFIG_DIR"]


def test_nothing_is_left_when_it_is_closed() -> None:
    with LocalHub() as hub:
        ports, folder = (hub.https_port, hub.mqtt_port, hub.amqp_port), Path(hub.info["dataDirectory"])
        assert folder.is_dir() and folder.stat().st_mode & 0o077 == 0
    assert hub.process.returncode == 0
    assert not any(map(listens, ports))
    assert not folder.parent.exists()


def test_event_hubs_clients_get_connection_strings_of_their_own() -> None:
    with LocalHub(amqp_plain=True) as hub:
        policies = json.loads((Path(hub.info["dataDirectory"]) / "policies.json").read_bytes())
        key = f";SharedAccessKeyName=service;SharedAccessKey={policies['service']};"
        assert hub.event_hubs_connection_string == f"Endpoint=sb://localhost:{hub.amqp_port}/{key}EntityPath=local-hub"
        assert hub.event_hubs_emulator_connection_string == (
            f"Endpoint=sb://localhost:{hub.amqp_plain_port}{key}UseDevelopmentEmulator=true;EntityPath=local-hub"
        )
    with LocalHub() as hub:
        assert hub.info["amqpPlainPort"] is hub.info["eventHubsEmulatorConnectionString"] is None


def test_a_hub_says_who_may_read_its_events_and_how_long_they_are_kept(tmp_path: Path) -> None:
    options = ("--consumer-groups", "alerts", "reports", "--keep-events", "3")
    with LocalHub(*options, data_dir=tmp_path) as hub:
        assert hub.info["consumerGroups"] == ["$Default", "alerts", "reports"]
        assert hub.info["keepEventsDays"] == 3


def test_a_proxy_in_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "example.com")
    monkeypatch.setenv("no_proxy", "example.org")  # it counts before the other where both are set
    with LocalHub() as hub:
        assert hub.request("GET", "/devices") == []
        found = hub.environment()
        assert found["NO_PROXY"] == found["no_proxy"] == "example.com,example.org,localhost,127.0.0.1"


def test_after_a_kill_it_comes_back_on_its_ports_with_what_it_kept(tmp_path: Path) -> None:
    with LocalHub(data_dir=tmp_path / "kept", amqp_plain=True) as hub:
        identity, ports = hub.create_device("d1"), (hub.https_port, hub.mqtt_port, hub.amqp_port, hub.amqp_plain_port)
        hub.kill()
        with pytest.raises(LocalHubFailed, match=r"GET /devices/d1: no answer"):
            hub.request("GET", "/devices/d1")
        hub.start()
        assert (hub.https_port, hub.mqtt_port, hub.amqp_port, hub.amqp_plain_port) == ports
        assert hub.request("GET", "/devices/d1") == identity
    assert (tmp_path / "kept" / "hub.db").is_file()


def test_a_hub_that_does_not_start_says_why_in_its_own_words() -> None:
    with pytest.raises(
        LocalHubFailed, match="--bind 192.168.1.1: others than this machine would reach the hub"
    ) as failure:
        LocalHub("--bind", "192.168.1.1").__enter__()
    assert failure.value.exit_code == 2
    with LocalHub() as hub, pytest.raises(LocalHubFailed, match=f"Port {hub.mqtt_port} on 127.0.0.1 is taken"):
        LocalHub("--mqtt-port", str(hub.mqtt_port)).start()


def test_an_internal_error_of_the_hub_comes_with_what_it_logged(tmp_path: Path) -> None:
    with LocalHub(data_dir=tmp_path) as hub:
        hub.create_device("spoilt")
        with sqlite3.connect(tmp_path / "hub.db") as database:
            database.execute("UPDATE twins SET tags = 'no JSON'")
        database.close()
        with pytest.raises(LocalHubRefused, match="The hub wrote:") as refusal:
            hub.request("GET", "/twins/spoilt")
        assert refusal.value.status == 500
        assert "device 'spoilt'" in hub.errors and "no JSON" in hub.errors and "Traceback" not in hub.errors


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_it_ends_when_its_owner_is_killed() -> None:
    program = (
        "import signal; from azext_iotjobs.localhub.testing.process import LocalHub;"
        "hub = LocalHub(); hub.start(); print(hub.process.pid, hub.https_port, flush=True); signal.pause()"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        pid, port = map(int, owner.stdout.readline().split())
    assert listens(port)
    owner.send_signal(signal.SIGKILL)
    owner.wait(30)
    wait_until("the hub has ended", lambda: not listens(port))
    wait_until("its process is gone", lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that ended is there until its new parent, whoever that is here, takes notice.
    state = Path(f"/proc/{pid}/stat")
    return not (state.is_file() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def test_the_earlier_name_of_the_module_gives_the_same() -> None:
    from azext_iotjobs.localhub import isolated, testing

    assert isolated.LocalHub is testing.LocalHub and isolated.LocalHubFailed is testing.LocalHubFailed
