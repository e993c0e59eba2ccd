"""What it takes to verify the devices of a run by their twins: queries beside the hub's quota, memory, time.

All devices of a run were operated. Within a few minutes most report so, some that it has failed, and some nothing.
The store, the queries and the pace are the real ones. The hub is a function, and its time passes when it is waited for,
so that hours of a small tier take seconds. Each size is measured in a process of its own: N devices, and ten times as
many, for what the memory grows by.

Run: .venv/bin/python benchmarks/verification.py [--devices 100000] [--sku S1] [--units 1]
With --short it takes some seconds, with fewer devices: `make test` looks whether it still runs.
"""

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from azext_iotjobs.clients.hub import HubClient  # noqa: E402
from azext_iotjobs.fleet_job.outcomes import verified_attempt  # noqa: E402
from azext_iotjobs.fleet_job.store.contract import NewRun  # noqa: E402
from azext_iotjobs.fleet_job.store.holder import this_process  # noqa: E402
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun  # noqa: E402
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore  # noqa: E402
from azext_iotjobs.model.attempt import AttemptResult  # noqa: E402
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets  # noqa: E402
from azext_iotjobs.model.method import MethodCall  # noqa: E402
from azext_iotjobs.model.query_pace import query_pace  # noqa: E402
from azext_iotjobs.model.rollout import BatchSizes, Rollout  # noqa: E402
from azext_iotjobs.model.run_state import DeviceState, RunEvent  # noqa: E402
from azext_iotjobs.model.selection import Selection  # noqa: E402
from azext_iotjobs.model.target import HubTarget  # noqa: E402
from azext_iotjobs.model.tier import TierFacts  # noqa: E402
from azext_iotjobs.model.verification import Verification  # noqa: E402
from azext_iotjobs.operations.verification.verifier import Verifier  # noqa: E402
from azext_iotjobs.transport.http import Request, Response  # noqa: E402
from benchmarks.row import Row  # noqa: E402

START = datetime(2026, 5, 1, tzinfo=timezone.utc)
VERIFICATION = Verification(
    condition="properties.reported.firmware.version = '2.0.1'",
    failed_condition="properties.reported.firmware.status = 'failed'",
    within_s=1800,
)
LONGEST_REPORT_S = 300  # until the last device reports
KINDS = 1000  # of devices, by their numbers: when each reports, and what
SILENT, FAILING = 20, 10  # of these
PAGE, DEVICES, SHORT_DEVICES, WRITTEN_AT_ONCE = 100, 100_000, 500, 10_000
QUOTA_GOAL, GROWTH_GOAL_MB = 1.0, 8.0
SHARE = 3
NUMBER = re.compile(r"'device-(\d{8})'")


class HubClock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return self.passed_s

    def sleep(self, seconds: float) -> None:
        self.passed_s += seconds


class Hub:
    """A transport to a hub that answers queries on twins; what a device reports follows from its number."""

    def __init__(self, clock: HubClock, devices: int) -> None:
        self.queries = 0
        self._clock = clock
        self._devices = devices

    def send(self, request: Request) -> Response:
        self.queries += 1
        query = request.body["query"]
        wants = "failed" if "'failed'" in query else "updated" if "'2.0.1'" in query else None
        if "COUNT" in query:
            return _response([{"total": sum(self._count(kind) for kind in range(KINDS) if self._is(kind, wants))}])
        found = [number for number in map(int, NUMBER.findall(query)) if self._is(number, wants)]
        begin = int(request.headers.get("x-ms-continuation", 0))
        rows = [self._row(number) for number in found[begin : begin + PAGE]]
        return _response(rows, str(begin + PAGE) if begin + PAGE < len(found) else "")

    def _count(self, kind: int) -> int:
        """Devices 1..N of a kind."""
        return self._devices // KINDS + (1 <= kind <= self._devices % KINDS)

    def _is(self, number: int, wants: str | None) -> bool:
        return wants is None or self._said(number) == wants

    def _said(self, number: int) -> str:
        kind = number % KINDS
        if kind < SILENT or kind * 7919 % KINDS * LONGEST_REPORT_S / KINDS > self._clock.passed_s:
            return "old"
        return "failed" if kind < SILENT + FAILING else "updated"

    def _row(self, number: int) -> dict[str, Any]:
        said = self._said(number)
        firmware = {"version": "2.0.1" if said == "updated" else "1.0.0", "status": said}
        metadata = {"$lastUpdated": (START + timedelta(seconds=1)).isoformat()}
        reported = {"firmware": firmware, "$metadata": metadata}
        return {"deviceId": f"device-{number:08}", "properties": {"reported": reported}}


def _response(rows: list[Any], token: str = "") -> Response:
    headers = {"x-ms-continuation": token} if token else {}
    return Response(status=200, headers=headers, body=json.dumps(rows).encode())


