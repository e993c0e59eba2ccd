"""One running device: its connection and its messages; its session decides what it sends."""

import math
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from azext_iotjobs.model.errors import BadValue, IotJobsError, LinkError
from azext_iotjobs.operations.simulate.context import SimulationContext
from azext_iotjobs.operations.simulate.simulated_device import SimulatedDevice
from azext_iotjobs.simulator import events as session_events
from azext_iotjobs.simulator import topics
from azext_iotjobs.simulator.events import Activity, ActivityKind, DeviceInfo
from azext_iotjobs.simulator.parts.context import ConnectionState
from azext_iotjobs.simulator.rng import Rng
from azext_iotjobs.simulator.session import Session
from azext_iotjobs.simulator.telemetry import PlannedMessages
from azext_iotjobs.transport import mqtt_events as wire
from azext_iotjobs.transport import retry
from azext_iotjobs.transport.device_login import login_of, refusal
from azext_iotjobs.transport.device_tokens import renew_pause
from azext_iotjobs.transport.retry import AfterRefusal

LAST_WAIT_S = 30.0  # for acknowledgements that are missing at the end
TAKEN_OVER = "Every connection ends early: perhaps another client signs in as this device."
TOO_MUCH_WAITS = "Too much waits for the hub already."


class Device:
    """A device of a running simulation."""

    __slots__ = tuple(  # there are thousands of them
        """
        _connect_at _context _description _is_connecting _is_linked _planned _ready_at _refusals _renew_at _session
        _short_links _subscription _tries _was_ready acknowledged_count dropped_count failure is_over is_queued
        sent_count unacknowledged
        """.split()
    )

    def __init__(self, description: SimulatedDevice, context: SimulationContext) -> None:
        self._description = description
        self._context = context
        self._planned = None if description.plan is None else PlannedMessages(description.plan)
        info = DeviceInfo(device_id=description.device_id, number=description.number, tags=description.tags)
        self._session = Session(description.behaviour, info, Rng(f"{context.seed}/{description.device_id}"))
        self._connect_at = math.inf  # when it wants to connect
        self.is_queued = False  # it waits to connect, perhaps again with a new token
        self._is_linked = False  # it is connected or connecting
        self._is_connecting = False  # the hub has not yet accepted the connection
        self._tries = 0  # that failed in a row
        self._refusals = 0  # in a row
        self._short_links = 0  # in a row
        self._ready_at = math.inf
        self._renew_at = math.inf
        self._subscription: int | None = None  # the packet number of the subscription that is not acknowledged
        self._was_ready = False
        self.sent_count = 0
        self.acknowledged_count = 0
        self.dropped_count = 0
        self.unacknowledged: dict[int, int] = {}  # packet number of a message -> its count
        self.failure: IotJobsError | None = None
        self.is_over = False
        self._act(session_events.Started())

    @property
    def device_id(self) -> str:
        """Its id."""
        return self._description.device_id

    @property
    def next_at(self) -> float:
        """When `run_due` has something to do, on the monotonic clock; inf: not before an event."""
        if self.is_over:
            return math.inf
        due_at = min(self._connect_at, self._session.next_at)
        if self._session.state is ConnectionState.READY:
            due_at = min(due_at, self._renew_at)
        if self._planned is None:
            return due_at
        if self._session.state is ConnectionState.READY:
            due_at = min(due_at, self._planned.next_at)
        return min(due_at, self._end_at())

    def on(self, event: wire.Event) -> None:
        """An event of its connection."""
        with self._failing_alone():
            if not self.is_over:
                self._on(event)

    def _on(self, event: wire.Event) -> None:
        match event:
            case wire.Connected():
                self._context.was_reached = True
                self._end_connecting()
                self._refusals = 0
                self._act(session_events.Online())
            case wire.Acknowledged(number=number):
                self._on_acknowledged(number)
            case wire.Arrived(topic=topic, payload=payload):
                self._act(topics.parse(self.device_id, topic, payload))
            case wire.Lost():
                self._on_lost()
            case wire.Failed(error=error):
                self._on_failed(error)
            case wire.Refused(code=code):
                self._on_refused(code)

    def run_due(self, now: float) -> None:
        """Do what is due at `now`."""
        with self._failing_alone():
            if not self.is_over:
                self._run_due(now)

    def _run_due(self, now: float) -> None:
        if self._session.next_at <= now:
            self._act(session_events.Due())
        if self._connect_at <= now or (self._session.state is ConnectionState.READY and self._renew_at <= now):
            self._connect_at = self._renew_at = math.inf
            self._enqueue()
        if self._session.state is ConnectionState.READY:
            self._send_planned(now)
        if self._end_at() <= now:
            self.is_over = True
            self._context.links.drop(self.device_id)
            self._observe(ActivityKind.LEFT)

    def _end_at(self) -> float:
        """When the plan is over; inf while messages are to come, and without a plan."""
        if self._planned is None:
            return math.inf
        return self._planned.end_at + (LAST_WAIT_S if self.unacknowledged else 0.0)

    def connect(self, now: float) -> None:
        """Connect, unless it no longer wants to."""
        if not self.is_queued:
            return
        self.is_queued = False
        if self._is_linked:  # a token cannot be changed within a connection: disconnect and connect again
            self._disconnect()
        self._is_linked = self._is_connecting = True
        self._context.queue.pacer.begin(now)
        with self._failing_alone():
            self._context.links.connect(self.device_id, self._login())

    @contextmanager
    def _failing_alone(self) -> Iterator[None]:
        """What its connection cannot send or sign in with ends this device, not the others."""
        try:
            yield
        except BadValue as err:
            self._context.links.drop(self.device_id)
            self._give_up(err)

    def _enqueue(self) -> None:
        if not self.is_queued:
            self.is_queued = True
            self._context.queue.add(self)

    def _end_connecting(self) -> None:
        """The hub has accepted the connection, or there will be none."""
        if self._is_connecting:
            self._is_connecting = False
            self._context.queue.pacer.end()

    def _login(self) -> wire.MqttLogin:
        context, device = self._context, self._description
        login, lasts_s = login_of(
            device.device_id, device.credential, device.model_id, context.target, context.clock.now()
        )
        if math.isfinite(lasts_s):
            chance = context.rng.random() if context.has_many else 0.0
            lasts_s = renew_pause(lasts_s, chance=chance)
        self._renew_at = context.clock.monotonic() + lasts_s
        return login

    def _disconnect(self) -> None:
        self._reset_link()
        self._context.links.drop(self.device_id)
        self._act(session_events.Offline())
        self._observe(ActivityKind.LEFT)

    def _send_planned(self, now: float) -> None:
        while self._planned is not None and self._planned.next_at <= now:
            body = self._planned.next_body(str(uuid.uuid4()), self._context.clock.now())
            message = session_events.SendTelemetry(properties=self._planned.properties, body=body)
            self._send(message, count=self._planned.count)

    def _send(self, message: session_events.SendTelemetry, **planned: int) -> None:
        self.sent_count += 1
        number = self._publish(*topics.render_telemetry(self.device_id, message))
        if number is None:
            return
        self.unacknowledged[number] = self.sent_count
        self._observe(ActivityKind.SENT, number=self.sent_count, **planned)

    def _act(self, event: session_events.Event) -> None:
        is_answered = True
        for action in self._session.on(event, self._context.moment()):
            match action:
                case session_events.Connect():
                    self._connect_at = self._context.clock.monotonic()
                case session_events.Disconnect():
                    self._disconnect()
                case session_events.SendTelemetry():
                    self._send(action)
                case session_events.Subscribe():
                    filters = topics.filters(self.device_id)
                    self._subscription = self._context.links.subscribe(self.device_id, filters)
                case session_events.AnswerMethod():
                    is_answered = self._publish(*topics.render_answer(action)) is not None
                case session_events.Report():
                    if self._publish(*topics.render_report(action)) is not None:
                        self._observe(ActivityKind.REPORT, rid=action.rid, patch=action.patch)
                case session_events.FetchTwin():
                    self._publish(*topics.render_fetch(action))
                case Activity(kind=ActivityKind.ANSWER, details=call) if not is_answered:
                    self._observe(ActivityKind.UNANSWERED, rid=call["rid"], name=call["name"], reason=TOO_MUCH_WAITS)
                case Activity(kind=ActivityKind.METHOD):
                    self._context.observer(self.device_id, replace(action, arrived_at=self._context.arrived_at))
                case Activity():
                    self._context.observer(self.device_id, action)

    def _publish(self, topic: str, payload: bytes) -> int | None:
        number = self._context.links.publish(self.device_id, topic, payload, qos=1)
        if number is None:
            self.dropped_count += 1
            self._observe(ActivityKind.DROPPED)
        return number

    def _on_acknowledged(self, number: int) -> None:
        if number == self._subscription:
            self._subscription = None
            self._on_ready()
            return
        sent = self.unacknowledged.pop(number, None)
        if sent is not None:
            self.acknowledged_count += 1
            self._observe(ActivityKind.ACKNOWLEDGED, number=sent)

    def _on_ready(self) -> None:
        self._act(session_events.Subscribed())
        self._ready_at = self._context.clock.monotonic()
        self._was_ready = True
        if self._planned is not None:
            self._planned.on_ready(self._ready_at)

    def _on_lost(self) -> None:
        if not self._is_linked:  # the end of a connection that Failed or Refused has ended already
            return
        if retry.is_short(self._context.clock.monotonic() - self._ready_at):
            self._short_links += 1
        else:
            self._tries = self._short_links = 0
        why = {"reason": TAKEN_OVER} if retry.is_perhaps_taken_over(self._short_links) else {}
        self._retry(ActivityKind.LOST, self._reconnect_pause(), **why)

    def _on_failed(self, error: LinkError) -> None:
        if self._context.is_unreachable(self._tries + 1):
            self._context.unreached = error
            self._give_up(error)
        else:
            self._retry(ActivityKind.NOT_CONNECTED, self._reconnect_pause(), reason=str(error))

    def _on_refused(self, code: int) -> None:
        self._context.was_reached = True
        self._refusals += 1
        match retry.after_refusal(code, refusals=self._refusals, was_in=self._was_ready):
            case AfterRefusal.GIVE_UP:
                self._give_up(refusal(self.device_id))
            case AfterRefusal.TRY_AGAIN:
                self._retry(ActivityKind.NOT_CONNECTED, self._reconnect_pause(), reason=str(refusal(self.device_id)))
            case AfterRefusal.BACK_OFF:
                pause_s = retry.busy_pause(tries=self._tries + 1, chance=self._context.rng.random())
                self._retry(ActivityKind.NOT_CONNECTED, pause_s, reason="The hub is busy and accepts no connection.")

    def _reconnect_pause(self) -> float:
        return retry.reconnect_pause(tries=self._tries + 1, chance=self._context.rng.random())

    def _retry(self, kind: ActivityKind, pause_s: float, **details: Any) -> None:
        self._tries += 1
        self._reset_link()
        self._act(session_events.Offline())
        self._connect_at = self._context.clock.monotonic() + pause_s
        self._observe(kind, retry_in_s=pause_s, **details)

    def _give_up(self, error: IotJobsError) -> None:
        self._reset_link()
        self._act(session_events.Offline())
        self.failure = error
        self.is_over = True
        self._observe(ActivityKind.REFUSED, reason=str(error))

    def _reset_link(self) -> None:
        self._end_connecting()
        self._connect_at = self._ready_at = self._renew_at = math.inf
        self._is_linked = self.is_queued = False

    def _observe(self, kind: ActivityKind, **details: Any) -> None:
        self._context.observer(self.device_id, Activity(kind=kind, details=details))
