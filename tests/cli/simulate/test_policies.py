"""Whether a policy of a name that says nothing may connect devices: one device tries, on a real hub."""

import threading
import time
from pathlib import Path

from azext_iotjobs.cli.simulate.credentials import CONNECTS_DEVICES, may_connect
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.transport.mqtt import MqttProtocol
from tests.helpers.hub_process import HubProcess


def test_what_is_known_of_the_policies_of_a_new_hub_is_what_a_device_finds(tmp_path: Path) -> None:
    with HubProcess(tmp_path, "--in-memory") as hub:
        hub.new_device("d")
        target = HubTarget(host="localhost", https_port=hub.ports[0], mqtt_port=hub.ports[1], ca_file=hub.ca)
        client = HubClient(target, None)  # type: ignore[arg-type]
        started = time.monotonic()
        found = {
            name: may_connect(client, SasKey(policy=name, key=key), "d", MqttProtocol.TLS, threading.Event())
            for name, key in hub.policies.items()
        }
        assert found == CONNECTS_DEVICES
        assert time.monotonic() - started < 20
