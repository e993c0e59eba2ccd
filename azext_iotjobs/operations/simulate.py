"""Run simulated devices until their messages are sent or someone stops them.

One loop on the calling thread, for any number of devices: transport events -> session -> actions -> transport. What is
due (the next message, a reconnect, a new token) stands in one schedule ordered by time.
"""

import heapq
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import quote

from azext_iotjobs._version import VERSION
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import CannotConnect, LinkError, Unauthorized
from azext_iotjobs.model.target import DeviceKey, HubTarget
from azext_iotjobs.simulator import session as mind
from azext_iotjobs.simulator import telemetry, topics
from azext_iotjobs.transport import mqtt
from azext_iotjobs.transport.auth import device_password

API_VERSION = "2021-04-12"
TOKEN_LIFE_S = 3600  # the official SDK's
FIRST_RECONNECT_S = 1.0
LONGEST_RECONNECT_S = 30.0
IDLE_TURN_S = 0.5  # how soon a stop is noticed when nothing else happens


@dataclass(frozen=True, kw_only=True)
class SimulatedDevice:
    """A device to simulate: who it is, how it answers, what it sends."""

    credential: DeviceKey
    behaviour: mind.Behaviour
    plan: telemetry.TelemetryPlan
    model_id: str | None = None

    @property
    def device_id(self) -> str:
        return self.credential.device_id


@dataclass(frozen=True, kw_only=True)
class Reporter:
    """Whom to tell; both are called on the loop's thread and must not block."""

    seen: Callable[[str, mind.Seen], None]  # something that reached the device, or that it did
    link: Callable[[str, str], None]  # a word about the connection: lost, trying again
    sent: Callable[[str, int], None]  # message number n was acknowledged


