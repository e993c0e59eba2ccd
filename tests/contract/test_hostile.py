"""Hundreds of hostile connections at once, on all ports, while an honest device and an honest service are served on.

The short form is the same on every run; IOTJOBS_TORTURE=1 sends many more. A failure prints the seed.
"""

import itertools
import os
import queue
import random
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.helpers.hostile import ATTACKS, VERSION, Attack, Target
from tests.helpers.hostile_amqp import AMQP_ATTACKS
from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice
from tests.helpers.short_form import IN_FULL
from tests.helpers.waiting import wait_until

pytestmark = pytest.mark.local_hub("attacks the hub")

resource = pytest.importorskip("resource")  # Windows has no such limits
KINDS = (*ATTACKS, *AMQP_ATTACKS)
CONNECTIONS = 3000 if IN_FULL else 150
AT_ONCE = 24
GROWTH_BOUND_KIB = 96 * 1024  # nothing is held for those who are gone; an allocator keeps some of what was needed once
SLOWEST_S = 10.0  # for an honest call; two cores serve the hub, its enemies and this test


class Honest:
    """A service and a device that go about their work until told to end.

    session: the connection to use; None: a new one for every call.
    """

    def __init__(self, hub: HubProcess, session: requests.Session | None = None) -> None:
        self._session = session
        self.calls, self.slowest_s = 0, 0.0
        self.failed: Exception | None = None
        self._hub, self._ends = hub, threading.Event()
        self._device = MqttDevice(
            hub, "honest", hub.new_device("honest")["authentication"]["symmetricKey"]["primaryKey"]
        )
        assert self._device.connect() == 0
        self._device.answer_methods(lambda _method, value: (200, value))
        self._device.subscribe("$iothub/twin/res/#")
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        try:
            while not self._ends.is_set():
                self._call(self.calls)
                self.calls += 1
        except (AssertionError, OSError, ValueError, queue.Empty) as err:
            self.failed = err

    def _call(self, number: int) -> None:
        began = time.monotonic()
        self._ok("PATCH", "/twins/honest", {"tags": {"n": number}})
        answer = self._ok("POST", "/twins/honest/methods", {"methodName": "echo", "payload": number})
        assert answer == {"status": 200, "payload": number}
        self._device.publish(f"$iothub/twin/PATCH/properties/reported/?$rid={number}", {"n": number})
        assert self._device.next()[0].startswith(f"$iothub/twin/res/204/?$rid={number}&")
        assert self._ok("GET", "/twins/honest")["properties"]["reported"]["n"] == number
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def _ok(self, method: str, path: str, body: Any = None) -> Any:
        return self._hub.ok(method, path, body, session=self._session)

    def end(self) -> None:
        self._ends.set()
        self._thread.join()
        if self._session is not None:
            self._session.close()
        self._device.close()


def attack(target: Target, kind: Attack, seed: int) -> None:
    try:
        kind(target, random.Random(seed))
    except OSError:
        pass  # cut by the hub, as it may


def resident_kib(hub: HubProcess) -> int:
    text = Path(f"/proc/{hub.process.pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS:")).split()[1])


def open_files(hub: HubProcess) -> int:
    return len(os.listdir(f"/proc/{hub.process.pid}/fd"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory and open files are read from /proc")
@pytest.mark.parametrize("asks_for_certificates", [False, True])
def test_hostile_connections_neither_stop_nor_bloat_the_hub(tmp_path: Path, asks_for_certificates: bool) -> None:
    seed = random.SystemRandom().randrange(10**6) if IN_FULL else 1
    hub = HubProcess(tmp_path)
    bad = hub.new_device("bad")["authentication"]["symmetricKey"]["primaryKey"]
    if asks_for_certificates:
        hub.new_device("by-certificate", authentication={"type": "certificateAuthority"})
    hub.ok("PATCH", "/twins/bad", {"tags": {}, "properties": {"desired": {f"k{n}": "x" * 4000 for n in range(7)}}})
    honest, target = Honest(hub), Target(hub, bad, "bad")
    wait_until("the honest ones have begun", lambda: honest.calls > 5)
    files, memory = open_files(hub), resident_kib(hub)
    try:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            kinds = (KINDS[number % len(KINDS)] for number in range(CONNECTIONS))
            list(threads.map(attack, itertools.repeat(target), kinds, range(seed, seed + CONNECTIONS)))
    finally:
        target.let_go()
        honest.end()
    seen = f"seed {seed}: {honest.calls} honest calls, slowest {honest.slowest_s:.1f} s, "
    assert honest.failed is None, f"{seen}{honest.failed!r}"
    wait_until("open files are what they were", lambda: open_files(hub) <= files)
    seen += f"memory {memory} -> {resident_kib(hub)} KiB"
    assert hub.ok("GET", "/_local/state")["connectedDeviceCount"] == 0, seen
    assert resident_kib(hub) - memory < GROWTH_BOUND_KIB, seen
    assert honest.slowest_s < SLOWEST_S, seen
    assert hub.stop() == 0, seen
    lines = hub.errors.splitlines()
    assert lines and all(" connection of " in line and " ended: " in line for line in lines), f"{seen}: {hub.errors}"
    assert len(lines) < 200, f"{seen}: {len(lines)} lines"


@pytest.mark.skipif(sys.platform != "linux", reason="another process's limits can be set on Linux alone")
def test_without_open_files_left_those_who_are_in_are_served_and_the_log_stays_short(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path)
    honest = Honest(hub, requests.Session())
    wait_until("the honest ones have begun", lambda: honest.calls > 3)
    limit = open_files(hub) + 20
    resource.prlimit(hub.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
    target = Target(hub, "", "")
    target.held += [target.tcp(port) for port in ("mqttPort", "httpsPort") * 50]
    wait_until("the hub has said so", lambda: "no more connections" in hub.errors)
    calls = honest.calls
    wait_until("the honest ones are served", lambda: honest.calls > calls + 5 or honest.failed)
    honest.end()
    assert honest.failed is None
    target.let_go()
    assert hub.ok("GET", "/_local/state")["connectedDeviceCount"] == 0
    with target.tls("httpsPort") as waits:  # what delays the hub's end, so that asyncio tries again to take connections
        waits.sendall(target.head("PUT", f"/devices/pump-1{VERSION}", "Content-Length: 9"))  # the body never comes
        target.held += [target.tcp(port) for port in ("mqttPort", "httpsPort") * 50]
        wait_until("there are none left again", lambda: open_files(hub) == limit)
        assert hub.stop() == 0
    target.let_go()
    (line,) = hub.errors.splitlines()
    assert line.endswith("no more connections can be accepted at present: Too many open files")


def test_the_hub_takes_as_many_open_files_as_it_may_have(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))  # as some shells have it
    try:
        hub = HubProcess(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    sockets = [socket.create_connection(("127.0.0.1", hub.info["mqttPort"])) for _ in range(400)]
    assert hub.ok("GET", "/_local/state")["deviceCount"] == 0
    for sock in sockets:
        sock.close()
    assert hub.stop() == 0


def test_a_hub_that_may_have_few_open_files_says_so() -> None:
    program = "import logging; from azext_iotjobs.localhub.process.limits import allow_many_files; allow_many_files()"
    words = ["sh", "-c", 'ulimit -n 300 && exec "$0" -c "$1"', sys.executable, program]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert "only 300 files may be open" in done.stderr
