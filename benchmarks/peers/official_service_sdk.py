"""A peer of benchmarks/direct_calls.py: methods called with Microsoft's azure-iot-hub, in threads, where it
is installed.

The line of standard input says what to do, as JSON; the answer is what it took: `seconds` from the first call to the
last answer, and `done`, the calls that were answered with 200. Each thread has a client of its own, made before.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod


def main(told: dict[str, Any]) -> None:
    managers = [IoTHubRegistryManager.from_connection_string(told["hub"]) for _ in range(told["atOnce"])]
    method = CloudToDeviceMethod(method_name="reboot", payload={"delay": 5}, response_timeout_in_seconds=30)

    def call(number: int) -> int:
        """One thread's share of the devices."""
        manager = managers[number]
        return sum(
            manager.invoke_device_method(device, method).status == 200
            for device in told["ids"][number :: told["atOnce"]]
        )

    with ThreadPoolExecutor(told["atOnce"]) as pool:
        began = time.monotonic()
        done = sum(pool.map(call, range(told["atOnce"])))
        seconds = time.monotonic() - began
    sys.stdout.write(json.dumps({"seconds": seconds, "done": done}) + "\n")


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
