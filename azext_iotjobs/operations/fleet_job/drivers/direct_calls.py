"""BatchDriver: we call each device ourselves, several at once. A call cut off is uncertain, or looked at again.

Strategy: one turn is one transaction: what the calls that have ended came to, and the intents of those that begin. So a
slow disk makes turns longer and not calls slower, and no device is called whose row does not say so before.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.many_calls import Reactions, Workers
from azext_iotjobs.clients.steady import PATIENCE_S
from azext_iotjobs.fleet_job.driver import Hear, MakeDriver
from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.fleet_job.outcomes import ended_of, result_of
from azext_iotjobs.fleet_job.store.leased_run import LeasedRun
from azext_iotjobs.model import calling
from azext_iotjobs.model.applied import has_content, has_patch, wanted_of_modules
from azext_iotjobs.model.calling import Answer, Call, Next, what_next
from azext_iotjobs.model.clock import Clock, SteadyClock
from azext_iotjobs.model.errors import HubFault, IotJobsError, NotFound
from azext_iotjobs.model.fleet import Action, Definition
from azext_iotjobs.model.fleet_events import DeviceEnded, Said
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.pacing import Pacing
from azext_iotjobs.model.run import Attempt, Batch, DeviceState, Ended, Run

LONGEST_NAP_S = 0.5
ROWS_AHEAD = 500  # of devices that wait, read at a time


def driver(client: HubClient, clock: Clock) -> MakeDriver:
    """What makes this driver, for `operations.fleet.Hands`."""

    def make(leased: LeasedRun, run: Run, definition: Definition, hear: Hear) -> ByCalls:
        return ByCalls(client, SteadyClock(clock), leased, run, definition, hear)

    return make


@dataclass(frozen=True)
class _Made:
    attempt: Attempt
    call: Call


class ByCalls:
    """Operates devices by calls of our own."""

    def __init__(
        self, client: HubClient, clock: Clock, leased: LeasedRun, run: Run, definition: Definition, hear: Hear
    ) -> None:  # fmt: skip
        self._client = client
        self._clock = clock
        self._leased = leased
        self._delivery = run.delivery
        self._action = definition.action.within(run.delivery)
        self._retry = definition.rollout.retry
        self._has_threshold = definition.rollout.threshold is not None
        self._hear = hear
        self._pacing = Pacing(run.delivery.rate, PATIENCE_S)
        self._reactions = Reactions(self._pacing, lambda text: hear(Said(at=clock.now(), text=text)))
        self._workers = Workers(self._call)
        self._under_way = 0
        self._first: _Made | None = None  # a call that has ended, taken from the others while we waited
        self._waiting: deque[Attempt] = deque()  # read from the store, not begun
        self._looked_at: set[int] = set()  # devices that were looked at, and whose call is made again; by number
        self._read_up_to = (0, 0)  # batch, and the number of the last device read of it

    @property
    def trouble(self) -> IotJobsError | None:
        """Why no other call would fare better."""
        return self._reactions.ended_by

    def in_flight_count(self, drain: Drain) -> int:
        """Calls under way; all of them are awaited, however the run ends."""
        return self._under_way

    def turn(self, batch: Batch, drain: Drain) -> None:
        """Record what has ended, begin what may begin; when there is neither, wait a little for either."""
        ended_count = self._record_and_begin(batch, drain)
        if ended_count:
            return
        nap_s = min(LONGEST_NAP_S, max(0.01, self._pacing.wait_s(self._clock.monotonic()) or LONGEST_NAP_S))
        if self._under_way:
            self._first = self._workers.next_ended(nap_s)
        else:
            self._clock.sleep(nap_s)

    def close(self) -> None:
        """Let the threads end."""
        self._workers.end()

    def _record_and_begin(self, batch: Batch, drain: Drain) -> int:
        ended: list[tuple[Attempt, Ended]] = []
        again: list[int] = []
        cut_off: list[int] = []
        made = self._ended_calls()
        for each in made:
            self._judge(each, ended, again, cut_off)
        self._under_way -= len(made)
        may_begin = drain is Drain.NO and self.trouble is None and not self._is_for_threshold(ended)
        begun = self._chosen(batch) if may_begin else []
        if made or begun:
            now = self._clock.now()
            self._leased.write(now, ended=[each for _, each in ended], again=again, begun=begun, cut_off=cut_off)
            for attempt, end in ended:
                self._hear(
                    DeviceEnded(at=now, result=result_of(attempt, end), batch=batch.ordinal, tries=end.tries)
                )  # fmt: skip
        for attempt in begun:
            self._under_way += 1
            self._workers.begin(attempt)
        return len(made) + len(begun)

    def _is_for_threshold(self, ended: list[tuple[Attempt, Ended]]) -> bool:
        """Whether it has to be looked at before anything else begins: a failure may have been one too many."""
        return self._has_threshold and any(end.state is not DeviceState.COMPLETED for _, end in ended)

    def _ended_calls(self) -> list[_Made]:
        made, self._first = ([] if self._first is None else [self._first]), None
        while len(made) < self._under_way and (one := self._workers.next_ended(0)) is not None:
            made.append(one)
        return made

    def _judge(
        self, made: _Made, ended: list[tuple[Attempt, Ended]], again: list[int], cut_off: list[int]
    ) -> None:  # fmt: skip
        answer, attempt = made.call.answer, made.attempt
        if not self._reactions.is_kept(answer, self._clock.monotonic()):
            again.append(attempt.seq)  # nothing was done
            return
        is_open = what_next(answer) is Next.KEEP_AND_PAUSE
        if is_open and self._action.kind.is_repeatable and not self._is_given_up(made):
            cut_off.append(attempt.seq)
            return
        result = calling.result_of(made.call, self._action.success)
        ended.append((attempt, ended_of(attempt, result, self._retry, made.call.ended_at, is_uncertain=is_open)))

    def _is_given_up(self, made: _Made) -> bool:
        """Whether a device itself may be what the hub fails at: it was looked at, tried again and again, and our
        patience has run out over it. Else no resume would ever get past it.
        """
        is_at_fault = isinstance(made.call.answer, HubFault) and isinstance(self.trouble, HubFault)
        return is_at_fault and made.attempt.seq in self._looked_at

    def _chosen(self, batch: Batch) -> list[Attempt]:
        """Devices whose calls may begin now."""
        chosen: list[Attempt] = []
        now = self._clock.monotonic()
        while self._under_way + len(chosen) < self._delivery.concurrency and self._pacing.wait_s(now) <= 0:
            attempt = self._next(batch)
            if attempt is None:
                break
            self._pacing.began(now)
            chosen.append(attempt)
        return chosen

    def _next(self, batch: Batch) -> Attempt | None:
        if self._read_up_to[0] != batch.ordinal:
            self._waiting.clear()
            self._read_up_to = (batch.ordinal, 0)
        if not self._waiting:
            self._read_more(batch.ordinal)
        return self._waiting.popleft() if self._waiting else None

    def _read_more(self, batch: int) -> None:
        now: datetime = self._clock.now()
        found = self._leased.due(batch, now, ROWS_AHEAD, after=self._read_up_to[1])
        # At the end again from the start: some have come back to be tried again. What was chosen is written first.
        self._read_up_to = (batch, found[-1].seq if found else 0)
        self._waiting.extend(found)

    def _call(self, attempt: Attempt) -> _Made:
        """Runs on the threads."""
        began_at = self._clock.now()
        answer: Answer
        try:
            answer = self._operate(attempt)
        except IotJobsError as err:
            answer = err
        address = Address(attempt.device_id, attempt.module_id)
        return _Made(attempt, Call(address=address, began_at=began_at, ended_at=self._clock.now(), answer=answer))

    def _operate(self, attempt: Attempt) -> Answer:
        device_id, module_id, action = attempt.device_id, attempt.module_id, self._action
        if action.method is not None:
            return self._client.methods.invoke(device_id, action.method, module_id, waits_out_throttling=False)
        if attempt.was_cut_off and self._is_done_already(attempt, action):
            return None
        if attempt.was_cut_off:
            self._looked_at.add(attempt.seq)
        if action.patch is not None:
            return self._client.twins.patch(device_id, action.patch, module_id, waits_out_throttling=False)
        assert action.content is not None
        self._client.configurations.apply(device_id, action.content, waits_out_throttling=False)
        return None

    def _is_done_already(self, attempt: Attempt, action: Action) -> bool:
        """Whether the call that was cut off has got through; that is looked up, so that nothing is done twice."""
        try:
            if action.patch is not None:
                return has_patch(self._client.twins.get(attempt.device_id, attempt.module_id), action.patch)
            return all(
                has_content(self._client.twins.get(attempt.device_id, module_id), module)
                for module_id, module in wanted_of_modules(action.content or {})
            )
        except NotFound:  # a module that is not there yet; of a device, the call itself will say so
            return False
