"""Events and messages over AMQP, as a user at a terminal meets them, with a local hub."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.waiting import wait_until

READY = "Starting event monitor"


def telemetry(hub: ScenarioHub, device: str, body: object, **headers: str) -> None:
    """A device sends one message."""
    hub.for_devices.ok("POST", f"/devices/{device}/messages/events", body)


def received(hub: ScenarioHub, device: str) -> None:
    """The device receives the oldest message, and completes it."""
    hub.az.json("iot device c2d-message receive", "-n", hub.name, "-d", device, "--complete", "true")


@pytest.fixture
def monitor(hub: ScenarioHub, tmp_path: Path) -> Iterator["Monitor"]:
    made = Monitor(hub, tmp_path / "events.out")
    yield made
    made.end()


class Monitor:
    """A monitor-events that runs beside the test."""

    def __init__(self, hub: ScenarioHub, output: Path) -> None:
        self.hub = hub
        self.output = output
        self.process: Popen[bytes] | None = None

    def start(self, *words: str) -> None:
        """Start it, and wait until events can come."""
        self.process = self.hub.az.start("iot hub monitor-events", "-n", self.hub.name, *words, output=self.output)
        wait_until("events can come", lambda: READY in self.said())

    def said(self) -> str:
        return Path(f"{self.output}.err").read_text()

    def shown(self) -> list[str]:
        return self.output.read_text().splitlines()

    def end(self) -> int:
        """End it by Ctrl-C, if it has not ended; gives its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGINT)
        return self.process.wait(30)
