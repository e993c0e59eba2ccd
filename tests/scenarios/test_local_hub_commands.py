"""az iot local-hub start | stop | show | reset, as a user meets them."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509

from tests.helpers.az import REPOSITORY, TIMEOUT_S, Az
from tests.helpers.small_disk import filled, small_disk
from tests.helpers.waiting import wait_until

__all__ = ["small_disk"]  # a fixture

FREE = ("--https-port", "0", "--mqtt-port", "0", "--amqp-port", "0")


@pytest.fixture(scope="module")
def one_az(tmp_path_factory: pytest.TempPathFactory) -> Az:
    """az for all tests: it is loaded once."""
    return Az(tmp_path_factory.mktemp("config"))


@pytest.fixture
def own(one_az: Az) -> Iterator[Az]:
    """az with a configuration folder in which no hub has ever run; hubs that a test leaves running are stopped."""
    az = one_az
    shutil.rmtree(az.config_dir)
    az.config_dir.mkdir()
    yield az
    for state in az.config_dir.glob("iotjobs/hubs/*.json"):
        document = json.loads(state.read_text())
        az.run("iot local-hub stop", "-n", f"{document['bind']}:{document['httpsPort']}")


def start(az: Az, *options: str) -> dict[str, Any]:
    ports = () if "--https-port" in options else FREE
    return dict(az.json("iot local-hub start --detach --in-memory", *ports, *options))


def test_a_hub_is_started_shown_used_and_stopped(own: Az) -> None:
    hub = start(own)
    assert {
        "hostName",
        "httpsPort",
        "mqttPort",
        "amqpPort",
        "eventHubsConnectionString",
        "connectionString",
        "caCertificatePath",
        "dataDirectory",
        "pid",
    } <= set(hub)
    assert hub["hostName"] == f"localhost:{hub['httpsPort']}"
    assert hub["connectionString"].startswith(f"HostName={hub['hostName']};SharedAccessKeyName=iothubowner;")
    assert own.json("iot local-hub show") == hub
    assert own.json("iot hub query -n localhost -q 'SELECT * FROM devices'") == []
    stopped = own.run("iot local-hub stop")
    assert (stopped.code, stopped.stdout) == (0, "")
    shown = own.run("iot local-hub show")
    assert shown.code == 3
    assert "az iot local-hub start" in shown.stderr
    used = own.run("iot hub query -n localhost -q 'SELECT * FROM devices'")
    assert used.code == 3
    assert list(own.config_dir.glob("iotjobs/hubs/*")) == []


def test_a_hub_of_a_tier_throttles_and_shows_how_much(own: Az) -> None:
    hub = start(own, "--sku", "s1", "--units", "2")
    assert (hub["sku"], hub["units"]) == ("S1", 2)
    own.json("iot hub query -n localhost -q 'SELECT * FROM devices'")
    (queries,) = own.json("iot local-hub show", "--query", "throttles[?name=='queries']")
    assert (queries["counted"], queries["burst"], queries["refused"]) == (1, 40, 0)
    refused = own.run("iot local-hub start --sku F1 --units 2 --data-dir other", *FREE)
    assert refused.code == 1
    assert "--units 2: F1 has 1" in refused.stderr


def test_what_is_secret_is_readable_by_the_owner_alone(own: Az) -> None:
    hub = start(own)
    (state,) = own.config_dir.glob("iotjobs/hubs/*.json")
    assert state.name == f"127.0.0.1_{hub['httpsPort']}.json"
    folder = Path(hub["dataDirectory"])
    secret = [state, state.parent, folder, *folder.rglob("*")]
    assert {path.name for path in secret} >= {"ca-key.pem", "server-key.pem", "policies.json", "hub.log", "uploads"}
    for path in secret:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_ca_may_vouch_for_this_machine_alone(own: Az) -> None:
    ca = x509.load_pem_x509_certificate(Path(start(own)["caCertificatePath"]).read_bytes())
    constraints = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    permitted = {str(each.value) for each in constraints.value.permitted_subtrees or ()}
    assert permitted == {"localhost", "127.0.0.0/8", "::1/128"}
    assert (ca.not_valid_after_utc - ca.not_valid_before_utc).days == 365


def test_the_bundle_that_is_printed_holds_our_ca_and_the_machines_roots(own: Az) -> None:
    ran = own.run("iot local-hub start --detach --in-memory", *FREE)
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


def test_a_port_that_is_taken_is_a_clear_error(own: Az) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for options in (("--https-port", port, "--mqtt-port", "0"), ("--https-port", "0", "--mqtt-port", port)):
            refused = own.run("iot local-hub start --detach --in-memory", *options)
            assert refused.code == 1
            assert f"Port {port}" in refused.stderr
            assert "Traceback" not in refused.stderr
    assert list(own.config_dir.glob("iotjobs/hubs/*.json")) == []


def test_two_hubs_run_side_by_side_and_plain_localhost_is_then_an_error(own: Az, tmp_path: Path) -> None:
    first = start(own)
    second = start(own, "--bind", "127.0.0.2", "--data-dir", str(tmp_path / "second"))
    assert second["hostName"] == f"127.0.0.2:{second['httpsPort']}"
    own.json("iot hub device-identity create -d only-there", "-n", second["hostName"])
    devices = ("iot", "hub", "device-identity", "list", "--query", "[].deviceId")
    assert own.json(*devices, "-n", first["hostName"]) == []
    assert own.json(*devices, "-n", second["hostName"]) == ["only-there"]
    for words in (("iot", "local-hub", "show"), (*devices, "-n", "localhost")):
        refused = own.run(*words)
        assert refused.code == 1
        assert first["hostName"] in refused.stderr and second["hostName"] in refused.stderr
    assert own.json("iot local-hub show", "--https-port", str(second["httpsPort"])) == second


def test_one_data_folder_is_for_one_hub(own: Az) -> None:
    start(own)
    refused = own.run("iot local-hub start --detach --in-memory", *FREE)
    assert refused.code == 1
    assert "--data-dir" in refused.stderr


def test_a_hub_that_was_killed_is_not_running_whatever_its_state_file_says(own: Az) -> None:
    hub = start(own)
    os.kill(hub["pid"], signal.SIGKILL)
    wait_until("it is gone", lambda: own.run("iot local-hub show").code == 3)
    again = start(own)
    assert own.json("iot local-hub show") == again


def test_devices_twins_and_jobs_survive_a_restart_and_a_kill(own: Az) -> None:
    def run_hub() -> dict[str, Any]:
        return dict(own.json("iot local-hub start --detach", *FREE))

    hub = run_hub()
    own.json("iot hub device-identity create -n localhost -d d1")
    own.json("iot hub device-twin update -n localhost -d d1", "--tags", '{"a": 1}')
    own.run("iot local-hub stop")
    hub = run_hub()
    twin_job = ("--jt", "scheduleUpdateTwin", "--patch", '{"tags":{"b":2}}', "-q", "*")
    own.json("iot hub job create -n localhost --job-id j1 --wait", *twin_job)
    os.kill(hub["pid"], signal.SIGKILL)
    run_hub()
    assert own.json("iot hub device-twin show -n localhost -d d1")["tags"] == {"a": 1, "b": 2}
    assert own.json("iot hub job show -n localhost --job-id j1")["status"] == "completed"


def test_reset_empties_the_hub_and_asks_first(own: Az) -> None:
    start(own)
    own.json("iot hub device-identity create -n localhost -d d1")
    refused = own.run("iot local-hub reset")
    assert refused.code == 1
    assert "--yes" in refused.stderr
    devices = ("iot", "hub", "device-identity", "list", "-n", "localhost", "--query", "[].deviceId")
    assert own.json(*devices) == ["d1"]
    assert own.run("iot local-hub reset --yes").code == 0
    assert own.json(*devices) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_in_the_foreground_it_prints_what_it_is_and_runs_until_it_is_told_to_end(
    own: Az, tmp_path: Path, how: signal.Signals
) -> None:
    running = own.start("iot local-hub start --in-memory --query httpsPort", *FREE, output=tmp_path / "o")
    wait_until("it has printed its port", lambda: (tmp_path / "o").read_text().strip())
    port = int((tmp_path / "o").read_text())
    assert own.json("iot local-hub show --query httpsPort") == port
    running.send_signal(how)
    assert running.wait(30) == 0
    assert own.run("iot local-hub show").code == 3
    assert "Traceback" not in (tmp_path / "o.err").read_text()


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has taken notice of yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGHUP])
def test_a_hub_in_the_foreground_ends_with_its_az_however_that_ends(
    own: Az, tmp_path: Path, how: signal.Signals
) -> None:
    running = own.start("iot local-hub start --in-memory --query pid", *FREE, output=tmp_path / "o")
    wait_until("it has printed its process", lambda: (tmp_path / "o").read_text().strip())
    hub = int((tmp_path / "o").read_text())
    assert not is_gone(hub)
    running.send_signal(how)
    running.wait(30)
    wait_until("the hub has ended too", lambda: is_gone(hub))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_hub_in_the_background_ends_cleanly_by_a_signal_of_its_own(own: Az, how: signal.Signals) -> None:
    hub = start(own)
    os.kill(hub["pid"], how)
    wait_until("it has ended", lambda: is_gone(hub["pid"]))
    assert list(own.config_dir.glob("iotjobs/hubs/*.json")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_stop_comes_back_when_the_process_is_gone(own: Az) -> None:
    hub = start(own)
    assert own.run("iot local-hub stop").code == 0
    assert is_gone(hub["pid"])
    again = own.run("iot local-hub stop")
    assert again.code == 3
    assert "No local hub is running" in again.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="a process's own words are read from /proc")
def test_a_stale_state_file_is_no_hub_and_whoever_has_its_process_id_is_left_alone(own: Az, tmp_path: Path) -> None:
    hub = start(own)
    (state,) = own.config_dir.glob("iotjobs/hubs/*.json")
    kept = state.read_text()
    assert own.run("iot local-hub stop").code == 0
    stranger = subprocess.Popen(["sleep", "3600"])
    try:
        with socket.create_server(("127.0.0.1", hub["httpsPort"])):  # even with something that listens there
            state.write_text(json.dumps({**json.loads(kept), "pid": stranger.pid}))
            for words in (("show",), ("stop",), ("reset", "--yes")):
                refused = own.run("iot local-hub", *words)
                assert (refused.code, "Traceback" in refused.stderr) == (3, False), refused.stderr
        assert stranger.poll() is None
        start(own)
        assert own.json("iot local-hub show")["pid"] != stranger.pid
    finally:
        stranger.kill()
        stranger.wait()
        state.unlink(missing_ok=True)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have 127.0.0.1 alone")
def test_hubs_with_one_port_are_told_apart_by_their_address_in_every_command(own: Az, tmp_path: Path) -> None:
    first = start(own, "--bind", "127.0.0.8", "--data-dir", str(tmp_path / "first"))
    port = str(first["httpsPort"])
    started = ("--https-port", port, "--mqtt-port", str(first["mqttPort"]))
    second = start(own, *started, "--bind", "127.0.0.9", "--data-dir", str(tmp_path / "second"))
    names = (f"127.0.0.8:{port}", f"127.0.0.9:{port}")
    commands = (
        ("show",),
        ("events", "--timeout", "1"),
        ("send", "-d", "d1"),
        ("reset", "--yes"),
        ("certificate", "list"),
        ("stop",),
    )
    for words in commands:
        for which in ((), ("--https-port", port)) if words == ("stop",) else (("-n", f"localhost:{port}"),):
            refused = own.run("iot local-hub", *words, *which)
            assert refused.code == 1, (words, which)
            assert all(f"-n {name}\n" in f"{refused.stderr}\n" for name in names), refused.stderr
    own.json("iot hub device-identity create -d d1", "-n", names[1])
    assert own.json("iot local-hub show -n 127.0.0.8") == first
    assert own.json("iot local-hub show", "--hub-name", names[1]) == second
    assert own.run("iot local-hub send -d d1", "-n", names[0]).code == 3
    assert own.json("iot local-hub send -d d1", "-n", names[1])["sequenceNumber"] == 1
    assert own.json("iot local-hub certificate list -n 127.0.0.9") == []
    assert own.run("iot local-hub reset --yes", "-n", names[0]).code == 0
    assert own.json("iot hub device-identity list --query '[].deviceId'", "-n", names[1]) == ["d1"]
    assert own.run("iot local-hub stop", "-n", names[1]).code == 0
    assert own.json("iot local-hub show") == first


def test_a_name_that_is_no_local_hub_or_two_ports_are_refused(own: Az) -> None:
    hub = start(own)
    for which, said in (
        (("-n", "myhub"), "this is not the name of a local hub"),
        (("-n", ""), "this is not the name of a local hub"),
        (("-n", "localhost:x"), "the port must be a whole number"),
        (("-n", hub["hostName"], "--https-port", "1"), "name two ports"),
    ):
        refused = own.run("iot local-hub show", *which)
        assert (refused.code, said in refused.stderr) == (1, True), refused.stderr
    assert own.run("iot local-hub show -n 127.0.0.9").code == 3


@pytest.mark.parametrize(("switch", "has_info", "has_debug"), [("--debug", True, True), ("--verbose", True, False)])
def test_the_level_of_the_log_is_the_one_that_az_was_given(
    own: Az, switch: str, has_info: bool, has_debug: bool
) -> None:
    hub = own.run("iot local-hub start --detach --in-memory", *FREE, switch).json
    assert own.json("iot local-hub show")["logFile"] == hub["logFile"]
    own.run("iot local-hub stop")
    log = Path(hub["logFile"])
    said = log.read_text()
    assert ((" INFO " in said), (" DEBUG " in said)) == (has_info, has_debug)
    assert "SharedAccessKey" not in said
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_start_on_a_full_disk_says_so(own: Az, small_disk: Path) -> None:
    folder = small_disk / "hub"
    start(own, "--data-dir", str(folder))
    own.run("iot local-hub stop")
    with filled(small_disk):
        words = ("iot", "local-hub", "start", "--detach", *FREE, "--data-dir", str(folder))
        refused = own.run(*words)
    assert refused.code == 1
    assert "the disk is full" in refused.stderr or "No space left" in refused.stderr
    assert "see its error above" not in refused.stderr and "Traceback" not in refused.stderr


def test_what_does_not_work_is_shown_and_logged_once(own: Az) -> None:
    hub = own.json("iot local-hub start --detach", *FREE)
    database = Path(hub["dataDirectory"]) / "hub.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = own.run("iot hub device-identity create -n localhost -d d1")
        assert refused.code == 1 and "another program holds a lock on it" in refused.stderr
        shown = own.json("iot local-hub show --query trouble")
        assert [(each["what"], each["reason"]) for each in shown] == [
            (str(database), "another program holds a lock on it")
        ]
        other.execute("ROLLBACK")
    wait_until("it is over", lambda: own.json("iot local-hub show") == hub)
    own.json("iot hub device-identity create -n localhost -d d1")
    begun, over = Path(hub["logFile"]).read_text().splitlines()
    assert "another program holds a lock on it" in begun and "works again" in over


def test_a_damaged_database_is_set_aside_as_the_error_says_and_events_with_it(own: Az) -> None:
    events = ("--keep-events", "3", "--partitions", "8", "--consumer-groups", "alerts", "reports")
    hub = own.json("iot local-hub start --detach", *FREE, *events)
    folder = Path(hub["dataDirectory"])
    running = own.run("iot local-hub reset --yes", "--data-dir", str(folder))
    assert running.code == 1 and f"az iot local-hub reset -n {hub['hostName']}" in running.stderr
    own.run("iot local-hub stop")
    (folder / "hub.db").write_bytes(b"damaged" * 1000)
    refused = own.run("iot local-hub start --detach", *FREE)
    command = f"az iot local-hub reset --data-dir {folder} --yes"
    assert refused.code == 1 and command in refused.stderr and str(folder / "hub.db") in refused.stderr
    done = own.run(*command.split()[1:])
    assert done.code == 0, done.stderr
    (aside,) = folder.glob("hub.db.set-aside-*")
    assert aside.read_bytes() == b"damaged" * 1000 and str(aside) in done.stderr
    (events_aside,) = folder.glob("events.db.set-aside-*")
    with closing(sqlite3.connect(events_aside)) as database:
        assert database.execute("SELECT count(*) FROM partitions").fetchone() == (8,)
    again = own.json("iot local-hub start --detach", *FREE)
    key = hub["connectionString"].rpartition(";")[2]
    assert again["connectionString"].endswith(key)
    nothing = own.run("iot local-hub reset --yes", "--data-dir", str(folder.parent))
    assert nothing.code == 1 and "there is no hub.db" in nothing.stderr


def test_policies_that_nobody_could_sign_with_are_said_at_the_start(own: Az) -> None:
    hub = start(own)
    own.run("iot local-hub stop")
    policies = Path(hub["dataDirectory"]) / "policies.json"
    policies.write_text(json.dumps(dict.fromkeys(json.loads(policies.read_text()), "no base64!")))
    refused = own.run("iot local-hub start --detach --in-memory", *FREE)
    assert refused.code == 1 and str(policies) in refused.stderr and "is not base64." in refused.stderr
    assert "no base64!" not in refused.stderr


def test_az_inside_a_checkout_finds_the_installed_extensions_dependencies(own: Az, tmp_path: Path) -> None:
    """As the README's own install steps leave one: az imports the package from the current folder."""
    python = az_without_dependencies(tmp_path / "az")
    checkout = tmp_path / "checkout"
    shutil.copytree(REPOSITORY / "azext_iotjobs", checkout / "azext_iotjobs", ignore=shutil.ignore_patterns("*.pyc"))
    words = ("start", "--detach", "--in-memory", *FREE)

    def run(folder: Path, extensions: str | Path) -> subprocess.CompletedProcess[str]:
        environment = {**own.environment, "AZURE_EXTENSION_DIR": str(extensions)}
        return subprocess.run(
            [python, "-m", "azure.cli", "iot", "local-hub", *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )

    started = run(checkout, own.environment["AZURE_EXTENSION_DIR"])
    assert started.returncode == 0, started.stderr
    hub = json.loads(started.stdout)
    loaded = Path(f"/proc/{hub['pid']}/cwd")
    assert not loaded.exists() or loaded.resolve() == checkout
    own.json("iot hub device-identity create -d d1", "-n", hub["hostName"])


def az_without_dependencies(folder: Path) -> Path:
    """A Python that has all that this one has, but for what comes with the extension alone."""
    base_python = vars(sys)["_base_executable"]  # of the virtual environment that this runs in
    subprocess.run([base_python, "-m", "venv", "--without-pip", str(folder)], check=True)
    brought = set("aiohttp lark paho aiosignal frozenlist multidict yarl propcache aiohappyeyeballs".split())
    (packages,) = folder.glob("lib/python*/site-packages")
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if each.name.partition("-")[0].partition("_mqtt")[0] not in brought:
            (packages / each.name).symlink_to(each)
    return folder / "bin" / "python"


def test_a_dependency_that_does_not_load_stops_the_hub_alone(own: Az, tmp_path: Path) -> None:
    """As after az moved to another Python: the compiled parts are there, but for the old one."""
    broken = tmp_path / "extensions" / "iotjobs"
    shutil.copytree(Path(own.environment["AZURE_EXTENSION_DIR"]) / "iotjobs", broken)
    (broken / "aiohttp" / "__init__.py").write_text("import module_of_another_python\n")
    az = Az(own.config_dir, broken.parent)
    refused = az.run("iot local-hub start --detach --in-memory", *FREE)
    assert refused.code == 1
    assert "Reinstall the extension" in refused.stderr
    assert "Traceback" not in refused.stderr
    hub = start(own)
    assert az.json("iot hub device-identity list", "-n", hub["hostName"]) == []


def test_it_runs_without_az_in_front(tmp_path: Path) -> None:
    from tests.helpers.hub_process import HubProcess

    hub = HubProcess(tmp_path, "--in-memory")
    assert hub.ok("GET", "/_local/state")["pid"] == hub.process.pid
    assert hub.stop() == 0
    assert subprocess.run(["kill", "-0", str(hub.process.pid)], capture_output=True).returncode != 0


def test_a_hub_begins_with_a_file_and_another_with_what_it_exports(own: Az, tmp_path: Path) -> None:
    (file := tmp_path / "fleet.yaml").write_text("devices:\n  - deviceId: pump-{1..2}\n    tags: {site: north}\n")
    first = start(own, "--seed", str(file))
    exported = own.json("iot local-hub export --keys")
    assert [each["deviceId"] for each in exported["devices"]] == ["pump-1", "pump-2"]
    file.write_text(json.dumps(exported))
    second = start(own, "--bind", "127.0.0.2", "--data-dir", str(tmp_path / "hub"))
    seeded = own.json("iot local-hub seed -n", second["hostName"], "--file", str(file))
    assert seeded == {"created": {"devices": 2}, "existing": {}}
    assert own.json("iot local-hub export --keys -n", second["hostName"]) == exported
    file.write_text("devices: [{deviceId: 5}]")
    refused = own.run("iot local-hub seed -n", first["hostName"], "--file", str(file))
    assert refused.code == 1 and "devices[0].deviceId: It has to be a text" in refused.stderr
    not_started = own.run("iot local-hub start --detach --in-memory --bind 127.0.0.3", *FREE, "--seed", str(file))
    assert not_started.code == 1 and f"--seed {file}: devices[0].deviceId" in not_started.stderr


def test_faults_are_added_listed_shown_and_cleared(own: Az) -> None:
    start(own)
    added = own.json("iot local-hub fault add --kind status --status 429 --times 2 --route", "get /devices/{id}")
    assert (added["kind"], added["operation"], added["status"], added["active"]) == ("status", "request", 429, True)
    skewed = own.json("iot local-hub fault add --kind clock-skew --skew -3600 -d pump-*")
    assert skewed["skewSeconds"] == -3600
    assert own.json("iot local-hub fault list") == [added, skewed] == own.json("iot local-hub show")["faults"]
    own.run("iot local-hub fault clear --id", added["id"])
    assert own.json("iot local-hub fault list") == [skewed]
    refused = own.run("iot local-hub fault add --kind latency")
    assert refused.code == 1
    assert refused.stderr.startswith("ERROR: --delay: A fault of the kind latency needs it: a number, 0.001 to 3,600")
    own.run("iot local-hub fault clear")
    assert "faults" not in own.json("iot local-hub show")


def test_the_clock_is_moved_ahead_shown_and_set_back_by_a_reset(own: Az) -> None:
    start(own)
    assert "clock" not in own.json("iot local-hub show")
    moved = own.json("iot local-hub clock advance --by 2h")
    assert (moved["offsetSeconds"], moved["timeScale"]) == (7200, 1)
    own.json("iot hub device-identity create -n localhost -d pump-1")  # with a token of an hour
    assert own.json("iot local-hub show")["clock"]["offsetSeconds"] == 7200
    own.run("iot local-hub reset --yes")
    assert own.json("iot local-hub clock show")["offsetSeconds"] == 0
    for by, said in (("0", "give more than 0"), ("soon", "give a duration such as 30s"), ("4000d", "give at most")):
        refused = own.run("iot local-hub clock advance --by", by)
        assert refused.code == 1 and refused.stderr.startswith("ERROR: --by ") and said in refused.stderr
