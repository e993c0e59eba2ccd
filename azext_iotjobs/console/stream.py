"""Live updates: a stream of server-sent events for each tab, of the topics that its page watches.

Strategy: an event is the whole document of a topic, and its id names, for each topic, a digest of the document that was
sent last. A stream that is resumed sends what has changed since, whether the console was restarted or the machine
slept: nothing has to be remembered. A topic is read once, however many tabs watch it, and not at all when none does.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import web

from azext_iotjobs.console.context import Document
from azext_iotjobs.console.errors import document_of, error_document
from azext_iotjobs.console.parts import Parts
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.late_dataclass import dataclass

MAX_STREAMS = 64
MAX_TOPICS = 8  # of one stream
RESTS = 4  # a topic that takes long is read less often: it rests so many times as long as it took
BEAT_S = 10.0  # a page that hears nothing for some of these opens another stream
LOOK_S = 0.5  # how soon it is noticed that a page has gone


@dataclass(frozen=True)
class Snapshot:
    """A topic's document, as it is sent."""

    digest: str
    data: str


class _WatchedTopic:
    """A topic that is being read."""

    def __init__(self, task: "asyncio.Task[None]") -> None:
        self.task = task
        self.count = 0  # streams that watch it
        self.snapshot: Snapshot | None = None  # None: it is not read yet


class Watched:
    """The topics that are watched, and those who watch."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._topics: dict[str, _WatchedTopic] = {}
        self._changed = asyncio.Condition()
        self._is_closing = False
        self.stream_count = 0

    def open(self, names: tuple[str, ...]) -> None:
        """Begin to watch topics, by their whole names. Raises HTTPNotFound for one that there is not."""
        for name in names:
            if name.partition(":")[0] not in self._parts.topics:
                raise web.HTTPNotFound(text=f"There is no topic {name[:60]!r}.")
        for name in names:
            if name not in self._topics:
                self._topics[name] = _WatchedTopic(asyncio.ensure_future(self._read_on(name)))
            self._topics[name].count += 1
        self.stream_count += 1

    def close(self, names: tuple[str, ...]) -> None:
        """End what `open` began."""
        self.stream_count -= 1
        for name in names:
            watched = self._topics[name]
            watched.count -= 1
            if watched.count == 0:
                watched.task.cancel()
                del self._topics[name]

    def check(self, names: tuple[str, ...]) -> None:
        """Raise what has broken the reading of a topic: a bug of ours, which is logged where the stream ends."""
        for name in names:
            task = self._topics[name].task
            if task.done():
                task.result()

    async def end_all(self) -> None:
        """End every stream: the console ends."""
        self._is_closing = True
        async with self._changed:
            self._changed.notify_all()

    async def next(self, names: tuple[str, ...], sent: Mapping[str, str]) -> dict[str, Snapshot] | None:
        """Those topics whose documents differ from what was sent, once there are any; None: the console ends.

        sent: digests, by the topics' names.
        """
        async with self._changed:
            while not self._is_closing:
                found = {name: self._topics[name].snapshot for name in names}
                new = {name: each for name, each in found.items() if each and each.digest != sent.get(name)}
                if new:
                    return new
                await self._changed.wait()
        return None

    async def _read_on(self, name: str) -> None:
        kind, _, argument = name.partition(":")
        topic = self._parts.topics[kind]
        while True:
            began_at = self._parts.clock.monotonic()
            try:
                document = await topic.read(self._parts, argument)
            except IotJobsError as err:
                document = document_of(err, self._parts.context.spelling)
            except web.HTTPException as err:
                document = error_document(f"http-{err.status}", err.text or err.reason)
            snapshot = _snapshot(name, document)
            async with self._changed:
                self._topics[name].snapshot = snapshot
                self._changed.notify_all()
            await asyncio.sleep(max(topic.interval_s, RESTS * (self._parts.clock.monotonic() - began_at)))


WATCHED = web.AppKey("watched", Watched)


async def events(request: web.Request) -> web.StreamResponse:
    """GET /api/events?topic=…: a stream of the topics that are named.

    `Last-Event-ID`, or `last` where a page itself opens a stream anew, says what it has.
    """
    watched = request.app[WATCHED]
    names = tuple(dict.fromkeys(request.query.getall("topic", [])))
    if not 1 <= len(names) <= MAX_TOPICS:
        raise web.HTTPBadRequest(text=f"Name 1 to {MAX_TOPICS} topics.")
    if watched.stream_count >= MAX_STREAMS:
        raise web.HTTPServiceUnavailable(text=f"{MAX_STREAMS} pages are open; close some.")
    had = _digests(request.headers.get("Last-Event-ID") or request.query.get("last", ""))
    sent = {name: had[name] for name in names if name in had}
    watched.open(names)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    try:
        await response.prepare(request)
        with suppress(ConnectionResetError):
            await _send_on(watched, names, sent, response, request)
    finally:
        watched.close(names)
    return response


async def _send_on(
    watched: Watched,
    names: tuple[str, ...],
    sent: dict[str, str],
    response: web.StreamResponse,
    request: web.Request,
) -> None:
    waiting: asyncio.Task[dict[str, Snapshot] | None] | None = None
    try:
        while True:
            watched.check(names)
            waiting = waiting or asyncio.ensure_future(watched.next(names, dict(sent)))
            if not await _is_new(waiting, request):
                await response.write(b"event: beat\ndata: {}\n\n")
                continue
            new, waiting = waiting.result(), None
            if new is None:
                return
            for name, each in new.items():
                sent[name] = each.digest
                identity = json.dumps(sent, separators=(",", ":"))
                await response.write(f"event: snapshot\nid: {identity}\ndata: {each.data}\n\n".encode())
    finally:
        if waiting is not None:
            waiting.cancel()


async def _is_new(waiting: "asyncio.Task[dict[str, Snapshot] | None]", request: web.Request) -> bool:
    """Wait until there is something new, or for a beat. Raises ConnectionResetError once the page has gone."""
    for _ in range(round(BEAT_S / LOOK_S)):
        done, _ = await asyncio.wait([waiting], timeout=LOOK_S)
        if done:
            return True
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError
    return False


def _snapshot(name: str, document: Document) -> Snapshot:
    data = json.dumps({"topic": name, "document": document})  # in ASCII, and in one line
    return Snapshot(hashlib.sha256(data.encode()).hexdigest()[:16], data)


def _digests(text: str) -> dict[str, str]:
    """What an event's id says; nothing, where somebody else wrote it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}
