"""Simulated devices on a thread, at a local hub; they count what they received."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.identity import NewIdentity
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.operations.simulate import event_loop
from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.events import Activity, ActivityKind
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from azext_iotjobs.transport.http import HttpTransport
from tests.helpers.hub_process import HubProcess

READY_LIMIT_S = 30


@contextmanager
def client_of(process: HubProcess) -> Iterator[HubClient]:
    """A client of a local hub, as its owner; its connections are closed at the end."""
    target = HubTarget(
        host="localhost",
        https_port=process.info["httpsPort"],
        mqtt_port=process.info["mqttPort"],
        ca_file=process.info["caCertificatePath"],
        is_local=True,
    )
    client = HubClient.open(target, SasKey(policy="iothubowner", key=process.key()), SystemClock())
    try:
        yield client
    finally:
        assert isinstance(client.transport, HttpTransport)
        client.transport.close()


class DevicesOnThread:
    """Devices that are registered, and were connected once if ever they are; `calls` is how often each was called."""

    def __init__(
        self, hub: HubClient, ids: Sequence[str], behaviour: Behaviour | Mapping[str, Behaviour] | None = None
    ) -> None:
        """behaviour: of all of them, or of each by its id; None: they do nothing but answer."""
        self.calls: Counter[str] = Counter()
        self.stop = threading.Event()
        self._left = threading.Semaphore(0)
        self._has_begun: set[str] = set()
        plan = TelemetryPlan(text="ping", count=1_000_000, interval_s=60)
        devices = []
        for device in ids:
            key = hub.identities.create(NewIdentity(device_id=device)).primary_key
            assert key is not None
            devices.append(
                event_loop.SimulatedDevice(
                    device_id=device,
                    credential=DeviceKey(device_id=device, key=key),
                    behaviour=behaviour[device] if isinstance(behaviour, Mapping) else behaviour or Behaviour(),
                    plan=plan,
                )
            )
        self._thread = ThreadPoolExecutor(1)
        self._end = self._thread.submit(event_loop.run, hub.target, devices, self._report, SystemClock(), self.stop)
        for _ in ids:
            assert self._left.acquire(timeout=READY_LIMIT_S)

    def close(self) -> None:
        self.stop.set()
        self._thread.shutdown()

    def _report(self, device: str, activity: Activity) -> None:
        if activity.kind in (ActivityKind.READY, ActivityKind.ABSENT) and device not in self._has_begun:
            self._has_begun.add(device)
            self._left.release()
        if activity.kind is ActivityKind.METHOD:
            self.calls[device] += 1


@contextmanager
def devices_of(
    process: HubProcess, ids: Sequence[str], behaviour: Behaviour | Mapping[str, Behaviour] | None = None
) -> Iterator[DevicesOnThread]:
    """Devices of a local hub, as DevicesOnThread has them, until the block ends."""
    with client_of(process) as client:
        devices = DevicesOnThread(client, ids, behaviour)
    try:
        yield devices
    finally:
        devices.close()
