"""One simulated device: its connection, what it still has to do; its session decides what it says."""

import math
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from azext_iotjobs.model.errors import BadValue, IotJobsError, LinkError
from azext_iotjobs.operations.simulate.context import Around
from azext_iotjobs.operations.simulate.simulated_device import SimulatedDevice
from azext_iotjobs.simulator import events as mind
from azext_iotjobs.simulator import telemetry, topics
from azext_iotjobs.simulator.events import Seen, What, Who
from azext_iotjobs.simulator.parts.context import State
from azext_iotjobs.simulator.rng import Dice
from azext_iotjobs.simulator.session import Session
from azext_iotjobs.transport import mqtt_events as wire
from azext_iotjobs.transport import retry
from azext_iotjobs.transport.device_login import login_of, refusal
from azext_iotjobs.transport.retry import AfterRefusal

LAST_WAIT_S = 30.0  # for acknowledgements that are missing at the end
TAKEN_OVER = "Every connection ends early: perhaps another client signs in as this device."
TOO_MUCH_WAITS = "Too much waits for the hub already."


class Device:
    """One device's connection and what it still has to do; its session decides what it says."""

    __slots__ = (
        "_around", "_connect_at", "_device", "_is_linked", "_is_under_way", "_plan", "_planned_count", "_ready_at",
        "_refusals", "_renew_at", "_session", "_short_links", "_started_at", "_subscription", "_tries",
        "acknowledged_count", "dropped_count", "failure", "is_in_line", "is_over", "sent_count", "unacknowledged",
    )  # fmt: skip

    def __init__(self, device: SimulatedDevice, around: Around) -> None:
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
        """Its name."""
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
        with self._failing_alone():
            if not self.is_over:
                self._on(event)

    def _on(self, event: wire.Event) -> None:
        match event:
            case wire.Connected():
                self._around.was_reached = True
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
        with self._failing_alone():
            if not self.is_over:
                self._tend(now)

    def _tend(self, now: float) -> None:
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
        with self._failing_alone():
            self._around.links.connect(self.device_id, self._login())

    @contextmanager
    def _failing_alone(self) -> Iterator[None]:
        """What the connection cannot carry or begin with ends this device, not the others."""
        try:
            yield
        except BadValue as err:
            self._around.links.drop(self.device_id)
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
        around = self._around
        device = self._device
        login, lasts_s = login_of(
            device.device_id, device.credential, device.model_id, around.target, around.clock.now()
        )
        if math.isfinite(lasts_s):
            chance = around.dice.throw() if around.is_fleet else 0.0
            lasts_s = retry.renew_pause(lasts_s, chance=chance)
        self._renew_at = around.clock.monotonic() + lasts_s
        return login

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
        if self._around.is_unreachable(self._tries + 1):
            self._around.unreached = error
            self._give_up(error)
        else:
            self._retry(What.NOT_CONNECTED, self._reconnect_pause(), reason=str(error))

    def _refused(self, code: int) -> None:
        self._around.was_reached = True
        self._refusals += 1
        match retry.after_refusal(code, refusals=self._refusals, was_in=self._started_at is not None):
            case AfterRefusal.GIVE_UP:
                self._give_up(refusal(self.device_id))
            case AfterRefusal.TRY_AGAIN:
                self._retry(What.NOT_CONNECTED, self._reconnect_pause(), reason=str(refusal(self.device_id)))
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
