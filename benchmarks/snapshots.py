"""What it costs to make a snapshot of a local hub, and to bring the hub back to it, by how many devices it has.

Run: .venv/bin/python benchmarks/snapshots.py [--rounds 20]
With --short it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from azext_iotjobs.localhub.testing import LocalHub

DEVICES = (10, 1_000, 10_000)


def main() -> None:
    """Measure hubs in memory, the small one first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--short", action="store_true", help="one round with few devices")
    arguments = parser.parse_args()
    for count in DEVICES[:1] if arguments.short else DEVICES:
        measure(count, 1 if arguments.short else arguments.rounds)


def measure(device_count: int, rounds: int) -> None:
    """Print what it takes with so many devices."""
    fleet = {"deviceId": f"d{{1..{device_count}}}", "tags": {"site": "north"}, "properties": {"desired": {"rate": 5}}}
    made: list[float] = []
    restored: list[float] = []
    with LocalHub(seed={"devices": [fleet]}) as hub:
        for _ in range(rounds):
            began = time.monotonic()
            snapshot = hub.snapshot()
            made.append(time.monotonic() - began)
            began = time.monotonic()
            snapshot.restore()
            restored.append(time.monotonic() - began)
    size = len(snapshot.content) / 1e6
    for name, values in (("made", made), ("restored", restored)):
        best, median = 1000 * min(values), 1000 * statistics.median(values)
        sys.stdout.write(
            f"{device_count:6,} devices, {size:4.1f} MB, {name:8} median {median:4.0f} ms, best {best:4.0f} ms\n"
        )


if __name__ == "__main__":
    main()
