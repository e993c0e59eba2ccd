"""python -m azext_iotjobs.cli.simulate: simulated devices without az, for a program that starts and ends this process.

Its first line of standard input is a JSON object: where the hub is, who the devices are, and how they behave. When all
have been connected it writes one line. It ends when its standard input does.

Exit codes: 0 ended, 1 an error, which is on stderr.
"""

import json
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

from azext_iotjobs.cli.simulate.behaviour.file import parse_behaviour
from azext_iotjobs.cli.simulate.behaviour.options import SeededBehaviour
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.simulate import event_loop
from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.events import Activity, ActivityKind, DeviceInfo

CONNECTED = "connected"


class _Observer:
    """Says when all devices have been connected, but for those that by their behaviour never are."""

    def __init__(self, device_count: int) -> None:
        self._device_count = device_count
        self._connected: set[str] = set()

    def __call__(self, device_id: str, activity: Activity) -> None:
        if activity.kind in (ActivityKind.READY, ActivityKind.ABSENT) and device_id not in self._connected:
            self._connected.add(device_id)
            if len(self._connected) == self._device_count:
                sys.stdout.write(CONNECTED + "\n")
                sys.stdout.flush()
        elif activity.kind in (ActivityKind.REFUSED, ActivityKind.NOT_CONNECTED):
            sys.stderr.write(f"{device_id}: {activity.kind.value}, {activity.details.get('reason')}\n")


def main() -> int:
    """Simulate until standard input ends; gives the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that ends this process
    settings = json.loads(sys.stdin.readline())
    stop = threading.Event()
    threading.Thread(target=_stop_with_input, args=(stop,), daemon=True).start()
    target = HubTarget(
        host=settings["host"],
        https_port=settings["httpsPort"],
        mqtt_port=settings["mqttPort"],
        ca_file=settings["caFile"],
        is_local=True,
    )
    try:
        devices = _devices(settings)
        event_loop.run(target, devices, _Observer(len(devices)), SystemClock(), stop, seed=settings["seed"])
    except IotJobsError as err:
        sys.stderr.write(f"{err}{f' {err.hint}' if err.hint else ''}\n")
        return 1
    return 0


def _devices(settings: Mapping[str, Any]) -> list[event_loop.SimulatedDevice]:
    """Raises BadValue for a behaviour that is none."""
    rules = parse_behaviour(settings["behaviour"], settings["behaviourName"], Behaviour())
    behaviour = SeededBehaviour(rules=rules, seed=settings["seed"])
    return [
        event_loop.SimulatedDevice(
            device_id=each,
            credential=DeviceKey(device_id=each, key=settings["key"], policy=settings["policy"]),
            behaviour=behaviour.of(DeviceInfo(device_id=each, number=number)),
            plan=None,
            number=number,
        )
        for number, each in enumerate(settings["deviceIds"])
    ]


def _stop_with_input(stop: threading.Event) -> None:
    for _ in sys.stdin:
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
