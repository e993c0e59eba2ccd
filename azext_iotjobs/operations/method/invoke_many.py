"""Call a direct method on many devices, several at once; a row for each, as its call ends.

Strategy: one thread decides, worker threads call. Devices are taken from the iterator one by one as workers become
free, so that a selection of a million is never in memory. model/calling.py decides what follows from the end of a call,
model/call_pacing.py when the next one may begin.
"""

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.many_calls import Reactions, Workers
from azext_iotjobs.clients.methods import answer_of
from azext_iotjobs.model.call_pacing import CONCURRENCY, Pacing
from azext_iotjobs.model.calling import Answer, Call, result_of
from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.errors import BadValue, IotJobsError
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import SuccessStatus
from azext_iotjobs.model.result import DeviceResult
from azext_iotjobs.model.text import Field, Text, counted
from azext_iotjobs.transport.http import Request, Response

LONGEST_NAP_S = 0.5  # between two checks of the stop flag


@dataclass(frozen=True, kw_only=True)
class CallPlan:
    """What to call, and how fast. Raises BadValue."""

    call: MethodCall
    success: SuccessStatus
    concurrency: int = 10  # 1..200
    rate: float | None = None  # calls a second at most, more than 0; None: as fast as they are answered

    def __post_init__(self) -> None:
        low, high = CONCURRENCY
        if not low <= self.concurrency <= high:
            raise BadValue(Text(Field("concurrency"), f" {self.concurrency}: give {low} to {high}."))
        if self.rate is not None and not 0 < self.rate < float("inf"):
            raise BadValue(Text(Field("rate"), f" {self.rate}: give a number of calls a second, more than 0."))


class CallMany:
    """One round of calls; `rows` makes it.

    stop: once it is set no call begins.  say: called with the reason when all calls pause.
    """

    def __init__(
        self, client: HubClient, plan: CallPlan, clock: Clock, stop: StopFlag, say: Callable[[str], None]
    ) -> None:
        self.in_flight_count = 0
        self._client = client
        self._plan = plan
        self._clock = clock
        self._stop = stop
        self._say = say
        self._pacing = Pacing(plan.rate)
        self._reactions = Reactions(self._pacing, say)
        self._no_more_ids: IotJobsError | None = None
        self._again: deque[Address] = deque()  # these were not called yet
        self._addresses: Iterator[Address] = iter(())

    @property
    def ended_by(self) -> IotJobsError | None:
        """The error that ended the round: one that every call would have had, or of the next ids; None: none."""
        return self._reactions.ended_by or self._no_more_ids

    def rows(self, addresses: Iterator[Address]) -> Iterator[DeviceResult]:
        """Call each; a call that has begun is awaited, whatever ends the round. What ended it is in `ended_by`."""
        self._addresses = addresses
        workers: Workers[Address, Call] = Workers(self._call, self, self._client, self._clock)
        try:
            yield from self._rows(workers)
        finally:
            workers.end()

    def _rows(self, workers: Workers[Address, Call]) -> Iterator[DeviceResult]:
        has_reported = False
        while True:
            if self._stop.is_set() and self.in_flight_count and not has_reported:
                has_reported = True
                self._say(
                    f"Stopping: no further call begins. {counted(self.in_flight_count, 'call')} under way will be "
                    "awaited."
                )
            wait_s = self._begin(workers)
            if self.in_flight_count == 0 and wait_s is None:
                return
            nap_s = LONGEST_NAP_S if wait_s is None else min(wait_s, LONGEST_NAP_S)
            if self.in_flight_count == 0:
                self._clock.sleep(nap_s)
                continue
            call = workers.next_ended(nap_s)
            if call is not None:
                self.in_flight_count -= 1
                if self._is_final(call):
                    yield result_of(call, self._plan.success)

    def _begin(self, workers: Workers[Address, Call]) -> float | None:
        """Begin what may begin now; gives the seconds until more may, None when an end must come first, or for good."""
        while self.in_flight_count < self._plan.concurrency:
            now = self._clock.monotonic()
            wait_s = self._pacing.wait_s(now)
            if self._is_stopped():
                return None
            if wait_s > 0:
                return wait_s if self._has_more() else None
            address = self._next()
            if address is None:
                return None
            self._pacing.began(now)
            self.in_flight_count += 1
            workers.begin(address)
        return None

    def _is_stopped(self) -> bool:
        return self.ended_by is not None or self._stop.is_set()

    def _has_more(self) -> bool:
        address = self._next()
        if address is not None:
            self._again.appendleft(address)
        return address is not None

    def _next(self) -> Address | None:
        if self._again:
            return self._again.popleft()
        try:
            return next(self._addresses, None)
        except IotJobsError as err:  # the hub did not give the next ids; the rows so far stay
            self._no_more_ids = err
            return None

    def _call(self, address: Address) -> Call:
        """Runs on the worker threads."""
        began_at = self._clock.now()
        answer: Answer
        try:
            answer = self._client.methods.invoke(
                address.device_id, self._plan.call, address.module_id, waits_out_throttling=False
            )
        except IotJobsError as err:
            answer = err
        return Call(address=address, began_at=began_at, ended_at=self._clock.now(), answer=answer)

    def request(self, address: Address) -> Request | None:
        """Implements OneRequestCalls."""
        try:
            return self._client.methods.request(
                address.device_id, self._plan.call, address.module_id, waits_out_throttling=False
            )
        except IotJobsError:  # `_call` meets it again, and it is the device's result
            return None

    def result(self, address: Address, began_at: datetime, outcome: Response | IotJobsError) -> Call:
        """Implements OneRequestCalls."""
        return Call(address=address, began_at=began_at, ended_at=self._clock.now(), answer=answer_of(outcome))

    def _is_final(self, call: Call) -> bool:
        """Whether the call counts; if not, its device was not called, and is called again."""
        is_final = self._reactions.is_kept(call.answer, self._clock.monotonic())
        if not is_final and self._reactions.ended_by is None:
            self._again.append(call.address)
        return is_final
