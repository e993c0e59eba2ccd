"""What devices send, for those that somebody watches: one connection to the hub's events, while anybody does.

Strategy: a thread reads all events of the hub and keeps the newest of each watched device, in fixed room: it counts the
others no more than it keeps them. It ends when nobody has asked for some seconds, and is begun anew by who asks next.
"""

import json
import math
import threading
from collections import deque
from collections.abc import Generator, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from azext_iotjobs.console.context import Document, OpenEvents
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.device_event import DeviceEvent
from azext_iotjobs.model.errors import IotJobsError, MissingChoice

MAX_DEVICES = 32  # that are watched at once
MAX_MESSAGES = 50  # of a device, that are kept whole
MAX_POINTS = 300  # of a device, that its chart is drawn of
MAX_SERIES = 6
MAX_SHOWN = 2_000  # characters of a body
MAX_DEPTH = 3  # levels of a body that numbers are looked for in
UNASKED_S = 60.0  # after which a device is not watched any more; windows that take turns ask sooner
AGAIN_S = 5.0  # after a failure
END_S = 2.0  # that the thread has to end
ENQUEUED = "iothub-enqueuedtime", "x-opt-enqueued-time"


class _Point(NamedTuple):
    at_ms: float  # since 1970
    values: dict[str, float]


class _Watched:
    """A device, and what it has sent since it is watched."""

    def __init__(self) -> None:
        self.asked_at = 0.0
        self.count = 0
        self.messages: deque[Document] = deque(maxlen=MAX_MESSAGES)
        self.points: deque[_Point] = deque(maxlen=MAX_POINTS)
        self.names: list[str] = []  # of the series

    def take(self, event: DeviceEvent, now: datetime) -> None:
        self.count += 1
        at_ms = _enqueued_ms(event, now)
        text = _text_of(event.body)
        self.messages.appendleft(_message(event, at_ms, text))
        numbers = dict(_numbers(text))
        self.names += [name for name in numbers if name not in self.names][: MAX_SERIES - len(self.names)]
        values = {name: numbers[name] for name in self.names if name in numbers}
        if values:
            self.points.append(_Point(at_ms, values))

    def series(self) -> list[Document]:
        return [
            {"name": name, "points": [[each.at_ms, each.values[name]] for each in self.points if name in each.values]}
            for name in self.names
        ]


class Telemetry:
    """The newest messages of devices."""

    def __init__(self, open_events: OpenEvents | None, clock: Clock) -> None:
        """open_events: None: there is no hub whose events can be read."""
        self._open = open_events
        self._clock = clock
        self._lock = threading.Lock()
        self._devices: dict[str, _Watched] = {}
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._is_reading = False
        self._notice: str | None = None
        self._error: IotJobsError | None = None
        self._failed_at = 0.0

    def newest(self, device_id: str) -> Document:
        """What a device has sent, the newest first; it is watched from the first call on, for UNASKED_S each.

        Raises MissingChoice without a hub, and what opening the events, or going on with them, has raised.
        """
        if self._open is None:
            raise MissingChoice("The console was started without a hub whose events it can read.")
        with self._lock:
            now = self._clock.monotonic()
            watched = self._watch(device_id, now)
            self._begin(self._open, now)
            if self._error is not None:
                raise self._error
            return {
                "state": "reading" if self._is_reading else "connecting",
                "notice": self._notice,
                "count": watched.count,
                "messages": list(watched.messages),
                "series": watched.series(),
            }

    def close(self) -> None:
        """End the reading."""
        self._is_closed = True
        thread = self._thread
        if thread is not None:
            thread.join(END_S)

    def _watch(self, device_id: str, now: float) -> _Watched:
        watched = self._devices.get(device_id)
        if watched is None:
            if len(self._devices) >= MAX_DEVICES:
                del self._devices[min(self._devices, key=lambda each: self._devices[each].asked_at)]
            watched = self._devices[device_id] = _Watched()
        watched.asked_at = now
        return watched

    def _begin(self, open_events: OpenEvents, now: float) -> None:
        if self._thread is not None or self._is_closed or (self._error is not None and now < self._failed_at + AGAIN_S):
            return
        self._error, self._notice = None, None
        self._thread = threading.Thread(target=self._read, args=(open_events,), name="console-events", daemon=True)
        self._thread.start()

    def _read(self, open_events: OpenEvents) -> None:
        events: Generator[DeviceEvent | None] | None = None
        try:
            events = open_events(self._note)
            self._follow(events)
        except IotJobsError as err:
            with self._lock:
                self._error, self._failed_at = err, self._clock.monotonic()
        finally:
            if events is not None:
                events.close()
            with self._lock:
                self._thread, self._is_reading = None, False

    def _follow(self, events: Iterator[DeviceEvent | None]) -> None:
        for event in events:
            with self._lock:
                self._is_reading = True
                if event is None:
                    if self._is_closed or not self._drop_unasked():
                        return
                elif (watched := self._devices.get(event.device_id)) is not None:
                    watched.take(event, self._clock.now())

    def _drop_unasked(self) -> bool:
        """Forget the devices that nobody watches any more; gives whether there are others."""
        since = self._clock.monotonic() - UNASKED_S
        self._devices = {name: each for name, each in self._devices.items() if each.asked_at >= since}
        return bool(self._devices)

    def _note(self, words: str) -> None:
        with self._lock:
            self._notice = words


def _message(event: DeviceEvent, at_ms: float, text: str | None) -> Document:
    shown = event.body[:MAX_SHOWN].hex(" ") if text is None else text
    return {
        "key": f"{event.partition}/{event.sequence_number}",
        "at": at_ms,
        "module": event.module_id,
        "contentType": str(event.system.get("content_type") or ""),
        "properties": {str(name): str(value)[:MAX_SHOWN] for name, value in event.application.items()},
        "bytes": len(event.body),
        "isText": text is not None,
        "body": shown[:MAX_SHOWN],
        "isCut": len(shown) > MAX_SHOWN,
    }


def _enqueued_ms(event: DeviceEvent, now: datetime) -> float:
    """When the hub took it, in milliseconds since 1970; what it says in another way is taken for now."""
    for name in ENQUEUED:
        value: Any = event.annotations.get(name)
        if isinstance(value, datetime):
            return value.timestamp() * 1000
        if isinstance(value, int):
            return float(value)
    return now.timestamp() * 1000


def _text_of(body: bytes) -> str | None:
    """The text of a body; None: it is none in UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _numbers(text: str | None) -> Iterator[tuple[str, float]]:
    """The numbers of a body that is JSON, by their paths."""
    if text is None or not text.lstrip().startswith("{"):
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    yield from _numbers_below(value, "", MAX_DEPTH)


def _numbers_below(value: Any, path: str, depth: int) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for name, each in value.items() if depth else ():
            yield from _numbers_below(each, f"{path}.{name}" if path else name, depth - 1)
    elif isinstance(value, int | float) and not isinstance(value, bool) and _is_drawable(value):
        yield path, float(value)


def _is_drawable(value: float) -> bool:
    return abs(value) < 1e300 if isinstance(value, int) else math.isfinite(value)
