"""Stand-ins for the two ways to a hub: HTTP as one function, MQTT links as a script of what happens when."""

import heapq
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.transport.http import Request, Response
from azext_iotjobs.transport.mqtt_events import Acknowledged, Arrived, Connected, Event, MqttLogin
from tests.helpers.clock_double import ClockDouble


class TransportDouble:
    """A transport made of one function; `requests` is what was sent, in order."""

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        self._answer = answer
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        return self._answer(request)


def answering(document: Any = None, *, status: int = 200, **headers: str) -> Callable[[Request], Response]:
    """A function that gives one answer to every request; header names take _ for -."""
    return lambda _request: response(document, status=status, **headers)


def response(document: Any = None, *, status: int = 200, **headers: str) -> Response:
    """A response with a JSON body, or an empty one; header names take _ for -."""
    body = b"" if document is None else json.dumps(document).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=named, body=body)


def in_turn(*responses: Response) -> Callable[[Request], Response]:
    """A function that gives these responses one after the other."""
    left = list(responses)
    return lambda _request: left.pop(0)


@dataclass
class LinksDouble:
    """Device links to a hub that takes everybody and acknowledges everything at once.

    happens: what else happens, by (monotonic second, event).  on_connect: what a connect leads to instead.
    outbox: how many unacknowledged messages it takes.  unusable: devices whose certificate cannot be used.
    uncarried: devices whose messages MQTT cannot carry.
    `receive` moves the clock to the next thing that happens, or by its time-out.
    """

    clock: ClockDouble
    happens: list[tuple[float, Event]] = field(default_factory=list)
    on_connect: Callable[[str, int], list[Event]] | None = None  # device, how many connects it made before
    acknowledges: bool = True
    outbox: int = 1_000_000
    unusable: frozenset[str] = frozenset()
    uncarried: frozenset[str] = frozenset()
    logins: list[tuple[float, MqttLogin]] = field(default_factory=list)
    published: list[tuple[float, str, bytes]] = field(default_factory=list)
    subscribed: list[tuple[str, ...]] = field(default_factory=list)
    dropped: list[tuple[float, str]] = field(default_factory=list)
    turns: int = 0
    _ready: list[Event] = field(default_factory=list)
    _numbers: int = 0

    def __post_init__(self) -> None:
        self._agenda = [(at, order, event) for order, (at, event) in enumerate(self.happens)]
        heapq.heapify(self._agenda)

    def connect(self, device: str, login: MqttLogin) -> None:
        if device in self.unusable:
            raise BadValue("no certificate")
        before = sum(1 for _, each in self.logins if each.client_id == login.client_id)
        self.logins.append((self.clock.monotonic(), login))
        self._ready += [Connected(device)] if self.on_connect is None else self.on_connect(device, before)

    def subscribe(self, device: str, filters: Sequence[str]) -> int:
        self.subscribed.append(tuple(filters))
        return self._number(device, is_acknowledged=True)

    def publish(self, device: str, topic: str, payload: bytes, *, qos: int) -> int | None:
        if device in self.uncarried:
            raise BadValue("no topic")
        if not self.acknowledges and len(self.published) >= self.outbox:
            return None
        self.published.append((self.clock.monotonic(), topic, payload))
        return self._number(device, is_acknowledged=self.acknowledges)

    def drop(self, device: str) -> None:
        self.dropped.append((self.clock.monotonic(), device))

    def receive(self, timeout_s: float) -> list[Event]:
        assert timeout_s >= 0
        self.turns += 1
        if not self._ready:
            until = self.clock.monotonic() + timeout_s
            if self._agenda and self._agenda[0][0] <= until:
                at, _, event = heapq.heappop(self._agenda)
                until = max(at, self.clock.monotonic())
                self._ready.append(event)
            self.clock.passed_s = until
        events, self._ready = self._ready, []
        return events

    def sent(self, topic_part: str) -> list[tuple[float, bytes]]:
        """When and what was published to topics that hold `topic_part`."""
        return [(at, payload) for at, topic, payload in self.published if topic_part in topic]

    def _number(self, device: str, *, is_acknowledged: bool) -> int:
        self._numbers += 1
        if is_acknowledged:
            self._ready.append(Acknowledged(device, self._numbers))
        return self._numbers


def arriving(device: str, topic: str, document: Any) -> Arrived:
    """A message from the hub with a JSON body."""
    return Arrived(device, topic, json.dumps(document).encode())
