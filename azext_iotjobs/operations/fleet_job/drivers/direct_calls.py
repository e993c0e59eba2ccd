"""BatchDriver: we call each device ourselves, several at once. A call cut off is uncertain, or checked and repeated.

Strategy: what the calls that have ended came to and the intents of those that begin are one transaction. So a slow disk
makes transactions larger and not calls slower, and no device is called whose row does not say so before. A turn is one
transaction after the other for TURN_S: what the engine reads before it decides costs as much as dozens of calls.
"""

from collections import deque
from dataclasses import field
from datetime import datetime

from azext_iotjobs.clients.heartbeat_caller import OUTAGE_PAUSES_S
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.many_calls import Reactions, Workers
from azext_iotjobs.clients.methods import answer_of
from azext_iotjobs.fleet_job.driver import OnEvent
from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.fleet_job.outcomes import attempt_event, attempt_result
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model import calling
from azext_iotjobs.model.applied import has_content, has_patch, wanted_of_modules
from azext_iotjobs.model.attempt import Attempt, AttemptResult
from azext_iotjobs.model.call_pacing import Pacing
from azext_iotjobs.model.calling import Answer, Call, Next, what_next
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import HubFault, IotJobsError, NotFound
from azext_iotjobs.model.fleet_job import Action, Definition
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.model.run_events import Notice
from azext_iotjobs.model.run_state import DeviceState
from azext_iotjobs.transport.http import Request, Response

LONGEST_NAP_S = 0.5
TURN_S = 0.05  # how long the engine does without a look at what others have requested, at thresholds and the heartbeat
ROWS_AHEAD = 500  # of devices that wait, read at a time


@dataclass(frozen=True)
class _EndedCall:
    attempt: Attempt
    call: Call


@dataclass()
class _Outcome:
    """What is recorded of calls that have ended."""

    ended: list[tuple[Attempt, AttemptResult]] = field(default_factory=list)
    again: list[int] = field(default_factory=list)  # numbers of devices that were not called after all
    cut_off: list[int] = field(default_factory=list)  # numbers of devices to be checked before they are called again

    @property
    def has_failures(self) -> bool:
        """Whether a device has failed, or may have."""
        return any(end.state in (DeviceState.FAILED, DeviceState.UNCERTAIN) for _, end in self.ended)


