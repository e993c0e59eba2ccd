"""What a local hub costs a test: to start one, to reset one, to end one.

The first hub of a program loads its modules; where hubs are forked, on Linux, all from the third one have them. A run
of pytest with our fixtures begins to load them when its tests are collected. Wall clock depends on what else the
machine does; a hub's CPU time until it is ready does so far less, and the test's own process has little more.

Run: .venv/bin/python benchmarks/fixtures.py [--hubs 20]
With --short it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from azext_iotjobs.localhub.testing import LocalHub
from benchmarks.row import Row

RESETS = 10  # of each hub
HUBS, SHORT_HUBS = 22, 3


class Figures(NamedTuple):
    """Seconds of each hub, in the order in which they were started."""

    starts: list[float]
    cpu: list[float]  # until it was ready
    resets: list[float]
    ends: list[float]

    @property
    def shown(self) -> dict[str, list[float]]:
        """By what they are of; the first two hubs load what the others have."""
        return {
            "the first hub is ready": self.starts[:1],
            "its CPU time": self.cpu[:1],
            "hubs from the third are ready": self.starts[2:],
            "their CPU time": self.cpu[2:],
            "reset": self.resets,
            "closed": self.ends,
        }


def measure(hubs: int) -> Figures:
    """Start, reset and end hubs, one after the other; at least three."""
    found = Figures([], [], [], [])
    for _ in range(hubs):
        hub = LocalHub()
        found.starts.append(_took_s(hub.start))
        found.cpu.append(_cpu_s(hub.process.pid))
        hub.create_device("pump-1")
        found.resets.extend(_took_s(hub.reset) for _ in range(RESETS))
        found.ends.append(_took_s(hub.close))
    return found


def rows(_wanted: set[str], is_short: bool) -> Iterator[Row]:
    """For the page."""
    hubs = SHORT_HUBS if is_short else HUBS
    found = measure(hubs)
    note = f"median of {hubs - 2} hubs, the first at {found.starts[0]:.2f} s"
    yield Row(
        "fixture_start", "a test's local hub until it is ready", "s", statistics.median(found.starts[2:]), notes=(note,)
    )
    yield Row("fixture_reset", "a test's local hub emptied", "s", statistics.median(found.resets))


def main() -> None:
    """Measure, and print the spread of each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hubs", type=int, default=HUBS - 2)
    parser.add_argument("--short", action="store_true", help="three hubs")
    arguments = parser.parse_args()
    for name, values in measure(SHORT_HUBS if arguments.short else arguments.hubs + 2).shown.items():
        spread = f"median {statistics.median(values):.3f} s, best {min(values):.3f} s, worst {max(values):.3f} s"
        sys.stdout.write(f"{name:30} {spread}\n")


def _took_s(action: Callable[[], None]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def _cpu_s(pid: int) -> float:
    """The CPU time of a process of this machine, as Linux counts it; 0 elsewhere."""
    file = Path(f"/proc/{pid}/stat")
    if not file.exists():
        return 0.0
    user, system = file.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
