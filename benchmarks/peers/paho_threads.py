"""A peer of benchmarks/simulator.py: devices as plain paho has them, each with its own thread (loop_start).

The first line of standard input says what to do, as JSON; each other one is answered with counts; its end is the end.
"""

import base64
import hashlib
import hmac
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

CONNECTING_THREADS = 32
METHODS = "$iothub/methods/POST/#"


def main(told: dict[str, Any]) -> None:
    ready: set[str] = set()
    answered = [0]
    clients: list[paho.Client] = []

    def connect(item: tuple[str, str]) -> None:
        device, key = item
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=device, clean_session=False)
        client.username_pw_set(f"{told['host']}/{device}/?api-version=2021-04-12", token(told["host"], device, key))
        client.tls_set(ca_certs=told["ca"])
        client.on_connect = subscribe
        client.on_subscribe = lambda *_: ready.add(device)
        client.on_message = answer
        client.connect(told["host"], told["mqttPort"])
        client.loop_start()
        clients.append(client)

    def subscribe(client: paho.Client, *_: Any) -> None:
        client.subscribe(METHODS, qos=1)

    def answer(client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        answered[0] += 1
        request = message.topic.rpartition("$rid=")[2]
        client.publish(f"$iothub/methods/res/200/?$rid={request}", message.payload, qos=1)

    def work() -> None:
        with ThreadPoolExecutor(CONNECTING_THREADS) as pool:
            list(pool.map(connect, told["devices"].items()))

    worker = None
    for line in sys.stdin:
        if line.strip() == "connect":
            worker = threading.Thread(target=work, daemon=True)
            worker.start()
        sys.stdout.write(json.dumps({"ready": len(ready), "answered": answered[0]}) + "\n")
        sys.stdout.flush()
    for client in clients:
        client.disconnect()


def token(host: str, device: str, key: str) -> str:
    resource, expiry = quote(f"{host}/devices/{device}", safe=""), int(time.time()) + 3600
    mac = hmac.new(base64.b64decode(key), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    return f"SharedAccessSignature sr={resource}&sig={quote(base64.b64encode(mac), safe='')}&se={expiry}"


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