def operated(store: SqliteStore, devices: int, tier: TierFacts) -> LeasedRun:
    """A run of so many devices that were all operated, at START."""
    definition = Definition(
        action=Action(method=MethodCall(name="update")),
        targets=Targets(selection=Selection(condition="*")),
        rollout=Rollout(),
        verification=VERIFICATION,
    )
    store.definitions.add("job", "h.example", definition, at=START, by="me", origin=None)
    store.candidates.collect(((f"device-{number:08}", None) for number in range(1, devices + 1)), seed=0)
    sizes: BatchSizes = definition.rollout.sizes
    new = NewRun(
        fleet_job_id="job",
        version=1,
        run_key="abcdefgh",
        driver=Driver.CALLS,
        driver_reason="",
        delivery=Delivery(),
        sizes=sizes,
        at=START,
        by="me",
        tier=tier,
    )
    leased = store.take_lease(store.runs.add(new), this_process(), START)
    leased.begin(RunEvent.START, START, forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, START)
    verify_by = START + timedelta(seconds=VERIFICATION.within_s)
    state = DeviceState.VERIFYING
    for first in range(1, devices + 1, WRITTEN_AT_ONCE):
        numbers = range(first, min(devices + 1, first + WRITTEN_AT_ONCE))
        results = (
            AttemptResult(seq=seq, state=state, tries=1, began_at=START, ended_at=START, verify_by=verify_by)
            for seq in numbers
        )
        leased.devices.write(START, ended=results)
    return leased


def measure(devices: int, tier: TierFacts) -> dict[str, Any]:
    """Verify so many devices; in this process."""
    clock = HubClock()
    hub = Hub(clock, devices)
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore.open(Path(folder))
        leased = operated(store, devices, tier)
        client = HubClient(HubTarget(host="h.example"), hub)
        verifier = Verifier(client.queries, VERIFICATION, leased.verifying, query_pace(tier), clock, say)
        before_kb, began, cpu_s = most_kb(), time.monotonic(), time.process_time()
        decided = 0
        while decided < devices:
            verdicts = verifier.turn()
            if verdicts:
                leased.verifying.write(clock.now(), [verified_attempt(each, None) for each in verdicts])
                decided += len(verdicts)
            else:
                verifier.nap(60.0)
            assert verifier.trouble is None, verifier.trouble
        seconds, cpu_s = time.monotonic() - began, time.process_time() - cpu_s
        verifier.close()
        run = store.runs.get("job")
        pages = store.database.rows("SELECT error_code, count(*) AS n FROM device GROUP BY error_code")
        codes = Counter({each["error_code"]: each["n"] for each in pages})
        store.close()
    assert run.tally.ended == devices
    return {
        "codes": {str(name): count for name, count in codes.items()},
        "queries": hub.queries,
        "minutes": clock.passed_s / 60,
        "seconds": seconds,
        "cpuSeconds": cpu_s,
        "beforeKb": before_kb,
        "mostKb": most_kb(),
    }


def most_kb() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measured(devices: int, tier: TierFacts) -> dict[str, Any]:
    """The same in a process of its own."""
    words = [sys.executable, __file__, "--measure", str(devices), "--sku", tier.sku, "--units", str(tier.units)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, cwd=REPOSITORY)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def report(devices: int, found: dict[str, Any], tier: TierFacts) -> float:
    """Say what was measured; gives the queries as a part of what they may be."""
    codes = found["codes"]
    completed, failed, late = (codes.get(name, 0) for name in ("None", "ReportedFailure", "NotInTime"))
    most = tier.queries_a_minute / SHARE
    a_minute: float = found["queries"] / max(1.0, found["minutes"])
    say(f"{devices:8} devices  {completed} verified, {failed} failed, {late} not in time")
    say(
        f"{'':17} {found['queries']} queries in {found['minutes']:.0f} minutes of the hub's time, {a_minute:.2f} a "
        f"minute; a third of {tier} is {most:.2f}"
    )
    say(f"{'':17} {found['seconds']:.1f} s of ours, {found['mostKb'] / 1024:.1f} MB at most")
    return a_minute / most


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_goal(what: str, most: float, reached: float) -> None:
    say(f"goal {what:52} at most {most:7.2f}   reached {reached:8.2f}   {'yes' if reached <= most else 'NO'}")


def rows(_wanted: set[str], is_short: bool) -> Iterator[Row]:
    """For the page: what we compute to verify the devices of a run."""
    tier, devices = TierFacts("S1", 1), SHORT_DEVICES if is_short else DEVICES
    found = measured(devices, tier)
    minutes, share = found["minutes"], report(devices, found, tier)
    note = f"{found['queries']:,} queries in {minutes:.0f} minutes of an S1's time, {share:.2f} of a third of its quota"
    yield Row(
        "verification",
        f"{devices:,} devices of a run verified by their twins",
        "s of CPU",
        found["cpuSeconds"],
        notes=(note,),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=DEVICES)
    parser.add_argument("--sku", default="S1")
    parser.add_argument("--units", type=int, default=1)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    tier = TierFacts(given.sku, given.units)
    if given.measure is not None:
        say(json.dumps(measure(given.measure, tier)))
        return
    devices = SHORT_DEVICES if given.short else given.devices
    few, many = measured(devices, tier), measured(10 * devices, tier)
    parts = [report(devices, few, tier), report(10 * devices, many, tier)]
    say_goal("queries against a third of the quota", QUOTA_GOAL, max(parts))
    say_goal("MB more for ten times the devices", GROWTH_GOAL_MB, (many["mostKb"] - few["mostKb"]) / 1024)


if __name__ == "__main__":
    main()
