"""The hub as a process: how it starts, says so, and ends."""

import json
import socket
import sys
from pathlib import Path

import pytest

from azext_iotjobs.localhub.testing.process import LocalHubFailed
from tests.helpers.hub_process import HubProcess, sas
from tests.helpers.mqtt_device import MqttDevice


def refused(data_dir: Path, *options: str) -> tuple[int | None, str]:
    """The exit code and the words of a hub that must not start."""
    with pytest.raises(LocalHubFailed) as refusal:
        HubProcess(data_dir, *options)
    return refusal.value.exit_code, refusal.value.errors


def test_it_says_what_it_is_when_it_is_ready_and_takes_that_back_at_its_end(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "data", "--state-dir", str(tmp_path / "hubs")) as hub:
        state_file = tmp_path / "hubs" / f"127.0.0.1_{hub.info['httpsPort']}.json"
        assert json.loads(state_file.read_text()) == hub.info
        assert state_file.stat().st_mode & 0o777 == 0o600
        assert state_file.parent.stat().st_mode & 0o777 == 0o700
        assert hub.info["hostName"] == f"localhost:{hub.info['httpsPort']}"
        assert hub.info["connectionString"].startswith(
            f"HostName={hub.info['hostName']};SharedAccessKeyName=iothubowner;SharedAccessKey="
        )
        assert (hub.info["pid"], hub.info["inMemory"]) == (hub.process.pid, False)
        assert hub.stop() == 0
        assert list(state_file.parent.iterdir()) == []


