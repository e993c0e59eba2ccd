"""Rows of the page that are made from what other benchmarks give: direct calls, a whole run, the million."""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.hub import HubUnderLoad, allow_files, create
from benchmarks.packet_devices import PacketDevices
from benchmarks.row import Row

REPOSITORY = Path(__file__).resolve().parents[1]
SDK_PYTHON = REPOSITORY / ".venv-sdk" / "bin" / "python"
SDK_LIMIT_S = 120.0
AT_ONCE = 64
CALLED, SHORT_CALLED = 2_000, 60  # devices
RUN, SHORT_RUN = 20_000, 300

SIZES = (10_000, 100_000, 1_000_000)
STARTED = "started again"
STEPS_OF_MILLION = {
    "seeded": "seed",
    STARTED: "start",
    "a page of a hundredth, by a tag: first, until indexed": "query_first",
    "a page of a hundredth, by a tag": "query",
    "COUNT of a hundredth, by a tag": "count",
    "SUM of a number in a tag": "scan",
    "GROUP BY a tag": "groups",
    "job on a hundredth, by a tag": "job",
    "job on all: selected": "selection",
    "connected, 2 simulators": "connects",
}

Rows = Callable[[set[str], bool], Iterator[Row]]


def direct_calls(wanted: set[str], is_short: bool) -> Iterator[Row]:
    """Calls a second: of a fleet job by calls, and of invoke on many, beside a bare client and Microsoft's SDK."""
    from benchmarks.direct_calls import ROUNDS, measure

    devices = SHORT_CALLED if is_short else CALLED
    [found] = measure(devices, 2 if is_short else ROUNDS, (AT_ONCE,))
    sdk, reason = official_service_sdk(devices)
    for name, what, rate, cost_us in (
        ("direct_calls", "a fleet job by calls: its run, each intent stored before", found.run, found.run_us),
        ("invoke_many", "invoke-device-method on many, without its output", found.invoke, found.invoke_us),
    ):
        if name in wanted:
            yield Row(
                name,
                f"{what}; {devices:,} devices, {AT_ONCE} at once",
                "calls/s",
                rate,
                sdk,
                found.bare,
                "azure-iot-hub, Microsoft's service SDK, in threads",
                "a bare asyncio client with ready-made bytes",
                (f"{cost_us:.0f} us of CPU each, the floor {found.bare_us:.0f}", *([reason] if reason else [])),
            )


def official_service_sdk(devices: int) -> tuple[float | None, str]:
    """Calls a second of the SDK with as many threads; None and the reason when it is not there, or fails."""
    if not SDK_PYTHON.exists():
        return None, "azure-iot-hub is not installed (make .stamps/sdk), so it is not compared"
    allow_files()
    ids = [f"bench-{number:05}" for number in range(devices)]
    with tempfile.TemporaryDirectory() as folder:
        hub = HubUnderLoad(Path(folder) / "hub")
        try:
            create(hub, ids)
            fleet = PacketDevices(hub.endpoint(), ids, processes=1)
            try:
                fleet.connect(devices)
                return _called_by_sdk(hub, ids)
            finally:
                fleet.close()
        finally:
            hub.local.close()


def _called_by_sdk(hub: HubUnderLoad, ids: list[str]) -> tuple[float | None, str]:
    parts = re.sub(r"HostName=[^;]+", f"HostName=localhost:{hub.local.https_port}", hub.local.connection_string)
    program = REPOSITORY / "benchmarks" / "peers" / "official_service_sdk.py"
    try:
        done = subprocess.run(
            [str(SDK_PYTHON), str(program)],
            input=json.dumps({"hub": parts, "ids": ids, "atOnce": AT_ONCE}) + "\n",
            capture_output=True,
            text=True,
            timeout=SDK_LIMIT_S,
            env={**os.environ, "REQUESTS_CA_BUNDLE": hub.local.ca_certificate_path},
        )
    except subprocess.TimeoutExpired:
        return None, f"azure-iot-hub did not end within {SDK_LIMIT_S:.0f} s"
    if done.returncode:
        return None, f"azure-iot-hub: {(done.stderr.strip().splitlines() or ['no reason'])[-1][:200]}"
    took: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if took["done"] != len(ids):
        return None, f"azure-iot-hub: {took['done']} of {len(ids)} calls were answered"
    return len(ids) / float(took["seconds"]), ""


def whole_run(_wanted: set[str], is_short: bool) -> Iterator[Row]:
    """Each step of a run: our process's CPU, beside the hub's for the same requests."""
    from benchmarks.whole_run import measured

    devices = SHORT_RUN if is_short else RUN
    for each in measured(devices, ("calls", "jobs")):
        floor_is = "the hub's own CPU for it" if each.is_served else "the hub's CPU for the same rows by query"
        yield Row(
            f"whole_run_{_word(each.step)}",
            f"{each.step}, {each.devices:,} devices, a whole command without az's start",
            "s of CPU",
            each.ours_s,
            floor=each.hub_s,
            floor_is=floor_is,
            notes=(f"{each.wall_s:.1f} s by the clock, {each.memory_mb:.0f} MB at most",),
        )


def million(_wanted: set[str], is_short: bool) -> Iterator[Row]:
    """A registry of ten thousand, a hundred thousand and a million devices: what the hub computes for some steps."""
    from benchmarks.million import SHORT, measure

    allow_files()
    for devices in SHORT[:1] if is_short else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            found = {
                each.step: each for each in measure(devices, Path(folder), connected=SHORT[1] if is_short else 20_000)
            }
        of = f"{devices:,} devices registered"
        for step, word in STEPS_OF_MILLION.items():
            row = found[step]
            waited = f", another request waited {row.longest_ms:.0f} ms" if row.longest_ms else ""
            note = f"{row.items:,} done, {row.wall_s:.1f} s by the clock{waited}"
            yield Row(f"million_{devices}_{word}", f"{step}; {of}", "s of CPU", row.cpu_s, notes=(note,))
        yield Row(
            f"million_{devices}_memory", f"the hub's memory once it has started; {of}", "MB", found[STARTED].hub_mb
        )


def _word(text: str) -> str:
    return re.sub(r"\W+", "_", text.lower()).strip("_")


OF_OTHERS: Mapping[str, Rows] = {"direct_calls": direct_calls, "whole_run": whole_run, "million": million}
