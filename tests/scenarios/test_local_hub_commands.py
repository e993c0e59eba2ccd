"""az iot local-hub start | stop | show | reset, as a user meets them."""

import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from cryptography import x509

from tests.helpers.az import Az
from tests.helpers.waiting import wait_until

FREE = ("--https-port", "0", "--mqtt-port", "0")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Az]:
    """az with a configuration folder in which no hub has ever run; hubs that a test leaves running are stopped."""
    az = Az(tmp_path / "config")
    az.config_dir.mkdir()
    yield az
    for state in az.config_dir.glob("iotjobs/hubs/*.json"):
        az.run("iot", "local-hub", "stop", "--https-port", str(json.loads(state.read_text())["httpsPort"]))


def start(az: Az, *options: str) -> dict:
    ports = () if "--https-port" in options else FREE
    return dict(az.json("iot", "local-hub", "start", "--detach", "--in-memory", *ports, *options))


def test_a_hub_is_started_shown_used_and_stopped(own: Az) -> None:
    hub = start(own)
    assert {
        "hostName",
        "httpsPort",
        "mqttPort",
        "connectionString",
        "caCertificatePath",
        "dataDirectory",
        "pid",
    } <= set(hub)
    assert hub["hostName"] == f"localhost:{hub['httpsPort']}"
    assert hub["connectionString"].startswith(f"HostName={hub['hostName']};SharedAccessKeyName=iothubowner;")
    assert own.json("iot", "local-hub", "show") == hub
    assert own.json("iot", "hub", "query", "-n", "localhost", "-q", "SELECT * FROM devices") == []
    stopped = own.run("iot", "local-hub", "stop")
    assert (stopped.code, stopped.stdout) == (0, "")
    shown = own.run("iot", "local-hub", "show")
    assert shown.code == 3
    assert "az iot local-hub start" in shown.stderr
    used = own.run("iot", "hub", "query", "-n", "localhost", "-q", "SELECT * FROM devices")
    assert used.code == 3
    assert list(own.config_dir.glob("iotjobs/hubs/*")) == []


def test_a_hub_of_a_tier_throttles_and_shows_how_much(own: Az) -> None:
    hub = start(own, "--sku", "s1", "--units", "2")
    assert (hub["sku"], hub["units"]) == ("S1", 2)
    own.json("iot", "hub", "query", "-n", "localhost", "-q", "SELECT * FROM devices")
    (queries,) = own.json("iot", "local-hub", "show", "--query", "throttles[?name=='queries']")
    assert (queries["counted"], queries["burst"], queries["refused"]) == (1, 40, 0)
    refused = own.run("iot", "local-hub", "start", "--sku", "F1", "--units", "2", *FREE, "--data-dir", "other")
    assert refused.code == 1
    assert "--units 2: F1 has 1" in refused.stderr


def test_what_is_secret_is_readable_by_the_owner_alone(own: Az) -> None:
    hub = start(own)
    (state,) = own.config_dir.glob("iotjobs/hubs/*.json")
    assert state.name == f"{hub['httpsPort']}.json"
    folder = Path(hub["dataDirectory"])
    secret = [state, *folder.iterdir()]
    assert {path.name for path in secret} >= {"ca-key.pem", "server-key.pem", "policies.json", "hub.log"}
    for path in secret:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700


def test_the_ca_may_vouch_for_this_machine_alone(own: Az) -> None:
    ca = x509.load_pem_x509_certificate(Path(start(own)["caCertificatePath"]).read_bytes())
    constraints = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    permitted = {str(each.value) for each in constraints.value.permitted_subtrees or ()}
    assert permitted == {"localhost", "127.0.0.0/8", "::1/128"}
    assert (ca.not_valid_after_utc - ca.not_valid_before_utc).days == 365


def test_the_bundle_that_is_printed_holds_our_ca_and_the_machines_roots(own: Az) -> None:
    ran = own.run("iot", "local-hub", "start", "--detach", "--in-memory", *FREE)
    hub = ran.json
    assert f"export REQUESTS_CA_BUNDLE={hub['caBundlePath']}" in ran.stderr
    bundle = Path(hub["caBundlePath"]).read_text()
    assert Path(hub["caCertificatePath"]).read_text().strip() in bundle
    assert bundle.count("BEGIN CERTIFICATE") > 50
    # Trusted, so what is refused is only that there is no token.
    answer = requests.get(
        f"https://{hub['hostName']}/devices", verify=hub["caBundlePath"], proxies={"https": ""}, timeout=20
    )
    assert answer.status_code == 401


def test_it_listens_on_loopback_only(own: Az) -> None:
    refused = own.run("iot", "local-hub", "start", "--detach", "--in-memory", *FREE, "--bind", "0.0.0.0")
    assert refused.code == 1
    assert "--bind 0.0.0.0" in refused.stderr
    assert own.run("iot", "local-hub", "show").code == 3


def test_a_port_that_is_taken_is_a_clear_error(own: Az) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for options in (("--https-port", port, "--mqtt-port", "0"), ("--https-port", "0", "--mqtt-port", port)):
            refused = own.run("iot", "local-hub", "start", "--detach", "--in-memory", *options)
            assert refused.code == 1
            assert f"Port {port}" in refused.stderr
            assert "Traceback" not in refused.stderr
    assert list(own.config_dir.glob("iotjobs/hubs/*.json")) == []


