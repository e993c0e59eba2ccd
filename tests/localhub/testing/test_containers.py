"""The local hub in a container, by Testcontainers; where there is no container engine, these tests are skipped.

IOTJOBS_TEST_IMAGE: an image that is there, instead of one that is built here.
"""

import gc
import os
import shutil
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azext_iotjobs.localhub.testing import LocalHubFailed, LocalHubRefused
from tests.helpers.az import REPOSITORY
from tests.helpers.waiting import wait_until

if TYPE_CHECKING:
    from azext_iotjobs.localhub.testing.containers import IoTHubContainer

IMAGE = "iotjobs-local-hub-under-test"
RESTRICTED: dict[str, Any] = {
    "user": "54321:54321",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
}
ASK_BY_NAME = """
import ssl, urllib.request
context = ssl.create_default_context(cafile="/ca/ca.pem")
print(urllib.request.urlopen("https://iothub/_local/health", context=context, timeout=30).read().decode())
"""
STORED = """
import sqlite3
print(sqlite3.connect("/data/hub/hub.db").execute("SELECT device_id FROM identities").fetchall())
"""
pytest.importorskip("testcontainers", reason="testcontainers is not installed")


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    """A client of this machine's container engine."""
    import docker

    if shutil.which("docker") is None or subprocess.run(["docker", "version"], capture_output=True).returncode != 0:
        pytest.skip("there is no container engine that answers `docker version`")
    client = docker.from_env()
    yield client
    client.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # docker leaves its socket open
def test_without_a_container_engine_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from azext_iotjobs.localhub.testing.containers import IoTHubContainer

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    with pytest.raises(LocalHubFailed, match="No container engine is reached: .* Does `docker version` show"):
        IoTHubContainer()
    gc.collect()  # here, where the socket that is left open may be warned of


@pytest.fixture(scope="module")
def image(engine: Any) -> str:
    given = os.environ.get("IOTJOBS_TEST_IMAGE")
    if given:
        return given
    built = subprocess.run(
        ["docker", "build", "--quiet", "--tag", IMAGE, str(REPOSITORY)], capture_output=True, text=True, check=False
    )
    if built.returncode != 0:
        pytest.skip(f"the image cannot be built here, where its base or its packages cannot be had: {built.stderr}")
    return IMAGE


@pytest.fixture(scope="module")
def network(engine: Any) -> Iterator[Any]:
    from testcontainers.core.network import Network

    with Network() as network:
        yield network


@pytest.fixture(scope="module")
def hub(image: str, network: Any) -> Iterator["IoTHubContainer"]:
    from azext_iotjobs.localhub.testing.containers import IoTHubContainer

    with IoTHubContainer(image, options=("--sku", "S1"), network=network, **RESTRICTED) as hub:
        yield hub


def inside(hub: "IoTHubContainer", *words: str) -> str:
    result = hub.exec(list(words))
    assert result.exit_code == 0, result.output
    return str(result.output.decode().strip())


def test_this_machine_reaches_it_at_the_published_ports_and_trusts_it(hub: "IoTHubContainer") -> None:
    identity = hub.create_device("pump-1", status="disabled")
    assert hub.request("GET", "/devices?top=5") == [identity] and hub.info["sku"] == "S1"
    assert hub.host_name == f"localhost:{hub.https_port}" and hub.https_port != 443
    key = identity["authentication"]["symmetricKey"]["primaryKey"]
    assert hub.device_connection_string("pump-1") == f"HostName=localhost;DeviceId=pump-1;SharedAccessKey={key}"
    with pytest.raises(LocalHubRefused, match="404 DeviceNotFound"):
        hub.request("GET", "/devices/pump-2")
    context = ssl.create_default_context(cafile=hub.environment()["SSL_CERT_FILE"])
    with urllib.request.urlopen(f"https://{hub.host_name}/_local/ca.pem", context=context, timeout=30) as answer:
        assert answer.read().decode() == Path(hub.ca_certificate_path).read_text()


def test_other_containers_reach_it_by_its_name_and_trust_it_by_the_volume(
    hub: "IoTHubContainer", engine: Any, image: str, network: Any
) -> None:
    said = engine.containers.run(
        image,
        entrypoint=["python", "-c", ASK_BY_NAME],
        network=network.name,
        volumes_from=[f"{hub.get_container_id()}:ro"],
        user="10002:10002",
        remove=True,
    )
    assert said.decode().strip() == '{"status":"up"}'
    key = hub.connection_string.rpartition("SharedAccessKey=")[2]
    access = f"SharedAccessKeyName=iothubowner;SharedAccessKey={key}"
    assert hub.connection_string_in_network == f"HostName=iothub;{access}"


def test_it_runs_as_any_user_without_rights_and_tells_others_of_its_ca_alone(hub: "IoTHubContainer") -> None:
    status = inside(hub, "cat", "/proc/1/status")
    assert "Uid:\t54321" in status and "CapEff:\t0000000000000000" in status
    modes = inside(hub, "stat", "-c", "%a", "/data/hub", "/data/ready.json", "/data/hub/policies.json", "/ca/ca.pem")
    assert modes.split() == ["700", "600", "600", "644"]


def test_the_engine_learns_that_it_is_healthy(hub: "IoTHubContainer") -> None:
    container = hub.get_wrapped_container()

    def is_healthy() -> bool:
        container.reload()
        return bool(container.attrs["State"]["Health"]["Status"] == "healthy")

    wait_until("it is healthy", is_healthy)


def test_it_begins_with_its_seed_ends_cleanly_and_comes_back_with_what_it_has(image: str, tmp_path: Path) -> None:
    from azext_iotjobs.localhub.testing.containers import IoTHubContainer

    seed = tmp_path / "fleet.yaml"
    seed.write_text("devices: [{deviceId: kept, tags: {site: north}}]")
    with IoTHubContainer(image, seed=seed) as hub:
        assert hub.request("GET", "/twins/kept")["tags"] == {"site": "north"}
        container = hub.get_wrapped_container()
        container.stop(timeout=60)
        assert container.wait()["StatusCode"] == 0 and "Traceback" not in hub.errors
        container.start()
        wait_until("it is back", lambda: hub.exec(["healthcheck.py"]).exit_code == 0)
        assert "kept" in inside(hub, "python", "-c", STORED)


def test_one_that_does_not_start_says_why_and_is_removed(engine: Any, image: str) -> None:
    from azext_iotjobs.localhub.testing.containers import IoTHubContainer

    hub = IoTHubContainer(image, options=("--partitions", "99"))
    with pytest.raises(LocalHubFailed, match="--partitions 99: give 2 to 32") as failure:
        hub.start()
    assert failure.value.exit_code == 2 and "--partitions 99" in hub.errors
    assert not [
        each for each in engine.containers.list(all=True) if each.attrs["Config"]["Cmd"] == ["--partitions", "99"]
    ]
