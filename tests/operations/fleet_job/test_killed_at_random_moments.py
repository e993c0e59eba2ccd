"""Real processes that execute random runs are killed at random moments of verifying, gating and waiting for devices.

At the end each device was operated as often as its row says, or the row says that it is uncertain; each row says what
the device reports; no gate was passed over. A story that fails is told again by its id: `-k "verified and jobs-3"`.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.model.clock import parse_instant
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.gates import GateDecision, GateKind
from azext_iotjobs.model.result import DeviceResult
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.verification import Verification
from tests.helpers.devices_on_thread import DevicesOnThread, client_of, devices_of
from tests.helpers.hub_process import HubProcess
from tests.helpers.killable_process import needs_fork
from tests.helpers.killed_run import KilledRun, Story, gating, verifying, waiting
from tests.helpers.odd_devices import BEHAVIOURS, OFFLINE, ids_of, kind_of
from tests.helpers.short_form import IN_FULL

DEVICES = ids_of(4)
SEEDS = range(9)  # of each kind, by each driver, in full; in each story processes are killed four times or more

pytestmark = needs_fork


@pytest.fixture(scope="module")
def all_devices(process: HubProcess) -> Iterator[DevicesOnThread]:
    with devices_of(process, DEVICES, {each: BEHAVIOURS[kind_of(each)] for each in DEVICES}) as devices:
        yield devices


@pytest.fixture
def devices(all_devices: DevicesOnThread) -> DevicesOnThread:
    all_devices.calls.clear()
    return all_devices


class Judge:
    """What has to be true of a run that has ended."""

    def __init__(self, killed: KilledRun, devices: DevicesOnThread, client: HubClient) -> None:
        self.killed, self.story, self.run = killed, killed.story, killed.run
        self.calls = devices.calls
        self.client = client
        self.is_tried_again = killed.story.definition.rollout.retry is not None
        pages = killed.store.results.pages(self.run, ResultFilter())
        self.rows = [row for page in pages for row in page.rows]

    def check(self) -> None:
        assert self.run.state is RunState.COMPLETED, self.run.reason
        assert sorted(row.device_id for row in self.rows) == sorted(self.story.devices), "each has one row"
        self._check_counts()
        for row in self.rows:
            self._check_calls(row)
            self._check_report(row)
        for batch in self.killed.gated_batches():
            self._check_gates(batch.ordinal)

    def _check_counts(self) -> None:
        tally, words = self.run.tally, Counter(row.status for row in self.rows)
        assert (tally.completed, tally.failed, tally.uncertain) == tuple(
            words[word] for word in ("completed", "failed", "uncertain")
        )
        assert tally.ended == len(self.story.devices), tally
        in_flight = self.killed.kills.total() * self.run.delivery.concurrency
        assert tally.uncertain <= (0 if self.run.driver is Driver.JOBS else in_flight)

    def _check_calls(self, row: DeviceResult) -> None:
        times, what = self.calls[row.device_id], (row, self.calls[row.device_id])
        assert row.tries is not None, what
        if row.status == "uncertain":
            assert times <= row.tries + 1 and (times <= 1 or self.is_tried_again), what
        elif row.error_code == "DidNotConnect":
            assert times == 0, what
        elif kind_of(row.device_id) in OFFLINE:
            assert times == 1 if row.status == "completed" else times <= 1, what
        else:
            assert times == row.tries and (times == 1 or self.is_tried_again), what

    def _check_report(self, row: DeviceResult) -> None:
        """The row says what the device's twin says."""
        verification = self.story.definition.verification
        if verification is None or row.status == "uncertain":
            return
        member, at = self._reported(row.device_id)
        if row.status == "completed":
            assert row.reported is not None and row.reported["properties.reported.done"] == self.story.name, row
        elif row.error_code == "ReportedFailure":
            assert member == "failed", row
        elif row.error_code == "NotInTime":
            assert member is None or at >= self._time_over(row, verification), (row, member, at)
        else:
            assert row.error_code == "DidNotStay" or kind_of(row.device_id) in OFFLINE, row

    def _reported(self, device: str) -> tuple[str | None, datetime]:
        """Under which member a device has reported this story, and when."""
        twin: Any = self.client.twins.get(device).document
        reported = twin["properties"]["reported"]
        for member in ("done", "failed"):
            if reported.get(member) == self.story.name:
                return member, parse_instant(reported["$metadata"][member]["$lastUpdated"]).at
        return None, datetime.min

    def _time_over(self, row: DeviceResult, verification: Verification) -> datetime:
        assert row.finished_at is not None
        return row.finished_at + timedelta(seconds=verification.within_s)

    def _check_gates(self, ordinal: int) -> None:
        """Each gate of a batch has let it pass; of the command that is what it said."""
        gates = self.killed.store.runs.batch(self.run, ordinal).gates
        assert gates is not None and tuple(each.kind for each in gates.verdicts) == self.killed.kinds_of_gates()
        for verdict in gates.verdicts:
            assert verdict.passes, verdict
            if verdict.kind is GateKind.COMMAND:
                code = 0 if verdict.decision is GateDecision.GO else 1
                assert (ordinal, code) in self.killed.commands(), verdict


def stories(short: str) -> pytest.MarkDecorator:
    """A driver and a seed for each story; short: the one that is told in the short form."""
    full = [f"{driver}-{seed}" for driver in ("jobs", "calls") for seed in SEEDS]
    return pytest.mark.parametrize("story", full if IN_FULL else [short])


def driver_of(story: str) -> Driver:
    return Driver(story.partition("-")[0])


def tell(story: Story, phase: str, folder: Path, process: HubProcess, devices: DevicesOnThread, seed: str) -> None:
    """Play a story and judge it."""
    with client_of(process) as client:
        killed = KilledRun(folder, process, client, story, random.Random(f"moments {seed}"))
        killed.play(phase)
        Judge(killed, devices, client).check()
        killed.store.close()
    sys.stdout.write(f"{story.name}: killed {dict(killed.kills)}\n")


@stories("calls-0")
def test_killed_while_devices_are_verified(
    tmp_path: Path, process: HubProcess, devices: DevicesOnThread, story: str
) -> None:
    name = f"verifying-{story}"
    tell(verifying(name, driver_of(story), random.Random(name)), "verifying", tmp_path, process, devices, name)


@stories("jobs-0")
def test_killed_at_gates(tmp_path: Path, process: HubProcess, devices: DevicesOnThread, story: str) -> None:
    name = f"gating-{story}"
    tell(gating(name, driver_of(story), random.Random(name), tmp_path), "gating", tmp_path, process, devices, name)


@stories("calls-0")
def test_killed_while_devices_wait_to_connect(
    tmp_path: Path, process: HubProcess, devices: DevicesOnThread, story: str
) -> None:
    name = f"waiting-{story}"
    tell(waiting(name, driver_of(story), random.Random(name)), "waiting", tmp_path, process, devices, name)
