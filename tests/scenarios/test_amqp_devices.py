"""Commands that call and change devices do not mind that those are connected over AMQP."""

import json
import threading
from collections.abc import Iterator

import pytest

from azext_iotjobs.localhub.amqp.wire.message import Message, Properties
from tests.conftest import ScenarioHub
from tests.helpers.amqp_socket import AmqpSocket
from tests.helpers.waiting import wait_until

DESIRED = "/notifications/twin/properties/desired"


class AmqpDevice:
    """A device in a thread of its own, which answers each call with what it was given."""

    def __init__(self, hub: ScenarioHub, name: str) -> None:
        self.desired: list[dict[str, object]] = []
        self._methods, self._twin = f"/devices/{name}/methods/devicebound", f"/devices/{name}/twin"
        hub.new_device(name)
        identity = hub.for_devices.ok("GET", f"/devices/{name}")
        self._wire = AmqpSocket(hub.for_devices)
        assert self._wire.put_token(identity["authentication"]["symmetricKey"]["primaryKey"], f"devices/{name}") == 200
        for handle, address in enumerate((self._methods, self._twin)):
            self._wire.sender(address, handle)
            self._wire.receiver(address, handle + 2)
        request = Message(
            annotations={"operation": "PUT", "resource": DESIRED}, properties=Properties(correlation_id="1")
        )
        self._wire.message(1, request)
        self._wire.next(3)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over.is_set():
            self._wire.read(0.05)
            if (called := self._wire.arrived(2)) is not None:
                properties = Properties(correlation_id=called[1].properties.correlation_id)
                status = {"IoThub-status": 201}
                self._wire.message(
                    0, Message(properties=properties, application_properties=status, data=(called[1].body,))
                )
            if (changed := self._wire.arrived(3)) is not None:
                self.desired.append(json.loads(changed[1].body))

    def close(self) -> None:
        """It goes."""
        self._is_over.set()
        self._thread.join()
        self._wire.close()


@pytest.fixture
def device(hub: ScenarioHub) -> Iterator[AmqpDevice]:
    made = AmqpDevice(hub, "amqp-pump")
    yield made
    made.close()


def test_methods_jobs_and_twins_reach_a_device_over_amqp(hub: ScenarioHub, device: AmqpDevice) -> None:
    hub.wait_for_connection("amqp-pump")
    own = f"-n {hub.name} -d amqp-pump"
    call = hub.az.json(f"iot hub invoke-device-method {own} --method-name reboot --method-payload", '{"delay": 5}')
    assert call == {"status": 201, "payload": {"delay": 5}}
    hub.az.json(f"iot hub device-twin update {own} --desired", '{"speed": 7}')
    wait_until("the device is told", lambda: any(each.get("speed") == 7 for each in device.desired))
    job = hub.az.json(
        f"iot hub job create -n {hub.name} --job-id amqp-reboot --job-type scheduleDeviceMethod --method-name reboot",
        "--query-condition",
        "deviceId = 'amqp-pump'",
        "--wait",
    )
    assert job["deviceJobStatistics"]["succeededCount"] == 1
