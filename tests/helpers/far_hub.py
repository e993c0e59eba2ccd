"""A TCP proxy on loopback that makes a hub far away, or silent for some of its guests."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.helpers.waiting import looks

CHUNK = 64 * 1024


@dataclass
class FarHub:
    """Where it listens, and what passed."""

    port: int = 0
    at_once: int = 0  # the most connections that were open at the same time
    _open: set[asyncio.StreamWriter] = field(default_factory=set)  # of the guests
    _loop: asyncio.AbstractEventLoop | None = None

    def cut(self) -> None:
        """End every connection, whatever is on its way."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._abort_all)

    def _abort_all(self) -> None:
        for each in tuple(self._open):
            each.transport.abort()


@contextmanager
def far_hub(
    port: int, round_trip_s: float, is_silent: Callable[[int], bool] = lambda number: False
) -> Iterator[FarHub]:
    """A way to 127.0.0.1:`port` that takes `round_trip_s` there and back, TCP's own greeting included.

    is_silent: says of a connection's number, from 0, that nothing ever comes through it.
    """
    started: Future[FarHub] = Future()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        here, ended, numbers = FarHub(_loop=loop), asyncio.Event(), iter(range(1 << 30))

        async def on_guest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            here._open.add(writer)
            here.at_once = max(here.at_once, len(here._open))
            try:
                await _through(reader, writer, port, round_trip_s, is_silent(next(numbers)))
            finally:
                writer.transport.abort()
                here._open.discard(writer)

        server = await asyncio.start_server(on_guest, "127.0.0.1", 0, backlog=1024)
        here.port = server.sockets[0].getsockname()[1]
        loop_end.append(lambda: loop.call_soon_threadsafe(ended.set))
        started.set_result(here)
        await ended.wait()
        await asyncio.sleep(0.05)  # asyncio leaves the socket open of who was accepted just before a server's end
        server.close()
        for _ in looks("the end of all connections"):
            if not here._open:
                break
            for each in tuple(here._open):
                each.transport.abort()  # and not `cancel`: that may lose a connection which has just come about
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)  # sockets are closed in a later turn

    loop_end: list[Callable[[], object]] = []
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        yield started.result(10)
    finally:
        loop_end[0]()
        thread.join(10)
        loop.close()


async def _through(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, round_trip_s: float, is_silent: bool
) -> None:
    if is_silent:
        while await _read(reader):
            pass
        return
    await asyncio.sleep(round_trip_s)  # SYN and its answer, which the kernel has given by itself
    there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
    ways = [
        asyncio.ensure_future(_late(reader, there_writer, round_trip_s / 2)),
        asyncio.ensure_future(_late(there_reader, writer, round_trip_s / 2)),
    ]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    there_writer.transport.abort()
    writer.transport.abort()
    await asyncio.gather(*ways)


async def _late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """Pass on what comes, `delay_s` later, however much is on its way."""
    loop = asyncio.get_running_loop()
    while data := await _read(reader):
        loop.call_later(delay_s, _write, writer, data)
    await asyncio.sleep(delay_s)


async def _read(reader: asyncio.StreamReader) -> bytes:
    with suppress(ConnectionError):
        return await reader.read(CHUNK)
    return b""


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)
