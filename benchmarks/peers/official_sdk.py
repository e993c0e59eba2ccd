"""A peer of benchmarks/simulator.py: devices of Microsoft's azure-iot-device. Runs in that SDK's own environment.

The first line of standard input says what to do, as JSON; each other one is answered with counts; its end is the end.
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from azure.iot.device import IoTHubDeviceClient, MethodResponse

CONNECTING_THREADS = 32


def main(told: dict[str, Any]) -> None:
    with open(told["ca"], encoding="ascii") as file:
        trusted = file.read()
    ready: set[str] = set()
    answered = [0]
    clients = []

    def connect(item: tuple[str, str]) -> None:
        device, key = item
        client = IoTHubDeviceClient.create_from_symmetric_key(
            key, told["host"], device, server_verification_cert=trusted
        )

        def answer(call: Any) -> None:
            answered[0] += 1
            client.send_method_response(MethodResponse.create_from_method_request(call, 200, call.payload))

        client.connect()
        client.on_method_request_received = answer  # subscribes, and waits for that
        clients.append(client)
        ready.add(device)

    def work() -> None:
        with ThreadPoolExecutor(CONNECTING_THREADS) as pool:
            list(pool.map(connect, told["devices"].items()))

    for line in sys.stdin:
        if line.strip() == "connect":
            threading.Thread(target=work, daemon=True).start()
        sys.stdout.write(json.dumps({"ready": len(ready), "answered": answered[0]}) + "\n")
        sys.stdout.flush()
    with ThreadPoolExecutor(CONNECTING_THREADS) as pool:
        list(pool.map(lambda client: client.shutdown(), clients))


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
