"""Execute the engine's steps at the gates of a batch: record verdicts, have gates checked, wait for an answer."""

from collections.abc import Callable
from datetime import datetime

from azext_iotjobs.fleet_job.driver import OnEvent
from azext_iotjobs.fleet_job.gate_checker import GateChecker
from azext_iotjobs.fleet_job.gates import AwaitApproval, BeginGates, CheckGate, GateStep, Judge
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun, RunSnapshot
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.gates import GateKind, GateVerdict
from azext_iotjobs.model.run_events import BatchEnded, GateAwaited, GateJudged

NAP_S = 0.5  # then the row is read again: an answer is seen within a second


class GateSteps:
    """Executes one step after the other."""

    def __init__(
        self, clock: Clock, leased: LeasedRun, make_checker: Callable[[], GateChecker], on_event: OnEvent
    ) -> None:
        """make_checker: is called once, when a gate needs it.  on_event: is called with what happens."""
        self._clock = clock
        self._leased = leased
        self._make_checker = make_checker
        self._checker: GateChecker | None = None
        self._on_event = on_event
        self._has_reported = 0  # the batch that is reported to wait for approval

    def execute(self, step: GateStep, snapshot: RunSnapshot, now: datetime) -> None:
        """Execute a step. snapshot: what it was decided from."""
        batch = snapshot.batch
        assert batch is not None
        match step:
            case BeginGates(ordinal):
                self._leased.begin_gates(ordinal, now)
                self._on_event(BatchEnded(at=now, batch=batch))
            case Judge(ordinal, verdict):
                self._judge(ordinal, verdict, now)
            case CheckGate(ordinal, kind):
                if self._checker is None:
                    self._checker = self._make_checker()
                found = self._checker.turn(kind, snapshot.run, batch)
                if found is not None:
                    self._judge(ordinal, found, self._clock.now())
            case AwaitApproval(ordinal, since):
                if self._has_reported != ordinal:
                    self._has_reported = ordinal
                    self._on_event(GateAwaited(at=now, batch=ordinal, gate=GateKind.MANUAL, since=since))
                self._clock.sleep(NAP_S)

    def abandon(self) -> None:
        """Leave a check that is under way: another step comes."""
        if self._checker is not None:
            self._checker.abandon()

    def close(self) -> None:
        """Free what checks hold."""
        if self._checker is not None:
            self._checker.close()

    def _judge(self, ordinal: int, verdict: GateVerdict, now: datetime) -> None:
        self._leased.judge(ordinal, verdict, now)
        self._on_event(GateJudged(at=now, batch=ordinal, verdict=verdict))