def test_two_hubs_run_side_by_side_and_plain_localhost_is_then_an_error(own: Az, tmp_path: Path) -> None:
    first = start(own)
    second = start(own, "--bind", "127.0.0.2", "--data-dir", str(tmp_path / "second"))
    assert second["hostName"] == f"127.0.0.2:{second['httpsPort']}"
    own.json("iot", "hub", "device-identity", "create", "-n", second["hostName"], "-d", "only-there")
    devices = ("iot", "hub", "device-identity", "list", "--query", "[].deviceId")
    assert own.json(*devices, "-n", first["hostName"]) == []
    assert own.json(*devices, "-n", second["hostName"]) == ["only-there"]
    for words in (("iot", "local-hub", "show"), (*devices, "-n", "localhost")):
        refused = own.run(*words)
        assert refused.code == 1
        assert first["hostName"] in refused.stderr and second["hostName"] in refused.stderr
    assert own.json("iot", "local-hub", "show", "--https-port", str(second["httpsPort"])) == second


def test_one_data_folder_is_for_one_hub(own: Az) -> None:
    start(own)
    refused = own.run("iot", "local-hub", "start", "--detach", "--in-memory", *FREE)
    assert refused.code == 1
    assert "--data-dir" in refused.stderr


def test_a_hub_that_was_killed_is_not_running_whatever_its_state_file_says(own: Az) -> None:
    hub = start(own)
    os.kill(hub["pid"], signal.SIGKILL)
    wait_until("it is gone", lambda: own.run("iot", "local-hub", "show").code == 3)
    again = start(own)
    assert own.json("iot", "local-hub", "show") == again


def test_devices_twins_and_jobs_survive_a_restart_and_a_kill(own: Az) -> None:
    def run_hub() -> dict:
        return dict(own.json("iot", "local-hub", "start", "--detach", *FREE))

    hub = run_hub()
    own.json("iot", "hub", "device-identity", "create", "-n", "localhost", "-d", "d1")
    own.json("iot", "hub", "device-twin", "update", "-n", "localhost", "-d", "d1", "--tags", '{"a": 1}')
    own.run("iot", "local-hub", "stop")
    hub = run_hub()
    twin_job = ("--jt", "scheduleUpdateTwin", "--patch", '{"tags":{"b":2}}', "-q", "*")
    own.json("iot", "hub", "job", "create", "-n", "localhost", "--job-id", "j1", *twin_job, "--wait")
    os.kill(hub["pid"], signal.SIGKILL)
    run_hub()
    assert own.json("iot", "hub", "device-twin", "show", "-n", "localhost", "-d", "d1")["tags"] == {"a": 1, "b": 2}
    assert own.json("iot", "hub", "job", "show", "-n", "localhost", "--job-id", "j1")["status"] == "completed"


def test_reset_empties_the_hub_and_asks_first(own: Az) -> None:
    start(own)
    own.json("iot", "hub", "device-identity", "create", "-n", "localhost", "-d", "d1")
    refused = own.run("iot", "local-hub", "reset")
    assert refused.code == 1
    assert "--yes" in refused.stderr
    devices = ("iot", "hub", "device-identity", "list", "-n", "localhost", "--query", "[].deviceId")
    assert own.json(*devices) == ["d1"]
    assert own.run("iot", "local-hub", "reset", "--yes").code == 0
    assert own.json(*devices) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_it_prints_what_it_is_and_runs_until_it_is_told_to_end(
    own: Az, tmp_path: Path, how: signal.Signals
) -> None:
    running = own.start(
        "iot", "local-hub", "start", "--in-memory", *FREE, "--query", "httpsPort", output=tmp_path / "o"
    )
    wait_until("it has printed its port", lambda: (tmp_path / "o").read_text().strip())
    port = int((tmp_path / "o").read_text())
    assert own.json("iot", "local-hub", "show", "--query", "httpsPort") == port
    running.send_signal(how)
    assert running.wait(30) == 0
    assert own.run("iot", "local-hub", "show").code == 3
    assert "Traceback" not in (tmp_path / "o.err").read_text()


def test_a_dependency_that_does_not_load_stops_the_hub_alone(own: Az, tmp_path: Path) -> None:
    """As after az moved to another Python: the compiled parts are there, but for the old one."""
    import shutil

    broken = tmp_path / "extensions" / "iotjobs"
    shutil.copytree(Path(own.environment["AZURE_EXTENSION_DIR"]) / "iotjobs", broken)
    (broken / "aiohttp" / "__init__.py").write_text("import module_of_another_python\n")
    az = Az(own.config_dir, broken.parent)
    refused = az.run("iot", "local-hub", "start", "--detach", "--in-memory", *FREE)
    assert refused.code == 1
    assert "Reinstall the extension" in refused.stderr
    assert "Traceback" not in refused.stderr
    hub = start(own)
    assert az.json("iot", "hub", "device-identity", "list", "-n", hub["hostName"]) == []


def test_it_runs_without_az_in_front(tmp_path: Path) -> None:
    from tests.helpers.hub_process import HubProcess

    hub = HubProcess(tmp_path, "--in-memory")
    assert hub.ok("GET", "/_local/health")["pid"] == hub.process.pid
    assert hub.stop() == 0
    assert subprocess.run(["kill", "-0", str(hub.process.pid)], capture_output=True).returncode != 0
