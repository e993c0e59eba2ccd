"""A device made of plain paho-mqtt: says on the wire just what a test tells it to."""

import json
import queue
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.helpers.any_hub import AnyHub, sas

LIMIT_S = 20
CONNACK = {0: 0, 0x84: 1, 0x85: 2, 0x88: 3, 0x86: 4, 0x87: 5}  # paho's reason codes -> MQTT 3.1.1's return codes


class MqttDevice:
    """One connection of a device; threads are paho's own."""

    def __init__(self, hub: AnyHub, device: str, key: str, **other: Any) -> None:
        self.device = device
        self.arrived: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.connack: queue.Queue[int] = queue.Queue()
        self.lost: queue.Queue[Any] = queue.Queue()
        self.on_method: Callable[[str, Any], tuple[int, Any]] | None = None
        self._granted: queue.Queue[Any] = queue.Queue()
        context = ssl.create_default_context(cafile=hub.ca)
        if "tls" in other:
            context.minimum_version = context.maximum_version = other["tls"]
        if "certificate" in other:
            context.load_cert_chain(*other["certificate"])
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=other.get("client_id", device),
            clean_session=other.get("clean_session", True),
            protocol=other.get("protocol", paho.MQTTv311),
            reconnect_on_failure=False,
            manual_ack=other.get("manual_ack", False),
            transport="websockets" if other.get("websocket") else "tcp",
        )
        self.client.tls_set_context(context)
        self._opened: ssl.SSLSocket | None = None
        self._host = other.get("host", hub.host)  # whom the hub has to prove to be
        self.client._ssl_wrap_socket = partial(self._wrap, context)  # type: ignore[method-assign]
        self.client.username_pw_set(
            other.get("username", f"{self._host}/{device}/?api-version=2021-04-12"),
            other.get("password", sas(key, f"{self._host}/devices/{device}", life_s=other.get("life_s", 600))),
        )
        if "will" in other:
            self.client.will_set(*other["will"])
        self.client.on_connect = lambda _c, _u, _f, reason, _p: self.connack.put(CONNACK[reason.value])
        self.client.on_disconnect = lambda _c, _u, _f, reason, _p: self.lost.put(reason)
        self.client.on_subscribe = lambda _c, _u, _m, granted, _p: self._granted.put([each.value for each in granted])
        self.client.on_message = self._on_message
        self.client.ws_set_options(path="/$iothub/websocket")
        port = hub.https_port if other.get("websocket") else hub.mqtt_port
        self._address = (hub.host, port, other.get("keepalive", 60))

    def connect(self) -> int:
        """Connect; gives the CONNACK code."""
        try:
            self.client.connect(*self._address)
        except Exception:
            # paho leaves the socket of a handshake that failed open: a hub that is killed just then has us leak it.
            if self._opened is not None:
                self._opened.close()
            raise
        self.client.loop_start()
        return self.connack.get(timeout=LIMIT_S)

    def subscribe(self, *filters: str, qos: int = 0) -> Any:
        self.client.subscribe([(each, qos) for each in filters])
        return self._granted.get(timeout=LIMIT_S)

    def answer_methods(self, answer: Callable[[str, Any], tuple[int, Any]]) -> None:
        self.on_method = answer
        self.subscribe("$iothub/methods/POST/#")

    def publish(self, topic: str, payload: Any = b"", *, qos: int = 0, retain: bool = False) -> Any:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self.client.publish(topic, body, qos=qos, retain=retain)

    def next(self) -> tuple[str, Any]:
        """The next message that is no method call: its topic, and its JSON or None."""
        topic, payload = self.arrived.get(timeout=LIMIT_S)
        return topic, json.loads(payload) if payload else None

    def wait_for_loss(self) -> None:
        self.lost.get(timeout=LIMIT_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _wrap(self, context: ssl.SSLContext, sock: socket.socket) -> ssl.SSLSocket:
        self._opened = context.wrap_socket(sock, server_hostname=self._host, do_handshake_on_connect=False)
        self._opened.settimeout(LIMIT_S)
        self._opened.do_handshake()
        return self._opened

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        if self.on_method is None or not message.topic.startswith("$iothub/methods/POST/"):
            self.arrived.put((message.topic, message.payload))
            return
        name, rid = message.topic.split("/")[3], message.topic.split("$rid=")[1]
        status, payload = self.on_method(name, json.loads(message.payload))
        self.publish(f"$iothub/methods/res/{status}/?$rid={rid}", payload)


def wait_for_connection_state(hub: AnyHub, device: str, state: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while hub.ok("GET", f"/devices/{device}")["connectionState"] != state:
        assert time.monotonic() < deadline, f"{device} is not {state}"
        time.sleep(0.02)


def is_acknowledged(sent: paho.MQTTMessageInfo) -> bool:
    """Whether the hub has acknowledged a message; paho raises for one whose connection ended as it was sent."""
    return sent.rc == paho.MQTT_ERR_SUCCESS and sent.is_published()
