"""Simulate devices over MQTT until all has been sent or somebody says stop: one loop, any number of devices.

Strategy: the loop owns time and connections, each device's `Session` decides. What is due next stands in one agenda (a
heap), so a turn costs what happens in it, not how many devices there are. An outdated entry does no harm: tending a
device does only what is due. Whoever wants to connect, for the first time or again, stands in one line, from which the
pacer lets in so many a second: a hub that comes back does not meet all its devices at once.
"""

import heapq
import math
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.errors import BadValue, IotJobsError, LinkError, Unauthorized
from azext_iotjobs.model.target import DeviceCertificate, DeviceKey, HubTarget
from azext_iotjobs.simulator import events as mind
from azext_iotjobs.simulator import telemetry, topics
from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.dice import Dice
from azext_iotjobs.simulator.events import Moment, Seen, What, Who
from azext_iotjobs.simulator.parts.core import State
from azext_iotjobs.simulator.session import Session
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from azext_iotjobs.transport import mqtt_events as wire
from azext_iotjobs.transport import retry
from azext_iotjobs.transport.auth import device_password
from azext_iotjobs.transport.http import API_VERSION
from azext_iotjobs.transport.mqtt import MqttTransport, Way
from azext_iotjobs.transport.open_files import make_room
from azext_iotjobs.transport.pacing import RAMP_PER_S, Pacer
from azext_iotjobs.transport.retry import AfterRefusal

TOKEN_LIFE_S = 3600  # as the official device SDKs have it
LONGEST_TURN_S = 0.5  # a stop is noticed within it
FIRST_TRIES = 3  # a hub that was never reached is more likely misspelt than busy
LAST_WAIT_S = 30.0  # for acknowledgements that are missing at the end
TAKEN_OVER = "Every connection ends early: perhaps another client signs in as this device."
TOO_MUCH_WAITS = "Too much waits for the hub already."
SPARE_ENTRIES = 10_000  # outdated ones that the agenda may hold

Reporter = Callable[[str, Seen], None]  # device id, what there is to tell


