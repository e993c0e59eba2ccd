"""The local hub as a real process, without az in front: `AnyHub` with all that a test may do to its own hub.

The process is what users' tests get (`localhub.testing`).
"""

import json as jsonlib
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.testing.forked_hub import HUB_FORKS
from azext_iotjobs.localhub.testing.process import LocalHub
from tests.helpers.any_hub import API_VERSION, REQUEST_LIMIT_S, AnyHub, sas

__all__ = ["API_VERSION", "REQUEST_LIMIT_S", "HubProcess", "sas"]


class HubProcess(AnyHub):
    """A hub that was started and is ready; `info` is the line that it said so with."""

    ca: str
    proxies = {"https": ""}

    def __init__(self, data_dir: Path, *options: str, ports: tuple[int, int] = (0, 0)) -> None:
        self.data_dir = data_dir
        words = ("--https-port", str(ports[0]), "--mqtt-port", str(ports[1]), *options)
        HUB_FORKS.expect()
        self.local = LocalHub(*words, data_dir=data_dir).__enter__()
        self.info = self.local.info
        self.ca = self.local.ca_certificate_path
        self.host = self.local.device_host_name
        self.https_port, self.mqtt_port = self.local.https_port, self.local.mqtt_port
        self.amqp_port = self.local.amqp_port

    @property
    def is_local(self) -> bool:
        return True

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        return self.local.process

    @property
    def errors(self) -> str:
        """What it wrote to stderr."""
        return self.local.errors

    @property
    def ports(self) -> tuple[int, int]:
        """HTTPS and MQTT: a hub that is started after this one can take them."""
        return self.https_port, self.mqtt_port

    @property
    def policies(self) -> dict[str, str]:
        """The policies' keys, from the data folder."""
        return dict(jsonlib.loads((self.data_dir / "policies.json").read_bytes()))

    def key(self, policy: str | None = None) -> str:
        return self.policies[policy or self.policy]

    def events(self) -> list[dict[str, Any]]:
        """All that devices sent and the hub still keeps, page by page, oldest first."""
        found: list[dict[str, Any]] = []
        last = 0
        while page := self.ok("GET", f"/_local/events?after={last}")["events"]:
            assert page[0]["number"] > last, "a page that was there already"
            found += page
            last = page[-1]["number"]
        return found

    def events_of(self, device: str) -> list[dict[str, Any]]:
        """What one device sent, oldest first."""
        return [each for each in self.events() if each["deviceId"] == device]

    def stop(self) -> int:
        """End it with a termination signal; gives the exit code."""
        code = self.local.stop()
        self.local.close()
        return code

    def kill(self) -> None:
        """End it as a power cut would."""
        self.local.kill()
        self.local.close()

    def __enter__(self) -> "HubProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@contextmanager
def hubs_until_the_end() -> Iterator[Callable[..., HubProcess]]:
    """What starts hubs, with the arguments of HubProcess; those that still run at the end are killed."""
    started: list[HubProcess] = []

    def start(folder: Path, *options: str, **more: Any) -> HubProcess:
        started.append(HubProcess(folder, *options, **more))
        return started[-1]

    try:
        yield start
    finally:
        for each in started:
            if each.process.poll() is None:
                each.kill()
