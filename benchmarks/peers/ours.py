"""A peer of benchmarks/simulator.py: devices of our simulator, without az in front.

The first line of standard input says what to do, as JSON; each other one is answered with counts; its end is the end.
"""

import json
import sys
import threading
from collections import Counter
from typing import Any

from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.simulate import event_loop
from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.events import Seen
from azext_iotjobs.transport.mqtt import MqttProtocol
from azext_iotjobs.transport.own_import import import_own


def main(told: dict[str, Any]) -> None:
    target = HubTarget(host=told["host"], https_port=told["httpsPort"], mqtt_port=told["mqttPort"], ca_file=told["ca"])
    behaviour = Behaviour()
    devices = [
        event_loop.SimulatedDevice(
            device_id=device,
            credential=DeviceKey(device_id=device, key=key),
            behaviour=behaviour,
            plan=None,
            number=number,
        )
        for number, (device, key) in enumerate(told["devices"].items())
    ]
    seen: Counter[str] = Counter()
    begin, stop = threading.Event(), threading.Event()

    def on_seen(_device: str, what: Seen) -> None:
        seen[what.what.value] += 1

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == "connect":
                begin.set()
            lost = {name: seen[name] for name in ("lost", "not-connected", "refused", "dropped") if seen[name]}
            sys.stdout.write(json.dumps({"ready": seen["ready"], "answered": seen["answer"], "trouble": lost}) + "\n")
            sys.stdout.flush()
        stop.set()
        begin.set()

    import_own("paho.mqtt.client", version_of="paho.mqtt", at_least=(2, 0))  # not a device's memory
    threading.Thread(target=listen, daemon=True).start()
    begin.wait()
    way = MqttProtocol.WEBSOCKET if told["isWebSocket"] else MqttProtocol.TLS
    event_loop.run(target, devices, on_seen, SystemClock(), stop, way, ramp_per_s=told["rampPerSecond"])


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