class DirectCallsDriver:
    """Operates devices by calls of our own."""

    def __init__(
        self, client: HubClient, clock: Clock, leased: LeasedRun, run: Run, definition: Definition, on_event: OnEvent
    ) -> None:
        """leased, run, definition: what is executed.  on_event: is called with what happens."""
        self._client = client
        self._clock = clock
        self._leased = leased
        self._delivery = run.delivery
        self._action = definition.action.within(run.delivery)
        self._retry = definition.rollout.retry
        self._verification = definition.verification
        self._has_threshold = definition.rollout.threshold is not None
        self._on_event = on_event
        self._pacing = Pacing(run.delivery.rate, OUTAGE_PAUSES_S)
        self._reactions = Reactions(self._pacing, lambda text: on_event(Notice(at=clock.now(), text=text)))
        self._workers: Workers[Attempt, _EndedCall] = Workers(self._call, self, client, clock)
        self._in_flight = 0
        self._is_for_threshold = False  # devices have failed since the engine compared their number
        self._first: _EndedCall | None = None  # a call that has ended, taken from the others while we waited
        self._waiting: deque[Attempt] = deque()  # read from the store, not begun
        self._checked: set[int] = set()  # devices that were checked, and are called again; by number
        self._read_up_to = (0, 0)  # batch, and the number of the last device read of it

    @property
    def trouble(self) -> IotJobsError | None:
        """Why no other call would fare better."""
        return self._reactions.ended_by

    def in_flight_count(self, drain: Drain) -> int:
        """Calls in flight; all of them are awaited, however the run ends."""
        return self._in_flight

    def turn(self, batch: Batch, drain: Drain) -> None:
        """Record what has ended and begin what may begin, for a while; where there is neither, wait a little for it."""
        until = self._clock.monotonic() + TURN_S
        while self._record_and_begin(batch, drain):
            is_for_engine = self._is_for_threshold or self.trouble is not None or not self._in_flight
            if is_for_engine or self._clock.monotonic() >= until:
                return
            self._nap(until - self._clock.monotonic())
        self._nap(LONGEST_NAP_S)

    def _nap(self, limit_s: float) -> None:
        """Wait until a call has ended, or may begin."""
        nap_s = min(limit_s, max(0.01, self._pacing.wait_s(self._clock.monotonic()) or limit_s))
        if self._in_flight:
            self._first = self._workers.next_ended(nap_s)
        else:
            self._clock.sleep(nap_s)

    def close(self) -> None:
        """Let the threads end."""
        self._workers.end()

    def _record_and_begin(self, batch: Batch, drain: Drain) -> int:
        calls = self._ended_calls()
        outcome = self._judge(calls)
        self._in_flight -= len(calls)
        # A failure may be one too many: the threshold is compared before anything else begins.
        self._is_for_threshold = self._has_threshold and outcome.has_failures
        may_begin = drain is Drain.NO and self.trouble is None and not self._is_for_threshold
        begun = self._due(batch) if may_begin else []
        if calls or begun:
            self._record(outcome, begun, batch)
        for attempt in begun:
            self._in_flight += 1
            self._workers.begin(attempt)
        return len(calls) + len(begun)

    def _record(self, outcome: _Outcome, begun: list[Attempt], batch: Batch) -> None:
        now = self._clock.now()
        results = [each for _, each in outcome.ended]
        self._leased.devices.write(now, ended=results, again=outcome.again, begun=begun, cut_off=outcome.cut_off)
        for attempt, end in outcome.ended:
            self._on_event(attempt_event(attempt, end, batch.ordinal, now))

    def _ended_calls(self) -> list[_EndedCall]:
        calls, self._first = ([] if self._first is None else [self._first]), None
        while len(calls) < self._in_flight and (one := self._workers.next_ended(0)) is not None:
            calls.append(one)
        return calls

    def _judge(self, calls: list[_EndedCall]) -> _Outcome:
        outcome, now = _Outcome(), self._clock.now()
        for each in calls:
            answer, attempt = each.call.answer, each.attempt
            if not self._reactions.is_kept(answer, self._clock.monotonic()):
                outcome.again.append(attempt.seq)
                continue
            is_open = what_next(answer) is Next.KEEP_AND_PAUSE
            if is_open and self._action.kind.is_repeatable and not self._is_given_up(each):
                outcome.cut_off.append(attempt.seq)
                continue
            result = calling.result_of(each.call, self._action.success)
            end = attempt_result(
                attempt,
                result,
                now,
                retry=self._retry,
                verification=self._verification,
                when_online_s=self._delivery.when_online_s,
                is_uncertain=is_open,
            )
            outcome.ended.append((attempt, end))
        return outcome

    def _is_given_up(self, ended: _EndedCall) -> bool:
        """Whether a device itself may be what the hub fails at: it was checked, called again and again, and the hub's
        outage lasted too long over it. Else no resume would ever get past it.
        """
        is_at_fault = isinstance(ended.call.answer, HubFault) and isinstance(self.trouble, HubFault)
        return is_at_fault and ended.attempt.seq in self._checked

    def _due(self, batch: Batch) -> list[Attempt]:
        """Devices whose calls may begin now."""
        due: list[Attempt] = []
        now = self._clock.monotonic()
        while self._in_flight + len(due) < self._delivery.concurrency and self._pacing.wait_s(now) <= 0:
            attempt = self._next(batch)
            if attempt is None:
                break
            self._pacing.began(now)
            due.append(attempt)
        return due

    def _next(self, batch: Batch) -> Attempt | None:
        if self._read_up_to[0] != batch.ordinal:
            self._waiting.clear()
            self._read_up_to = (batch.ordinal, 0)
        if not self._waiting:
            self._read_more(batch.ordinal)
        return self._waiting.popleft() if self._waiting else None

    def _read_more(self, batch: int) -> None:
        now: datetime = self._clock.now()
        found = self._leased.devices.due(batch, now, ROWS_AHEAD, after=self._read_up_to[1])
        # At the end from the start again: some wait to be tried again. What was begun is recorded first.
        self._read_up_to = (batch, found[-1].seq if found else 0)
        self._waiting.extend(found)

    def _call(self, attempt: Attempt) -> _EndedCall:
        """Runs on the threads."""
        began_at = self._clock.now()
        answer: Answer
        try:
            answer = self._operate(attempt)
        except IotJobsError as err:
            answer = err
        address = Address(attempt.device_id, attempt.module_id)
        call = Call(address=address, began_at=began_at, ended_at=self._clock.now(), answer=answer)
        return _EndedCall(attempt, call)

    def request(self, attempt: Attempt) -> Request | None:
        """Implements OneRequestCalls: a direct method is one request."""
        method = self._action.method
        if method is None:
            return None
        try:
            return self._client.methods.request(
                attempt.device_id, method, attempt.module_id, waits_out_throttling=False
            )
        except IotJobsError:  # `_call` meets it again, and it is the device's result
            return None

    def result(self, attempt: Attempt, began_at: datetime, outcome: Response | IotJobsError) -> _EndedCall:
        """Implements OneRequestCalls."""
        answer = answer_of(outcome)
        address = Address(attempt.device_id, attempt.module_id)
        call = Call(address=address, began_at=began_at, ended_at=self._clock.now(), answer=answer)
        return _EndedCall(attempt, call)

    def _operate(self, attempt: Attempt) -> Answer:
        device_id, module_id, action = attempt.device_id, attempt.module_id, self._action
        if action.method is not None:
            return self._client.methods.invoke(device_id, action.method, module_id, waits_out_throttling=False)
        if attempt.was_cut_off and self._is_done_already(attempt, action):
            return None
        if attempt.was_cut_off:
            self._checked.add(attempt.seq)
        if action.patch is not None:
            return self._client.twins.patch(device_id, action.patch, module_id, waits_out_throttling=False)
        assert action.content is not None
        self._client.configurations.apply(device_id, action.content, waits_out_throttling=False)
        return None

    def _is_done_already(self, attempt: Attempt, action: Action) -> bool:
        """Whether the call that was cut off has taken effect; that is checked, so that nothing is done twice."""
        try:
            if action.patch is not None:
                return has_patch(self._client.twins.get(attempt.device_id, attempt.module_id), action.patch)
            return all(
                has_content(self._client.twins.get(attempt.device_id, module_id), module)
                for module_id, module in wanted_of_modules(action.content or {})
            )
        except NotFound:  # a module that is not there yet; of a device, the call itself will say so
            return False
