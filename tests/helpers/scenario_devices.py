"""Simulated devices of a scenario's hub, in one loop on a thread."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.connection_string import parse_connection_string
from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.identity import NewIdentity
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.operations.simulate import event_loop
from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.events import Seen, What
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from tests.conftest import ScenarioHub
from tests.helpers.waiting import wait_until


class ScenarioDevices:
    """They are registered, and listen when this is made; `calls` are those that were called, in order."""

    def __init__(self, hub: ScenarioHub, behaviours: Mapping[str, Behaviour]) -> None:
        document = hub.document
        login = parse_connection_string(document["connectionString"])
        assert login.policy is not None and login.key is not None
        target = HubTarget(
            host="localhost",
            https_port=document["httpsPort"],
            mqtt_port=document["mqttPort"],
            ca_file=document["caCertificatePath"],
            is_local=True,
        )
        self.client = HubClient.open(target, SasKey(policy=login.policy, key=login.key), SystemClock())
        self.calls: list[str] = []
        self._stop = threading.Event()
        self._ready: set[str] = set()
        devices = [self._device(name, behaviour) for name, behaviour in behaviours.items()]
        self._thread = ThreadPoolExecutor(1)
        self._end = self._thread.submit(event_loop.run, target, devices, self.seen, SystemClock(), self._stop)
        wait_until("all devices listen", lambda: len(self._ready) == len(devices))

    def seen(self, device: str, seen: Seen) -> None:
        """A device has seen or done something; on the thread."""
        if seen.what is What.READY:
            self._ready.add(device)
        if seen.what is What.METHOD:
            self.calls.append(device)

    def close(self) -> None:
        """End them; none of them has failed."""
        self._stop.set()
        self._thread.shutdown()
        assert self._end.result().failures == {}

    def _device(self, name: str, behaviour: Behaviour) -> event_loop.SimulatedDevice:
        key = self.client.identities.create(NewIdentity(device_id=name)).primary_key
        assert key is not None
        return event_loop.SimulatedDevice(
            device_id=name,
            credential=DeviceKey(device_id=name, key=key),
            behaviour=behaviour,
            plan=TelemetryPlan(text="ping", count=10_000, interval_s=60),
        )
