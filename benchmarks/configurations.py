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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.row import Row  # noqa: E402
from tests.helpers.hub_process import HubProcess  # noqa: E402

AT_ONCE = 100  # of one bulk request
PAGE_DEVICES, SHORT_DEVICES, CONFIGURATIONS = 20_000, 1200, 5
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


class Round(NamedTuple):
    """What a round took, and how long one who asked for a twin waited meanwhile."""

    took_s: float
    cpu_s: float  # of the hub
    waits_ms: list[float]  # ascending


def watched(hub: HubProcess, is_over: Callable[[], bool]) -> Round:
    """Ask for a twin until a round is over."""
    begun_s, cpu_before_s, waits_ms = time.monotonic(), cpu_s(hub), []
    while not is_over():
        asked_s = time.monotonic()
        hub.ok("GET", "/twins/d0")
        waits_ms.append(1000 * (time.monotonic() - asked_s))
    return Round(time.monotonic() - begun_s, cpu_s(hub) - cpu_before_s, sorted(waits_ms))


def show(what: str, found: Round) -> None:
    """Print it."""
    waits_ms = found.waits_ms
    say(
        f"{what:<28} {found.took_s:7.1f} s, hub {found.cpu_s:6.1f} s of CPU; a request took "
        f"{statistics.median(waits_ms):.1f} ms, 99 of 100 at most {waits_ms[int(0.99 * len(waits_ms))]:.1f} ms, "
        f"the longest {waits_ms[-1]:.1f} ms"
    )


def applied(hub: HubProcess, number: int) -> int:
    results = hub.ok("GET", f"/configurations/c{number}")["systemMetrics"]["results"]
    return int(results.get("appliedCount", 0))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def measure(devices: int, configurations: int) -> tuple[Round, Round]:
    """A round that sets something on all targets, and one with nothing to set; printed as they end."""
    targets = sum(number % 4 != 3 for number in range(devices))
    with tempfile.TemporaryDirectory() as folder, HubProcess(Path(folder)) as hub:
        create_devices(hub, devices)
        for number in range(configurations):
            put(hub, number)
        last = configurations - 1
        first = watched(hub, lambda: applied(hub, last) == targets)
        show("a round that sets all of it", first)
        say(f"{devices} devices, {configurations} configurations, applied to {applied(hub, last)} each")
        metrics = {"queries": {"all": "SELECT deviceId FROM devices"}}
        put(hub, last, metrics=metrics)
        found = f"/configurations/c{last}"
        second = watched(hub, lambda: hub.ok("GET", found)["metrics"]["results"] == {"all": devices})
        show("a round with nothing to set", second)
    return first, second


def rows(_wanted: set[str], is_short: bool) -> Iterator[Row]:
    """For the page: the first round, and the twin that somebody waits for meanwhile."""
    devices = SHORT_DEVICES if is_short else PAGE_DEVICES
    first, _ = measure(devices, CONFIGURATIONS)
    what = f"{CONFIGURATIONS} configurations set on three of four of {devices:,} devices"
    note = (
        f"others waited {first.waits_ms[int(0.99 * len(first.waits_ms))]:.0f} ms for a twin meanwhile, 99 of 100 times"
    )
    yield Row("configuration_round", what, "s of CPU", first.cpu_s, notes=(note,))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--configurations", type=int, default=CONFIGURATIONS)
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_args()
    measure(SHORT_DEVICES if arguments.short else arguments.devices, arguments.configurations)


if __name__ == "__main__":
    main()
