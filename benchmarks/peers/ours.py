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
from azext_iotjobs.simulator.events import Activity
from azext_iotjobs.transport.mqtt import MqttProtocol
from azext_iotjobs.transport.own_import import import_own


def main(settings: dict[str, Any]) -> None:
    target = HubTarget(
        host=settings["host"], https_port=settings["httpsPort"], mqtt_port=settings["mqttPort"], ca_file=settings["ca"]
    )
    behaviour = Behaviour()
    devices = [
        event_loop.SimulatedDevice(
            device_id=device,
            credential=DeviceKey(device_id=device, key=key),
            behaviour=behaviour,
            plan=None,
            number=number,
        )
        for number, (device, key) in enumerate(settings["devices"].items())
    ]
    counts: Counter[str] = Counter()
    begin, stop = threading.Event(), threading.Event()

    def on_activity(_device: str, activity: Activity) -> None:
        counts[activity.kind.value] += 1

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == "connect":
                begin.set()
            lost = {name: counts[name] for name in ("lost", "not-connected", "refused", "dropped") if counts[name]}
            sys.stdout.write(
                json.dumps({"ready": counts["ready"], "answered": counts["answer"], "trouble": lost}) + "\n"
            )
            sys.stdout.flush()
        stop.set()
        begin.set()

    import_own("paho.mqtt.client", version_of="paho.mqtt", at_least=(2, 0))  # not a device's memory
    threading.Thread(target=listen, daemon=True).start()
    begin.wait()
    way = MqttProtocol.WEBSOCKET if settings["isWebSocket"] else MqttProtocol.TLS
    event_loop.run(target, devices, on_activity, SystemClock(), stop, way, ramp_per_s=settings["rampPerSecond"])


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
