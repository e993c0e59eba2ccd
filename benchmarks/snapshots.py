"""What it costs to make a snapshot of a local hub, and to bring the hub back to it, by how many devices it has.

Run: .venv/bin/python benchmarks/snapshots.py [--rounds 20]
With --short it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from azext_iotjobs.localhub.testing import LocalHub
from benchmarks.row import Row

DEVICES = (10, 1_000, 10_000)
ROUNDS = 20


class Figures(NamedTuple):
    """What it took with so many devices."""

    devices: int
    size_mb: float
    made_s: list[float]
    restored_s: list[float]


def main() -> None:
    """Measure hubs in memory, the small one first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--short", action="store_true", help="one round with few devices")
    arguments = parser.parse_args()
    for count in DEVICES[:1] if arguments.short else DEVICES:
        show(measure(count, 1 if arguments.short else arguments.rounds))


def measure(device_count: int, rounds: int) -> Figures:
    """Make snapshots of a hub with so many devices, and go back to each."""
    fleet = {"deviceId": f"d{{1..{device_count}}}", "tags": {"site": "north"}, "properties": {"desired": {"rate": 5}}}
    found = Figures(device_count, 0.0, [], [])
    with LocalHub(seed={"devices": [fleet]}) as hub:
        for _ in range(rounds):
            began = time.monotonic()
            snapshot = hub.snapshot()
            found.made_s.append(time.monotonic() - began)
            began = time.monotonic()
            snapshot.restore()
            found.restored_s.append(time.monotonic() - began)
    return found._replace(size_mb=len(snapshot.content) / 1e6)


def rows(_wanted: set[str], is_short: bool) -> Iterator[Row]:
    """For the page: the largest hub."""
    found = measure(DEVICES[0] if is_short else DEVICES[-1], 1 if is_short else ROUNDS)
    of = f"of a hub with {found.devices:,} devices, {found.size_mb:.1f} MB"
    for name, what, values in (("make", "made", found.made_s), ("restore", "restored", found.restored_s)):
        yield Row(f"snapshot_{name}", f"a snapshot {of}, {what}", "s", statistics.median(values))


def show(found: Figures) -> None:
    """Print it."""
    for name, values in (("made", found.made_s), ("restored", found.restored_s)):
        best, median = 1000 * min(values), 1000 * statistics.median(values)
        sys.stdout.write(
            f"{found.devices:6,} devices, {found.size_mb:4.1f} MB, {name:8} median {median:4.0f} ms, "
            f"best {best:4.0f} ms\n"
        )


if __name__ == "__main__":
    main()
