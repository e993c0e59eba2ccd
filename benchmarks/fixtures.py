"""What a local hub costs a test: to start one, to reset one, to end one.

Wall clock depends on what else the machine does; the hub's own CPU time does so far less.

Run: .venv/bin/python benchmarks/fixtures.py [--hubs 20]
With --short it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from azext_iotjobs.localhub.testing import LocalHub

RESETS = 10  # of each hub


def main() -> None:
    """Start, reset and end hubs, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hubs", type=int, default=20)
    parser.add_argument("--short", action="store_true", help="one hub")
    arguments = parser.parse_args()
    starts: list[float] = []
    resets: list[float] = []
    ends: list[float] = []
    hubs = 1 if arguments.short else arguments.hubs
    for _ in range(hubs):
        hub = LocalHub()
        starts.append(_took_s(hub.start))
        hub.create_device("pump-1")
        resets += [_took_s(hub.reset) for _ in range(RESETS)]
        ends.append(_took_s(hub.close))
    for name, values in (("started and ready", starts), ("reset", resets), ("closed", ends)):
        sys.stdout.write(f"{name:34} median {statistics.median(values):.3f} s, best {min(values):.3f} s\n")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = (used.ru_utime + used.ru_stime) / hubs
    sys.stdout.write(f"{'CPU of a hub, from start to end':34} {cpu_s:.3f} s\n")


def _took_s(action: Callable[[], None]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
