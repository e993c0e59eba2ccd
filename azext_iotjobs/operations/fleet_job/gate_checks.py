"""GateChecker: evaluates gates by counting devices in the hub, and by running a command.

Requests are made on a thread of their own, and the command is a process: the lease is renewed meanwhile, and a request
to stop is seen. What a crash cuts off has no verdict, and is evaluated again.
"""

import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from azext_iotjobs.clients.heartbeat_caller import HeartbeatCaller, OutageBackoff
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.driver import OnEvent
from azext_iotjobs.fleet_job.gate_checker import GateChecker, MakeGateChecker
from azext_iotjobs.fleet_job.gates import command_verdict, inconclusive, query_verdict
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock, SteadyClock
from azext_iotjobs.model.errors import BadRequest, BadValue, HubAnswer, LinkError
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.gates import CONDITION, CommandGate, GateKind, Gates, GateVerdict, QueryGate
from azext_iotjobs.model.run import Batch, Run, Tally
from azext_iotjobs.model.run_events import GateAwaited, Notice
from azext_iotjobs.model.selection import ALL, Selection
from azext_iotjobs.model.text import Text
from azext_iotjobs.operations.fleet_job.gate_command import GateProcess, check_program, start_error

OpenClient = Callable[[], HubClient]

NAP_S = 0.5
OURS = "IOTJOBS_"  # variables of this name are ours: a connection string among them


class GateChecks:
    """Implements GateChecker."""

    def __init__(
        self, client: OpenClient, clock: Clock, leased: LeasedRun, definition: Definition, on_event: OnEvent
    ) -> None:
        """client: of the hub; called when it is needed.  on_event: is called with what happens."""
        self._open_client = client
        self._client: HubClient | None = None
        self._clock = clock
        self._gates = definition.rollout.gates
        self._on_event = on_event
        self._caller = HeartbeatCaller(lambda: leased.beat(clock.now()))
        self._backoff = OutageBackoff()
        self._process: GateProcess | None = None
        self._ends_by = 0.0  # monotonic: when the process has to have ended

    def turn(self, kind: GateKind, run: Run, batch: Batch) -> GateVerdict | None:
        """Go on with a gate; returns within about half a second. None: it has no verdict yet."""
        if kind is GateKind.QUERY:
            assert self._gates.query is not None
            return self._query(self._gates.query)
        assert kind is GateKind.COMMAND and self._gates.command is not None
        return self._command(self._gates.command, run, batch)

    def abandon(self) -> None:
        """Leave what is under way."""
        self._backoff.reset()
        if self._process is not None:
            self._process.end()
            self._process = None

    def close(self) -> None:
        """End the command, and let the thread end."""
        self.abandon()
        self._caller.close()

    def _query(self, gate: QueryGate) -> GateVerdict | None:
        left_s = self._backoff.remaining_s(self._clock.monotonic())
        if left_s > 0:
            self._clock.sleep(min(NAP_S, left_s))
            return None
        try:
            count, total = self._caller.call(lambda: self._counts(gate))
        except (HubAnswer, LinkError) as err:
            pause_s = self._backoff.pause_after(err, self._clock.monotonic())
            now = self._clock.now()
            if pause_s is None:
                return inconclusive(GateKind.QUERY, f"the hub could not be queried. {err}", now)
            self._on_event(Notice(at=now, text=f"{err} The next try is in {pause_s:.0f} s."))
            return None
        self._backoff.reset()
        return query_verdict(gate, count, total, self._clock.now())

    def _counts(self, gate: QueryGate) -> tuple[int, int | None]:
        """How many devices fit the condition; how many there are, where a bound is a share of them."""
        if self._client is None:
            self._client = self._open_client()
        selections = self._client.selections
        count = selections.count(Selection(condition=gate.condition))
        return count, selections.count(Selection(condition=ALL)) if gate.is_of_all else None

    def _command(self, gate: CommandGate, run: Run, batch: Batch) -> GateVerdict | None:
        if self._process is None:
            began_at = self._clock.now()
            try:
                self._process = GateProcess(gate, environment_of(run, batch, os.environ))
            except (OSError, ValueError) as err:
                return inconclusive(GateKind.COMMAND, start_error(gate, err), began_at)
            self._ends_by = self._clock.monotonic() + gate.timeout_s
            self._report_command(gate, batch, began_at)
        ended = self._process.wait(NAP_S)
        if ended is None and self._clock.monotonic() < self._ends_by:
            return None
        process, self._process = self._process, None
        now = self._clock.now()
        if ended is None:
            process.end()
            said = process.last_line
            after = f"it was ended after {gate.timeout_s:g} s{f'. Its last line: {said}' if said else ''}"
            return inconclusive(GateKind.COMMAND, after, now)
        return command_verdict(ended, process.last_line, now)

    def _report_command(self, gate: CommandGate, batch: Batch, now: datetime) -> None:
        until = now + timedelta(seconds=gate.timeout_s)
        self._on_event(GateAwaited(at=now, batch=batch.ordinal, gate=GateKind.COMMAND, since=now, until=until))


def check_gates(client: HubClient, gates: Gates) -> int | None:
    """How many devices fit the condition of the query gate now; None: there is none. Asked before anything is sent.

    Raises BadValue for a condition that the hub cannot read, and for a program that is not there; HubAnswer, LinkError.
    """
    if gates.command is not None:
        check_program(gates.command)
    if gates.query is None:
        return None
    try:
        return client.selections.count(Selection(condition=gates.query.condition))
    except BadRequest as err:
        raise BadValue(Text(CONDITION, f": the hub cannot read this condition. {err}"), hint=err.hint) from err


def environment_of(run: Run, batch: Batch, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of a gate's command: what is inherited but for our own variables, and what it is about.

    run, batch: with their counts.  inherited: our own environment.
    """
    about = {
        "FLEET_JOB": run.fleet_job_id,
        "HUB": run.host,
        "RUN": run.number,
        "BATCH": batch.ordinal,
        "BATCHES": run.batch_count,
        **_counts(batch.tally),
        **{f"RUN_{name}": count for name, count in _counts(run.tally).items()},
    }
    others = {name: value for name, value in inherited.items() if not name.upper().startswith(OURS)}
    return {**others, **{f"{OURS}{name}": str(value) for name, value in about.items()}}


def _counts(tally: Tally) -> dict[str, int]:
    return {
        "DEVICES": tally.total,
        "COMPLETED": tally.completed,
        "FAILED": tally.failed,
        "UNCERTAIN": tally.uncertain,
    }


def gate_checker_factory(client: OpenClient, clock: Clock) -> MakeGateChecker:
    """What a RunContext makes its gate checker with.

    client: of the hub; it is called when a gate queries the hub.
    """

    def make(leased: LeasedRun, definition: Definition, on_event: OnEvent) -> GateChecker:
        return GateChecks(client, SteadyClock(clock), leased, definition, on_event)

    return make