def test_the_ready_file_is_there_while_clients_are_served_and_never_one_of_an_earlier_hub(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    with HubProcess(tmp_path / "data", "--ready-file", str(ready)) as hub:
        assert json.loads(ready.read_text()) == hub.info
        assert refused(tmp_path / "other", "--ready-file", str(ready))[0] == 2
        assert refused(tmp_path / "data", "--ready-file", str(tmp_path / "other.json"))[0] == 12
        assert json.loads(ready.read_text()) == hub.info, "another's start changes nothing"
        hub.kill()
    assert ready.exists()
    assert refused(tmp_path / "data", "--ready-file", str(ready), "--upload-folder", __file__)[0] == 12
    assert not ready.exists(), "what a killed hub has left"
    with HubProcess(tmp_path / "data", "--ready-file", str(ready)) as again:
        assert json.loads(ready.read_text()) == again.info
        assert again.stop() == 0
        assert not ready.exists()


def test_a_hub_that_others_reach_by_a_name_says_so_once_and_is_localhost_here_as_ever(tmp_path: Path) -> None:
    words = ("--bind", "0.0.0.0", "--dns-name", "iothub", "--state-dir", str(tmp_path / "hubs"))
    with HubProcess(tmp_path / "data", *words) as hub:
        (line,) = hub.errors.splitlines()
        assert "every address of this machine" in line and "its keys" in line and str(hub.mqtt_port) in line
        (state_file,) = (tmp_path / "hubs").iterdir()
        assert json.loads(state_file.read_text()) == hub.info
        assert hub.info["hostName"] == f"localhost:{hub.https_port}"
        (known_as,) = hub.info["dnsNames"]
        assert known_as["connectionString"] == hub.info["connectionString"].replace(
            "HostName=localhost", "HostName=iothub"
        )
        assert known_as["hostName"] == f"iothub:{hub.https_port}"
        assert known_as["eventHubsConnectionString"].startswith(f"Endpoint=sb://iothub:{hub.amqp_port}/;")
        key = hub.new_device("d1")["authentication"]["symmetricKey"]["primaryKey"]
        device = MqttDevice(hub, "d1", key, host="iothub")
        assert device.connect() == 0
        device.close()
        token, there = sas(hub.key(), "iothub", policy="iothubowner"), {"Host": f"iothub:{hub.https_port}"}
        assert hub.ok("GET", "/devices/d1", token=token, headers=there)["deviceId"] == "d1"
        own = sas(key, "iothub/devices/d1")
        place = hub.ok("POST", "/devices/d1/files", {"blobName": "a"}, token=own, headers=there)
        assert place["hostName"] == f"iothub:{hub.https_port}", "as the device knows it"


def test_it_ends_cleanly_by_a_request_over_https(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "data") as hub:
        assert hub.request("POST", "/_local/stop").status_code == 204
        assert hub.process.wait(60) == 0


def test_no_secret_is_readable_by_others_and_none_is_logged(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "data", "--verbose") as hub:
        device = hub.new_device("dev")
        assert hub.request("GET", "/devices/dev", token="SharedAccessSignature sr=x&sig=c2VjcmV0&se=1").ok is False
        private = ("ca-key.pem", "server-key.pem", "policies.json", "hub.db", "hub.db-wal")
        assert {(tmp_path / "data" / name).stat().st_mode & 0o777 for name in private} == {0o600}
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
        secrets = [hub.key(), device["authentication"]["symmetricKey"]["primaryKey"], "c2VjcmV0"]
        assert hub.stop() == 0
        assert not any(secret in hub.errors for secret in secrets)


def test_devices_twins_and_jobs_are_there_after_a_crash(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "data") as hub:
        device = hub.new_device("dev")
        twin = hub.ok("PATCH", "/twins/dev", json={"tags": {"a": 1}})
        key = hub.key()
        hub.kill()
    with HubProcess(tmp_path / "data") as again:
        assert again.ok("GET", "/devices/dev")["authentication"] == device["authentication"]
        assert again.ok("GET", "/twins/dev")["etag"] == twin["etag"]
        assert again.key() == key


def test_in_memory_keeps_keys_and_certificates_only(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "data", "--in-memory") as hub:
        hub.new_device("dev")
        key, ca = hub.key(), Path(hub.ca).read_bytes()
        hub.stop()
    with HubProcess(tmp_path / "data", "--in-memory") as again:
        assert again.request("GET", "/devices/dev").status_code == 404
        assert (again.key(), Path(again.ca).read_bytes()) == (key, ca)


@pytest.mark.parametrize("option", ["--https-port", "--mqtt-port", "--amqp-port", "--amqp-plain-port"])
def test_a_taken_port_is_said_with_its_option(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, errors = refused(tmp_path, option, port)
    assert code == 10
    assert port in errors and option in errors and len(errors.splitlines()) == 1


def test_a_data_folder_serves_one_hub_and_the_first_is_not_disturbed(tmp_path: Path) -> None:
    with HubProcess(tmp_path) as first:
        code, errors = refused(tmp_path)
        assert code == 12
        assert "--data-dir" in errors
        assert first.ok("GET", "/_local/state")["pid"] == first.process.pid


@pytest.mark.skipif(sys.platform == "win32", reason="a file in a folder's place is another error there")
def test_a_data_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, errors = refused(tmp_path / "file")
    assert code == 12
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    "words",
    [
        ("--bind", "0.0.0.0"),
        ("--bind", "192.168.1.1"),
        ("--bind", "example"),
        ("--dns-name", "login.example.com"),
        ("--ready-file", "/"),
        ("--https-port", "70000"),
        ("--https-port", "5", "--mqtt-port", "5"),
        ("--mqtt-port", "5", "--amqp-port", "5"),
        ("--amqp-port", "5", "--amqp-plain-port", "5"),
        ("--amqp-plain-port", "-1"),
        ("--max-active-jobs", "0"),
        ("--sku", "S4"),
        ("--units", "2"),
        ("--sku", "S1", "--units", "0"),
        ("--sku", "S3", "--units", "11"),
        ("--sku", "S1", "--time-scale", "0"),
        ("--sku", "S1", "--time-scale", "nan"),
        ("--time-scale", "0"),
        ("--https-port", "x"),
    ],
)
def test_a_bad_argument_is_2_and_leaves_no_folder(tmp_path: Path, words: tuple[str, ...]) -> None:
    code, errors = refused(tmp_path / "data", *words)
    assert code == 2
    assert words[-2] in errors
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have 127.0.0.1 alone")
def test_hubs_on_other_addresses_share_ports(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "a", "--bind", "127.0.0.2") as first:
        with HubProcess(tmp_path / "b", "--bind", "127.0.0.3", ports=first.ports) as second:
            assert first.ports == second.ports
            assert second.info["hostName"] == f"127.0.0.3:{second.info['httpsPort']}"


def test_a_job_with_the_first_year_as_its_start_does_not_end_the_hub(tmp_path: Path) -> None:
    with HubProcess(tmp_path) as hub:
        job = {
            "type": "scheduleUpdateTwin",
            "queryCondition": "*",
            "startTime": "0001-01-01T00:00:00Z",
            "updateTwin": {"etag": "*", "tags": {"a": 1}},
        }
        hub.ok("PUT", "/jobs/v2/old", json=job)
        assert hub.ok("GET", "/jobs/v2/old")["startTime"] == "0001-01-01T00:00:00.0000000Z"
        assert hub.ok("GET", "/_local/state")["pid"] == hub.process.pid
        assert hub.stop() == 0
