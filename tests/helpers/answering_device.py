"""A device on paho-mqtt: connects to a local hub with its key, and answers methods as it is told."""

import json
import ssl
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.helpers.hub_process import HubProcess, sas

LIMIT_S = 60.0
Answer = Callable[[str, Any], tuple[int, Any] | None]  # (method name, payload) -> (status, payload), None: silence


class MqttDevice:
    """One connected device. `calls` and `desired` hold what has reached it, oldest first."""

    def __init__(self, hub: HubProcess, device_id: str, answer: Answer) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.desired: list[Any] = []
        self.called = threading.Event()
        self.told = threading.Event()
        self._answer = answer
        self._listens = threading.Event()
        key = hub.ok("GET", f"/devices/{device_id}")["authentication"]["symmetricKey"]["primaryKey"]
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=device_id, reconnect_on_failure=False)
        self._client.username_pw_set(
            f"localhost/{device_id}/?api-version=2021-04-12", sas(key, f"localhost/devices/{device_id}")
        )
        self._client.tls_set_context(ssl.create_default_context(cafile=hub.ca))
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._listens.set()
        self._client.on_message = self._on_message
        self._client.connect("localhost", hub.ports[1])
        self._client.loop_start()
        assert self._listens.wait(LIMIT_S), "the device did not get in"

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe([("$iothub/methods/POST/#", 0), ("$iothub/twin/PATCH/properties/desired/#", 0)])

    def _on_message(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        document = json.loads(message.payload) if message.payload else None
        words = message.topic.split("/")
        if words[1] == "twin":
            self.desired.append(document)
            self.told.set()
            return
        self.calls.append((words[3], document))
        given = self._answer(words[3], document)
        if given is not None:
            client.publish(f"$iothub/methods/res/{given[0]}/{words[4]}", json.dumps(given[1]))
        self.called.set()

    def __enter__(self) -> "MqttDevice":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
