"""A local hub in a container, for tests: a class for Testcontainers. The only module that imports testcontainers.

Strategy: it is the image of the Dockerfile, which prints what a client needs once it serves clients. What a test is told
is how the hub is reached from here: the ports that the container engine has published, and copies of the CA's files.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from azext_iotjobs.localhub.testing.running_hub import LocalHubFailed, RunningHub

IMAGE = "iotjobs-local-hub"
READY_LINE = r'^\{"hostName"'  # how what the hub prints when it is ready begins
READY_LIMIT_S = 120.0  # a second is usual; an engine that has just pulled the image needs more
SEED_PATH = "/seed"
PORTS = {"httpsPort": 443, "mqttPort": 8883, "amqpPort": 5671}  # where the hub reports each, and which it is inside
CA_FILES = {"caCertificatePath": "ca.pem", "caBundlePath": "ca-bundle.pem"}


class IoTHubContainer(DockerContainer, RunningHub):
    """A local hub in a container: `with IoTHubContainer() as hub`, or start() and stop()."""

    def __init__(
        self,
        image: str = IMAGE,
        *,
        options: Sequence[str] = (),
        name_in_network: str = "iothub",
        seed: Path | str | None = None,
        same_ports: bool = False,
        **more: Any,
    ) -> None:
        """Describe a hub; it is not started yet.

        options: as of `iotjobs-local-hub --help`, such as ("--sku", "S1"); ports are not among them.
        name_in_network: by which other containers of its network reach it; its certificate is for this name.
        seed: a file of devices that the hub begins with.
        same_ports: whether 443, 8883 and 5671 of this machine lead to it, as devices that run here need; else any
            free ones do, so that several hubs can run at once.
        more: as of testcontainers' `DockerContainer`.
        """
        super().__init__(image, **more)
        self._name = name_in_network
        self.with_env("DNS_NAMES", name_in_network).with_network_aliases(name_in_network)
        self.with_command(list(options))
        for port in PORTS.values():
            self.with_bind_ports(port, port if same_ports else None)