@dataclass(frozen=True, kw_only=True)
class SimulatedDevice:
    """A device to simulate: who it is, how it answers, what it sends."""

    device_id: str
    credential: DeviceKey | DeviceCertificate
    behaviour: Behaviour
    plan: TelemetryPlan | None  # None: it sends only what its behaviour says, and lives until it is stopped
    model_id: str | None = None  # DTMI that it announces
    number: int = 0  # within its fleet, from 0
    tags: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a simulation came to."""

    sent_count: int  # messages handed to a connection
    acknowledged_count: int  # messages of them that the hub has acknowledged
    dropped_count: int = 0  # messages, answers and reports not sent: too many of the device waited for the hub already
    failures: Mapping[str, IotJobsError]  # by device: why it gave up
    was_stopped: bool


def run(
    target: HubTarget,
    devices: Sequence[SimulatedDevice],
    reporter: Reporter,
    clock: Clock,
    stop: StopFlag,
    way: Way = Way.TLS,
    seed: str = "",
    ramp_per_s: float = RAMP_PER_S,
) -> Summary:
    """Connect `devices` to `target` and let them live; gives what it came to, and leaves nothing connected.

    reporter: told, on this thread, of everything that a person may want to see.
    seed: of the devices' chance: the same one gives the same behaviour.
    ramp_per_s: connections begun in a second, first ones and later ones together; more than 0.
    Raises BadValue when there are more devices than this process may open files. When every device gave up, the first
    one's error: Unauthorized, LinkError, BadValue for a certificate that cannot be used.
    """
    make_room(len(devices))
    links = MqttTransport(target, clock, way)
    try:
        return run_over(links, target, devices, reporter, clock, stop, seed, ramp_per_s)
    finally:
        links.close()


def run_over(
    links: wire.DeviceLinks,
    target: HubTarget,
    devices: Sequence[SimulatedDevice],
    reporter: Reporter,
    clock: Clock,
    stop: StopFlag,
    seed: str = "",
    ramp_per_s: float = RAMP_PER_S,
) -> Summary:
    """The same over connections that are there already."""
    dice = Dice(f"{seed}/connections")
    line = _Line(Pacer(ramp_per_s))
    around = _Around(
        links=links, target=target, reporter=reporter, clock=clock, seed=seed, line=line, dice=dice,
        is_fleet=len(devices) > 1,
    )  # fmt: skip
    running = {device.device_id: _Device(device, around) for device in devices}
    _loop(running, around, stop)
    failures = {name: device.failure for name, device in running.items() if device.failure is not None}
    if failures and len(failures) == len(running):
        raise next(iter(failures.values()))
    return Summary(
        sent_count=sum(device.sent_count for device in running.values()),
        acknowledged_count=sum(device.acknowledged_count for device in running.values()),
        dropped_count=sum(device.dropped_count for device in running.values()),
        failures=failures,
        was_stopped=stop.is_set(),
    )


@dataclass(kw_only=True)
class _Around:
    """What every device of a simulation shares."""

    links: wire.DeviceLinks
    target: HubTarget
    reporter: Reporter
    clock: Clock
    seed: str
    line: "_Line"
    dice: Dice  # of the connections' times, which no seed can make the same: the hub has a part in them
    is_fleet: bool
    arrived_at: float = 0.0  # when the connections were last read, monotonic

    def moment(self) -> Moment:
        """Now."""
        return Moment(self.clock.monotonic(), self.clock.now())


class _Line:
    """Who wants to connect, in the order in which they came."""

    def __init__(self, pacer: Pacer) -> None:
        self.pacer = pacer
        self._devices: deque[_Device] = deque()

    def join(self, device: "_Device") -> None:
        self._devices.append(device)

    def next_at(self, now: float) -> float:
        """When somebody may be let in; inf: not before something else happens."""
        return self.pacer.next_at(now) if self._devices else math.inf

    def let_in(self, now: float) -> "list[_Device]":
        """Connect those whose turn it is."""
        begun = []
        while self._devices and (not self._devices[0].is_in_line or self.pacer.next_at(now) <= now):
            device = self._devices.popleft()
            device.connect(now)
            begun.append(device)
        return begun


def _loop(running: "dict[str, _Device]", around: _Around, stop: StopFlag) -> None:
    clock = around.clock
    agenda = [(clock.monotonic(), name) for name in running]
    agreed = {name: at for at, name in agenda}  # which entry of a device counts; the others are outdated
    living = set(running)
    while living and not stop.is_set():
        now = clock.monotonic()
        wait_s = min(agenda[0][0] if agenda else math.inf, around.line.next_at(now)) - now
        touched = set()
        events = around.links.receive(min(max(wait_s, 0.0), LONGEST_TURN_S))
        around.arrived_at = clock.monotonic()
        for event in events:
            running[event.device].on(event)
            touched.add(event.device)
        now = clock.monotonic()
        while agenda and agenda[0][0] <= now:
            at, name = heapq.heappop(agenda)
            if agreed.get(name) == at:
                del agreed[name]
                touched.add(name)
        for name in touched:
            device = running[name]
            device.tend(now)
            if device.is_over:
                living.discard(name)
            if device.next_at < agreed.get(name, math.inf):
                agreed[name] = device.next_at
                heapq.heappush(agenda, (device.next_at, name))
        living -= {device.device_id for device in around.line.let_in(now) if device.is_over}
        if len(agenda) > 2 * len(agreed) + SPARE_ENTRIES:
            agenda = [(at, name) for name, at in agreed.items()]
            heapq.heapify(agenda)


class _Device:
    """One device's connection and what it still has to do; its session decides what it says."""

    __slots__ = (
        "_around", "_connect_at", "_device", "_is_linked", "_is_under_way", "_plan", "_planned_count", "_ready_at",
        "_refusals", "_renew_at", "_session", "_short_links", "_started_at", "_subscription", "_tries",
        "acknowledged_count", "dropped_count", "failure", "is_in_line", "is_over", "sent_count", "unacknowledged",
    )  # fmt: skip

    def __init__(self, device: SimulatedDevice, around: _Around) -> None:
        self._device = device
        self._plan = device.plan
        self._around = around
        who = Who(device_id=device.device_id, number=device.number, tags=device.tags)
        self._session = Session(device.behaviour, who, Dice(f"{around.seed}/{device.device_id}"))
        self._connect_at = math.inf  # not by itself
        self.is_in_line = False  # to be connected, or to be connected again with a new token
        self._is_linked = False  # a connection is there or under way
        self._is_under_way = False  # the hub has not yet said whether it takes the connection
        self._tries = 0  # that failed in a row
        self._refusals = 0  # in a row
        self._short_links = 0  # in a row
        self._ready_at = math.inf
        self._renew_at = math.inf
        self._subscription: int | None = None
        self._started_at: float | None = None  # when the first message was due
        self.sent_count = 0
        self._planned_count = 0  # those of them that the plan wanted
        self.acknowledged_count = 0
        self.dropped_count = 0
        self.unacknowledged: dict[int, int] = {}  # the wire's number of a message -> its own
        self.failure: IotJobsError | None = None
        self.is_over = False
        self._act(mind.Started())

    @property
    def device_id(self) -> str:
        return self._device.device_id

    @property
    def next_at(self) -> float:
        """When it wants to be tended next, on the monotonic clock; inf: not before something happens to it."""
        if self.is_over:
            return math.inf
        is_ready = self._session.state is State.READY
        return min(
            self._connect_at,
            self._renew_at if is_ready else math.inf,
            self._next_message_at() if is_ready else math.inf,
            self._session.next_at,
            self._end_at(),
        )

    def on(self, event: wire.Event) -> None:
        """Take in what the connection says."""
        if self.is_over:
            return
        match event:
            case wire.Connected():
                self._decided()
                self._refusals = 0
                self._act(mind.Online())
            case wire.Acknowledged(number=number):
                self._acknowledged(number)
            case wire.Arrived(topic=topic, payload=payload):
                self._act(topics.parse(self.device_id, topic, payload))
            case wire.Lost():
                self._lost()
            case wire.Failed(error=error):
                self._failed(error)
            case wire.Refused(code=code):
                self._refused(code)

    def tend(self, now: float) -> None:
        """Do what is due at `now`."""
        if self.is_over:
            return
        if self._session.next_at <= now:
            self._act(mind.Due())
        if self._connect_at <= now or (self._session.state is State.READY and self._renew_at <= now):
            self._connect_at = self._renew_at = math.inf
            self._join_line()
        if self._session.state is State.READY:
            self._send_due(now)
        if self._end_at() <= now:
            self.is_over = True
            self._around.links.drop(self.device_id)
            self._tell(What.LEFT)

    def _next_message_at(self) -> float:
        """inf when there is none to come, or none has been due yet."""
        if self._plan is None or self._started_at is None or self._planned_count >= self._plan.count:
            return math.inf
        return self._plan.due_at(self._planned_count + 1, self._started_at)

    def _end_at(self) -> float:
        """inf while messages are to come, and without a plan."""
        if self._plan is None or self._started_at is None or self._planned_count < self._plan.count:
            return math.inf
        end = self._plan.ends_at(self._started_at)
        return end + LAST_WAIT_S if self.unacknowledged else end

    def connect(self, now: float) -> None:
        """Its turn has come, unless it left the line."""
        if not self.is_in_line:
            return
        self.is_in_line = False
        if self._is_linked:  # a token cannot be changed within a connection: leave and come back
            self._leave()
        self._is_linked = self._is_under_way = True
        self._around.line.pacer.begin(now)
        try:
            self._around.links.connect(self.device_id, self._login())
        except BadValue as err:
            self._decided()
            self._give_up(err)

    def _join_line(self) -> None:
        if not self.is_in_line:
            self.is_in_line = True
            self._around.line.join(self)

    def _decided(self) -> None:
        """The connection is there, or it will not be."""
        if self._is_under_way:
            self._is_under_way = False
            self._around.line.pacer.end()

    def _login(self) -> wire.MqttLogin:
        device, target, clock = self._device, self._around.target, self._around.clock
        model = f"&model-id={quote(device.model_id, safe='')}" if device.model_id else ""
        username = f"{target.host}/{device.device_id}/?api-version={API_VERSION}{model}"
        login = wire.MqttLogin(client_id=device.device_id, username=username, password=None)
        if isinstance(device.credential, DeviceCertificate):
            self._renew_at = math.inf
            return replace(login, certificate=device.credential)
        now = clock.now()
        token = device_password(target, device.credential, now, TOKEN_LIFE_S)
        chance = self._around.dice.throw() if self._around.is_fleet else 0.0
        self._renew_at = clock.monotonic() + retry.renew_pause((token.renew_at - now).total_seconds(), chance=chance)
        return replace(login, password=token.text)

    def _leave(self) -> None:
        self._unlink()
        self._around.links.drop(self.device_id)
        self._act(mind.Offline())
        self._tell(What.LEFT)

    def _send_due(self, now: float) -> None:
        while self._plan is not None and self._next_message_at() <= now:
            instant = self._around.clock.now()
            self._planned_count += 1
            body = telemetry.body(self._plan, self._planned_count, str(uuid.uuid4()), instant)
            message = mind.SendTelemetry(properties=self._plan.properties, body=body)
            self._send(message, count=self._plan.count)

    def _send(self, message: mind.SendTelemetry, **planned: int) -> None:
        self.sent_count += 1
        number = self._publish(*topics.render_telemetry(self.device_id, message))
        if number is None:
            return
        self.unacknowledged[number] = self.sent_count
        self._tell(What.SENT, number=self.sent_count, **planned)

    def _act(self, event: mind.Event) -> None:
        is_answered = True
        for action in self._session.on(event, self._around.moment()):
            match action:
                case mind.Come():
                    self._connect_at = self._around.clock.monotonic()
                case mind.Leave():
                    self._leave()
                case mind.SendTelemetry():
                    self._send(action)
                case mind.Listen():
                    filters = topics.filters(self.device_id)
                    self._subscription = self._around.links.subscribe(self.device_id, filters)
                case mind.AnswerMethod():
                    is_answered = self._publish(*topics.render_answer(action)) is not None
                case mind.Report():
                    if self._publish(*topics.render_report(action)) is not None:
                        self._tell(What.REPORT, rid=action.rid, patch=action.patch)
                case mind.FetchTwin():
                    self._publish(*topics.render_fetch(action))
                case Seen(what=What.ANSWER, details=call) if not is_answered:
                    self._tell(What.UNANSWERED, rid=call["rid"], name=call["name"], reason=TOO_MUCH_WAITS)
                case Seen(what=What.METHOD):
                    self._around.reporter(self._device.device_id, replace(action, since=self._around.arrived_at))
                case Seen():
                    self._around.reporter(self.device_id, action)

    def _publish(self, topic: str, payload: bytes) -> int | None:
        number = self._around.links.publish(self.device_id, topic, payload, qos=1)
        if number is None:
            self.dropped_count += 1
            self._tell(What.DROPPED)
        return number

    def _acknowledged(self, number: int) -> None:
        if number != self._subscription:
            sent = self.unacknowledged.pop(number, None)
            if sent is not None:
                self.acknowledged_count += 1
                self._tell(What.ACKNOWLEDGED, number=sent)
            return
        self._subscription = None
        self._act(mind.Subscribed())
        now = self._around.clock.monotonic()
        self._ready_at = now
        if self._started_at is None:
            self._started_at = now
        # Late messages are not sent in a burst: the rest of the plan moves.
        self._started_at += max(0.0, now - self._next_message_at())

    def _lost(self) -> None:
        if not self._is_linked:  # the end of a connection of which Failed or Refused has told already
            return
        if retry.is_short(self._around.clock.monotonic() - self._ready_at):
            self._short_links += 1
        else:
            self._tries = self._short_links = 0
        why = {"reason": TAKEN_OVER} if retry.is_perhaps_taken_over(self._short_links) else {}
        self._retry(What.LOST, self._reconnect_pause(), **why)

    def _failed(self, error: LinkError) -> None:
        if self._started_at is None and self._tries + 1 >= FIRST_TRIES:
            self._give_up(error)
        else:
            self._retry(What.NOT_CONNECTED, self._reconnect_pause(), reason=str(error))

    def _refused(self, code: int) -> None:
        self._refusals += 1
        match retry.after_refusal(code, refusals=self._refusals, was_in=self._started_at is not None):
            case AfterRefusal.GIVE_UP:
                self._give_up(_refusal(self.device_id))
            case AfterRefusal.TRY_AGAIN:
                self._retry(What.NOT_CONNECTED, self._reconnect_pause(), reason=str(_refusal(self.device_id)))
            case AfterRefusal.BACK_OFF:
                pause_s = retry.busy_pause(tries=self._tries + 1, chance=self._around.dice.throw())
                self._retry(What.NOT_CONNECTED, pause_s, reason="The hub is busy and takes no connection.")

    def _reconnect_pause(self) -> float:
        return retry.reconnect_pause(tries=self._tries + 1, chance=self._around.dice.throw())

    def _retry(self, what: What, pause_s: float, **details: Any) -> None:
        self._tries += 1
        self._unlink()
        self._act(mind.Offline())
        self._connect_at = self._around.clock.monotonic() + pause_s
        self._tell(what, retry_in_s=pause_s, **details)

    def _give_up(self, error: IotJobsError) -> None:
        self._unlink()
        self._act(mind.Offline())
        self.failure = error
        self.is_over = True
        self._tell(What.REFUSED, reason=str(error))

    def _unlink(self) -> None:
        self._decided()
        self._connect_at = self._ready_at = self._renew_at = math.inf
        self._is_linked = self.is_in_line = False

    def _tell(self, what: What, **details: Any) -> None:
        self._around.reporter(self.device_id, Seen(what=what, details=details))


def _refusal(device_id: str) -> Unauthorized:
    return Unauthorized(
        f"The hub refused {device_id}: its key or certificate is wrong, or it is disabled or not registered.",
        status=401,
        hint=f"Look with: az iot hub device-identity show -d {device_id}. A clock that is off by minutes has the same "
        "effect.",
    )
