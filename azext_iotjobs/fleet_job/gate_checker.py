"""The seam between the run's loop and gates that are evaluated by an effect (operations/fleet_job/gate_checks.py)."""

from collections.abc import Callable
from typing import Protocol

from azext_iotjobs.fleet_job.driver import OnEvent
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.gates import GateKind, GateVerdict
from azext_iotjobs.model.run import Batch, Run


class GateChecker(Protocol):
    """Evaluates gates: by queries, and by a command."""

    def turn(self, kind: GateKind, run: Run, batch: Batch) -> GateVerdict | None:
        """Go on with a gate; returns within about half a second. None: it has no verdict yet.

        batch: whose gate it is; run and batch with their counts.
        Raises StateError. A hub that cannot be queried, and a command that cannot be run, are inconclusive.
        """

    def abandon(self) -> None:
        """Leave what is under way: something else is done first, or the run ends. It would begin anew."""

    def close(self) -> None:
        """Free what it holds: a process, a thread."""


MakeGateChecker = Callable[[Clock, LeasedRun, Definition, OnEvent], GateChecker]  # the clock: the run's own
