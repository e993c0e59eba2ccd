"""GateChecker: evaluates gates by looking at devices again, by counting those of the hub, by running a command.

Requests are made on a thread of their own, and the command is a process: the lease is renewed meanwhile, and a request
to stop is seen. What a crash cuts off has no verdict, and is evaluated again.
"""

import os
from collections.abc import Mapping
from datetime import datetime, timedelta

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.driver import OnEvent
from azext_iotjobs.fleet_job.gate_checker import GateChecker, MakeGateChecker
from azext_iotjobs.fleet_job.gates import command_verdict, inconclusive, query_verdict, stayed
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import BadRequest, HubAnswer, IotJobsError
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.gates import CONDITION, CommandGate, GateKind, Gates, GateVerdict, QueryGate
from azext_iotjobs.model.query_pace import query_pace
from azext_iotjobs.model.run import Batch, Run, Tally
from azext_iotjobs.model.run_events import GateAwaited
from azext_iotjobs.model.selection import ALL, Selection
from azext_iotjobs.operations.fleet_job.bake_check import BakeCheck
from azext_iotjobs.operations.fleet_job.gate_command import GateProcess, check_program, start_error
from azext_iotjobs.operations.fleet_job.gate_requests import NAP_S, GateRequests, OpenClient
from azext_iotjobs.operations.verification.conditions import unreadable

OURS = "IOTJOBS_"  # variables of this name are ours: a connection string among them


class GateChecks:
    """Implements GateChecker."""

    def __init__(
        self, client: OpenClient, clock: Clock, leased: LeasedRun, definition: Definition, on_event: OnEvent
    ) -> None:
        """client: of the hub; called when it is needed.  on_event: is called with what happens."""
        self._clock = clock
        self._leased = leased
        self._gates = definition.rollout.gates
        self._verification = definition.verification
        self._on_event = on_event
        self._requests = GateRequests(client, clock, leased, on_event)
        self._bake: BakeCheck | None = None
        self._process: GateProcess | None = None
        self._ends_by = 0.0  # monotonic: when the process has to have ended

    def turn(self, kind: GateKind, run: Run, batch: Batch) -> GateVerdict | None:
        """Go on with a gate; returns within about half a second. None: it has no verdict yet."""
        if kind is GateKind.BAKE:
            return self._look_again(run, batch)
        if kind is GateKind.QUERY:
            assert self._gates.query is not None
            return self._query(self._gates.query)
        assert kind is GateKind.COMMAND and self._gates.command is not None
        return self._command(self._gates.command, run, batch)

    def abandon(self) -> None:
        """Leave what is under way."""
        self._bake = None
        self._requests.forget()
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def close(self) -> None:
        """End the command, and let the thread end."""
        self.abandon()
        self._requests.close()

    def _look_again(self, run: Run, batch: Batch) -> GateVerdict | None:
        """Whether the batch's devices are as they were verified."""
        assert self._verification is not None
        if self._bake is None:
            pace, ordinal = query_pace(run.tier), batch.ordinal
            self._bake = BakeCheck(self._leased, ordinal, self._verification, pace, self._clock, self._on_event)
        try:
            is_done = self._bake.turn(self._requests)
        except HubAnswer as err:  # what it gave is not what it was asked for
            return self._no_answer(GateKind.BAKE, err)
        if self._requests.trouble is not None:
            return self._no_answer(GateKind.BAKE, self._requests.trouble)
        if not is_done:
            return None
        self._bake = None
        after = self._leased.snapshot(None).batch
        assert after is not None
        return stayed(self._gates, after.tally, self._clock.now())

    def _query(self, gate: QueryGate) -> GateVerdict | None:
        counts = self._requests.call(lambda client: _counts_of(client, gate))
        if self._requests.trouble is not None:
            return self._no_answer(GateKind.QUERY, self._requests.trouble)
        return None if counts is None else query_verdict(gate, *counts, self._clock.now())

    def _no_answer(self, kind: GateKind, trouble: IotJobsError) -> GateVerdict:
        self._bake = None
        self._requests.forget()
        return inconclusive(kind, f"the hub could not be queried. {trouble}", self._clock.now())

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
    """What `count_of_query_gate` gives, before anything is sent. Raises BadValue, too, where a program is missing."""
    if gates.command is not None:
        check_program(gates.command)
    return count_of_query_gate(client, gates)


def count_of_query_gate(client: HubClient, gates: Gates) -> int | None:
    """How many devices match the condition of the query gate now; None: there is none.

    Raises BadValue for a condition that the hub cannot read; HubAnswer, LinkError.
    """
    if gates.query is None:
        return None
    try:
        return client.selections.count(Selection(condition=gates.query.condition))
    except BadRequest as err:
        raise unreadable(CONDITION, err) from err


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


def _counts_of(client: HubClient, gate: QueryGate) -> tuple[int, int | None]:
    """How many devices match the condition; how many there are, where a bound is a share of them."""
    count = client.selections.count(Selection(condition=gate.condition))
    return count, client.selections.count(Selection(condition=ALL)) if gate.is_of_all else None


def _counts(tally: Tally) -> dict[str, int]:
    return {
        "DEVICES": tally.total,
        "COMPLETED": tally.completed,
        "FAILED": tally.failed,
        "UNCERTAIN": tally.uncertain,
    }


def gate_checker_factory(client: OpenClient) -> MakeGateChecker:
    """What a RunContext makes its gate checker with. client: of the hub; called when a gate queries the hub."""

    def make(clock: Clock, leased: LeasedRun, definition: Definition, on_event: OnEvent) -> GateChecker:
        return GateChecks(client, clock, leased, definition, on_event)

    return make
