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
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from azext_iotjobs.localhub.testing import LocalHub

RESETS = 10  # of each hub


def main() -> None:
    """Start, reset and end hubs, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hubs", type=int, default=20)
    parser.add_argument("--short", action="store_true", help="three hubs")
    arguments = parser.parse_args()
    starts: list[float] = []
    cpu: list[float] = []
    resets: list[float] = []
    ends: list[float] = []
    for _ in range(3 if arguments.short else arguments.hubs + 2):
        hub = LocalHub()
        starts.append(_took_s(hub.start))
        cpu.append(_cpu_s(hub.process.pid))
        hub.create_device("pump-1")
        resets += [_took_s(hub.reset) for _ in range(RESETS)]
        ends.append(_took_s(hub.close))
    _show("the first hub is ready", starts[:1])
    _show("its CPU time", cpu[:1])
    _show("hubs from the third are ready", starts[2:])
    _show("their CPU time", cpu[2:])
    _show("reset", resets)
    _show("closed", ends)


def _show(name: str, values: list[float]) -> None:
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
