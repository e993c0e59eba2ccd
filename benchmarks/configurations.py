"""What a round of configurations takes, and how long others wait meanwhile.

The hub is a real one, in a process of its own, with three of four devices as targets. The first round sets something on
each of them, the second one finds that nothing is to be done. While each of them runs, one client after the other asks
for a twin.

Run: .venv/bin/python benchmarks/configurations.py [--devices 100000] [--configurations 5]
With --short it takes some seconds, with fewer devices: `make test` looks whether it still runs.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from tests.helpers.hub_process import HubProcess  # noqa: E402

AT_ONCE = 100  # of one bulk request
SHORT_DEVICES = 1200
CONDITION = "tags.ring != 3"


def create_devices(hub: HubProcess, count: int) -> None:
    for begin in range(0, count, AT_ONCE):
        numbers = range(begin, min(begin + AT_ONCE, count))
        devices = [{"id": f"d{each}", "importMode": "create", "tags": {"ring": each % 4}} for each in numbers]
        hub.ok("POST", "/devices", devices)


def put(hub: HubProcess, number: int, **members: Any) -> None:
    content = {"deviceContent": {f"properties.desired.group{number}": {"speed": number}}}
    body = {"content": content, "targetCondition": CONDITION, **members}
    hub.ok("PUT", f"/configurations/c{number}", body, headers={"If-Match": "*"} if members else {})


def cpu_s(hub: HubProcess) -> float:
    """CPU time that the hub has used."""
    fields = Path(f"/proc/{hub.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def watched(hub: HubProcess, what: str, is_over: Callable[[], bool]) -> None:
    """Ask for a twin until a round is over; print what it took."""
    begun_s, cpu_before_s, waits_ms = time.monotonic(), cpu_s(hub), []
    while not is_over():
        asked_s = time.monotonic()
        hub.ok("GET", "/twins/d0")
        waits_ms.append(1000 * (time.monotonic() - asked_s))
    took_s, used_s = time.monotonic() - begun_s, cpu_s(hub) - cpu_before_s
    waits_ms.sort()
    say(
        f"{what:<28} {took_s:7.1f} s, hub {used_s:6.1f} s of CPU; a request took {statistics.median(waits_ms):.1f} ms, "
        f"99 of 100 at most {waits_ms[int(0.99 * len(waits_ms))]:.1f} ms, the longest {waits_ms[-1]:.1f} ms"
    )


def applied(hub: HubProcess, number: int) -> int:
    results = hub.ok("GET", f"/configurations/c{number}")["systemMetrics"]["results"]
    return int(results.get("appliedCount", 0))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def measure(devices: int, configurations: int) -> None:
    targets = sum(number % 4 != 3 for number in range(devices))
    with tempfile.TemporaryDirectory() as folder, HubProcess(Path(folder)) as hub:
        create_devices(hub, devices)
        for number in range(configurations):
            put(hub, number)
        last = configurations - 1
        watched(hub, "a round that sets all of it", lambda: applied(hub, last) == targets)
        say(f"{devices} devices, {configurations} configurations, applied to {applied(hub, last)} each")
        metrics = {"queries": {"all": "SELECT deviceId FROM devices"}}
        put(hub, last, metrics=metrics)
        found = f"/configurations/c{last}"
        watched(
            hub,
            "a round with nothing to set",
            lambda: hub.ok("GET", found)["metrics"]["results"] == {"all": devices},
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--configurations", type=int, default=5)
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_args()
    measure(SHORT_DEVICES if arguments.short else arguments.devices, arguments.configurations)


if __name__ == "__main__":
    main()
