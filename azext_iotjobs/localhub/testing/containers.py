"""A local hub in a container, for tests: a class for Testcontainers. Only this module imports testcontainers.

Strategy: it is the image of the Dockerfile, which prints what a client needs once it serves clients. What is given here
is what clients on this machine need: the ports that the container engine has published, and copies of the CA's files.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docker.errors import DockerException
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy
from typing_extensions import Self

from azext_iotjobs.localhub.testing.errors import LocalHubFailed, NoContainerEngine
from azext_iotjobs.localhub.testing.running_hub import RunningHub

IMAGE = "iotjobs-local-hub"
READY_LINE = '^{"hostName"'  # how what a hub prints when it is ready begins
READY_LIMIT_S = 120  # a second is usual; a loaded machine may need more
SEED_PATH = "/seed"
PORTS = {"httpsPort": 443, "mqttPort": 8883, "amqpPort": 5671}  # where the hub reports each, and which it is inside
CERTIFIED = ("localhost", "127.0.0.1")  # beside its name in the network
CA_FILES = {"caCertificatePath": "ca.pem", "caBundlePath": "ca-bundle.pem"}


class IoTHubContainer(DockerContainer, RunningHub):
    """A local hub in a container: `with IoTHubContainer() as hub`, or start() and stop()."""

    def __init__(
        self,
        image: str = IMAGE,
        *,
        options: Sequence[str] = (),
        dns_name: str = "iothub",
        seed: Path | str | None = None,
        same_ports: bool = False,
        **more: Any,
    ) -> None:
        """Describe a hub; it is not started yet.

        image: the name of the hub's image, as it was built or pulled.
        options: as in `iotjobs-local-hub --help`, such as ("--sku", "S1"), without ports.
        dns_name: by which other containers in its network reach it, as its certificate says.
        seed: a file with what the hub begins with; None: it is empty.
        same_ports: whether ports 443, 8883 and 5671 of this machine lead to it, as SDKs of devices on this machine
            need; else any free ones do, so that several hubs can run at once.
        more: for testcontainers' DockerContainer, such as network.
        Raises LocalHubFailed where no container engine is reached.
        """
        try:
            super().__init__(image, **more)
        except DockerException as err:
            raise NoContainerEngine(str(err)) from None
        self._container: Any = None
        self.dns_name = dns_name  # its name in its network
        self.with_env("DNS_NAMES", dns_name).with_network_aliases(dns_name).with_command(list(options))
        for port in PORTS.values():
            self.with_bind_ports(port, port if same_ports else None)
        if seed is not None:
            self.with_copy_into_container(Path(seed), SEED_PATH).with_env("SEED_FILE", SEED_PATH)
        self.waiting_for(LogMessageWaitStrategy(READY_LINE).with_startup_timeout(READY_LIMIT_S))
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._inside: dict[str, Any] = {}  # what the hub reported
        self._info: dict[str, Any] = {}  # the same as it is from this machine
        self._last_errors = ""  # once the container is removed

    def start(self) -> Self:
        """Start it and wait until it is ready. Raises LocalHubFailed; then it is stopped."""
        try:
            super().start()
        except (RuntimeError, TimeoutError) as err:  # it ended, or is late
            raise self._stopped("The local hub did not start") from err
        host = self.get_container_host_ip()
        if host not in (*CERTIFIED, self.dns_name):
            raise self._stopped(
                f"The container engine is at {host}, and the hub's certificate is for localhost and {self.dns_name}. "
                "Give the one that leads to the engine from here by TESTCONTAINERS_HOST_OVERRIDE, and "
                "TESTCONTAINERS_CONNECTION_MODE=docker_host"
            )
        self._folder = tempfile.TemporaryDirectory(prefix="iotjobs-")
        self._inside = _last_document(self.get_logs()[0])
        self._info = self._seen_from_here(host)
        return self

    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        """End it, and remove its container, its data and its folder on this machine.

        force: also where it still runs.  delete_volume: with the volumes that were made for it.
        """
        self.stop_simulations()
        if self._container is not None:
            self._last_errors = self.errors
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        super().stop(force, delete_volume)
        self._container = None

    @property
    def errors(self) -> str:
        """What it wrote to stderr since its start."""
        if self._container is None:
            return self._last_errors
        return str(self.get_logs()[1], "utf-8", "replace")

    @property
    def connection_string_in_network(self) -> str:
        """The connection string of iothubowner for other containers in its network."""
        return str(self._inside["dnsNames"][0]["connectionString"])

    def device_connection_string_in_network(self, device_id: str, module_id: str | None = None) -> str:
        """The connection string of a registered device, or of a module on it, for other containers in its network."""
        here = self.device_connection_string(device_id, module_id)
        return here.replace(f"HostName={self.device_host_name};", f"HostName={self.dns_name};", 1)

    def _exit_code(self) -> int | None:
        container = self.get_wrapped_container()
        container.reload()
        state = container.attrs["State"]
        return None if state["Running"] else int(state["ExitCode"])

    def _stopped(self, what: str) -> LocalHubFailed:
        """End it; gives the error that says what was wrong."""
        code, errors = self._exit_code(), self.errors
        self.stop()
        return LocalHubFailed(what, exit_code=code, errors=errors)

    def _seen_from_here(self, host: str) -> dict[str, Any]:
        inside = self._inside
        ports = {each: int(self.get_exposed_port(port)) for each, port in PORTS.items()}
        files = {each: str(self._copy(inside[each], name)) for each, name in CA_FILES.items()}
        names = {
            "hostName": _with_port(host, ports["httpsPort"]),
            **{each: _with_port(inside[each], ports["httpsPort"]) for each in ("deviceHostName", "serviceHostName")},
        }
        strings = {
            "connectionString": f"HostName={names['hostName']};{_after_host(inside['connectionString'])}",
            "eventHubsConnectionString": f"Endpoint=sb://{host}:{ports['amqpPort']}/;"
            f"{_after_host(inside['eventHubsConnectionString'])}",
        }
        return {**inside, **ports, **files, **names, **strings}

    def _copy(self, path: str, name: str) -> Path:
        """Copy a file out of the container; gives where it is here."""
        result = self.exec(["cat", path])
        if result.exit_code != 0:
            raise LocalHubFailed(
                f"{path} cannot be read in the container", exit_code=self._exit_code(), errors=self.errors
            )
        copy = self._own_folder() / name
        copy.write_bytes(result.output)
        return copy


def _last_document(log: bytes) -> dict[str, Any]:
    """What a hub printed when it was ready; a container that was started again has more than one such line."""
    lines = [line for line in log.splitlines() if line.startswith(b'{"hostName"')]
    return dict(json.loads(lines[-1]))


def _with_port(name: str, port: int) -> str:
    """A name as in a service's connection string."""
    return name if port == PORTS["httpsPort"] else f"{name}:{port}"


def _after_host(connection_string: str) -> str:
    return connection_string.partition(";")[2]