@dataclass
class StopFlag:
    """Set it from a signal handler: the loop ends at its next turn."""

    is_set: bool = False


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a simulation did."""

    sent_count: int  # messages that the hub acknowledged
    finished: bool  # False: it was stopped before its end


@dataclass
class _Run:
    """One device in the loop."""

    device: SimulatedDevice
    session: mind.Session
    login_number: int = 0  # a token's renewal that belongs to an older login is void
    subscription: int | None = None
    started_at: float | None = None  # when the first message was due
    next_number: int = 1
    unacknowledged: dict[int, int] = field(default_factory=dict)  # packet number -> message number
    failures: int = 0
    ready_before: bool = False
    is_done: bool = False


class _Due:
    """A schedule: things to do, by time."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (when, next(self._order), what))

    def wait_s(self, now: float) -> float:
        return max(0.0, min(self._heap[0][0] - now, IDLE_TURN_S)) if self._heap else IDLE_TURN_S

    def run(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()


def run(
    target: HubTarget, devices: Sequence[SimulatedDevice], reporter: Reporter, clock: Clock, stop: StopFlag
) -> Summary:  # fmt: skip
    """Simulate `devices` until each has sent its messages, or `stop` is set.

    Messages are sent at least once: one whose acknowledgement was lost with a connection is sent again.
    Raises Unauthorized when the hub refuses a device, CannotConnect when the hub was never reached.
    """
    loop = _Loop(target, devices, reporter, clock)
    try:
        return loop.run(stop)
    finally:
        loop.transport.close()


class _Loop:
    def __init__(
        self, target: HubTarget, devices: Sequence[SimulatedDevice], reporter: Reporter, clock: Clock
    ) -> None:  # fmt: skip
        self._target = target
        self._reporter = reporter
        self._clock = clock
        self._due = _Due()
        self._runs = {each.device_id: _Run(each, mind.Session(each.behaviour)) for each in devices}
        self._sent_count = 0
        self.transport = mqtt.MqttTransport(target, clock)

    def run(self, stop: StopFlag) -> Summary:
        for run in self._runs.values():
            self._connect(run)
        while not stop.is_set and not all(run.is_done for run in self._runs.values()):
            for event in self.transport.receive(self._due.wait_s(self._clock.monotonic())):
                self._on(self._runs[event.device], event)
            self._due.run(self._clock.monotonic())
        return Summary(sent_count=self._sent_count, finished=not stop.is_set)

    def _connect(self, run: _Run) -> None:
        device = run.device
        password = device_password(self._target, device.credential, self._clock.now(), TOKEN_LIFE_S)
        run.login_number += 1
        login_number = run.login_number
        life_s = (password.renew_at - self._clock.now()).total_seconds()
        self._due.at(self._clock.monotonic() + life_s, lambda: self._renew(run, login_number))
        self.transport.connect(
            device.device_id,
            mqtt.MqttLogin(
                client_id=device.device_id, username=_username(self._target, device), password=password.text
            ),
        )

    def _renew(self, run: _Run, login_number: int) -> None:
        """Come back with a new token before the old one ends; the hub would cut the connection then."""
        if login_number == run.login_number and run.session.state is not mind.State.OFFLINE:
            self.transport.drop(run.device.device_id)
            run.session.on(mind.Offline())
            self._connect(run)

    def _on(self, run: _Run, event: mqtt.Event) -> None:
        match event:
            case mqtt.Connected():
                run.failures = 0
                self._act(run, mind.Online())
            case mqtt.Acknowledged(_, number):
                self._acknowledged(run, number)
            case mqtt.Arrived(device, topic, payload):
                self._act(run, topics.parse(device, topic, payload))
            case mqtt.Lost():
                self._act(run, mind.Offline())
                self._come_back(run, "connection lost")
            case mqtt.Failed(_, error):
                self._failed(run, error)
            case mqtt.Refused(device, code):
                raise Unauthorized(
                    f"The hub refused device {device} (CONNACK {code}): unknown, disabled, or not its key.",
                    status=401,
                    hint="Look at it: az iot hub device-identity show. A clock that is off by minutes has the same "
                    "effect.",
                )

    def _failed(self, run: _Run, error: LinkError) -> None:
        # Before the first success a wrong host or an untrusted certificate is what it is; later it is an outage.
        if not run.ready_before and (isinstance(error, CannotConnect)):
            raise error
        self._come_back(run, str(error))

    def _come_back(self, run: _Run, reason: str) -> None:
        longest = min(LONGEST_RECONNECT_S, FIRST_RECONNECT_S * 2**run.failures)
        run.failures = min(run.failures + 1, 16)
        pause_s = longest * (0.5 + 0.5 * random.random())
        self._reporter.link(run.device.device_id, f"{reason}; connecting again in {pause_s:.1f} s")
        self._due.at(self._clock.monotonic() + pause_s, lambda: self._connect(run))

    def _act(self, run: _Run, event: mind.Event) -> None:
        device = run.device.device_id
        for action in run.session.on(event):
            match action:
                case mind.Listen():
                    run.subscription = self.transport.subscribe(device, topics.filters(device))
                case mind.AnswerMethod():
                    self.transport.publish(device, *topics.render_answer(action), qos=0)
                case mind.Report():
                    self.transport.publish(device, *topics.render_report(action), qos=0)
                case mind.Seen():
                    self._reporter.seen(device, action)
        if isinstance(event, mind.Subscribed) and run.session.state is mind.State.READY:
            self._ready(run)

    def _ready(self, run: _Run) -> None:
        run.ready_before = True
        if run.started_at is None:
            run.started_at = self._clock.monotonic()
            self._send_due(run)

    def _acknowledged(self, run: _Run, number: int) -> None:
        if number == run.subscription:
            run.subscription = None
            self._act(run, mind.Subscribed())
        elif number in run.unacknowledged:
            self._sent_count += 1
            self._reporter.sent(run.device.device_id, run.unacknowledged.pop(number))
            self._maybe_done(run)

    def _send_due(self, run: _Run) -> None:
        """Send the message that is due, or wait for the connection; then plan the next one."""
        plan = run.device.plan
        assert run.started_at is not None
        if run.next_number > plan.count:
            self._maybe_done(run)
            return
        if run.session.state is mind.State.READY:
            device = run.device.device_id
            body = telemetry.body(plan, run.next_number, str(uuid.uuid4()), self._clock.now())
            topic = topics.telemetry_topic(device, dict(plan.properties))
            number = self.transport.publish(device, topic, body, qos=1)
            run.unacknowledged[number] = run.next_number
            run.next_number += 1
            next_at = max(plan.due_at(run.next_number, run.started_at), self._clock.monotonic())
        else:
            next_at = self._clock.monotonic() + min(plan.interval_s, FIRST_RECONNECT_S)
        self._due.at(next_at, lambda: self._send_due(run))

    def _maybe_done(self, run: _Run) -> None:
        """Done when all is sent and acknowledged and the last interval is over."""
        plan = run.device.plan
        if run.started_at is None or run.next_number <= plan.count or run.unacknowledged:
            return
        run.is_done = self._clock.monotonic() >= plan.ends_at(run.started_at)


def _username(target: HubTarget, device: SimulatedDevice) -> str:
    agent = quote(f"iotjobs/{VERSION}", safe="")
    model = f"&model-id={quote(device.model_id, safe='')}" if device.model_id else ""
    return f"{target.host}/{device.device_id}/?api-version={API_VERSION}&DeviceClientType={agent}{model}"
