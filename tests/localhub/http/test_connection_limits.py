"""What a slow or broken client may cost: its connection ends in time, and the log keeps to what is our own fault."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from azext_iotjobs.localhub.auth.authenticator import Authenticator
from azext_iotjobs.localhub.http.connection_limits import BODY_LIMIT_S, IDLE_LIMIT_S, RESPONSE_LIMIT_S, make_runner
from azext_iotjobs.localhub.http.listener import make_application
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.http.route import RouteHandlers
from azext_iotjobs.localhub.http.websocket import WebSocketEndpoint
from azext_iotjobs.localhub.rules.host_names import HostNames
from tests.helpers.hub_process import sas
from tests.helpers.moved_loop import HandClock, MovedLoop, run, turns, within_limit

KEY = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ=="
LARGE = 8 * 1024 * 1024


class Client:
    """A TCP connection to an application."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> bytes:
        """The head and body of the next answer."""
        head = await within_limit(self.reader.readuntil(b"\r\n\r\n"))
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        return head + await within_limit(self.reader.readexactly(int(length.split(b":")[1])))

    async def rest(self) -> bytes:
        """All that still comes, until the connection is over."""
        found = b""
        try:
            while data := await within_limit(self.reader.read(65536)):
                found += data
        except ConnectionError:
            pass
        return found


class Room:
    """Has every handler."""

    def __getattr__(self, name: str) -> Any:
        return name


class Server:
    """An application of three routes, on a free port."""

    def __init__(self, loop: MovedLoop, port: int) -> None:
        self.loop, self.port = loop, port
        self.clients: list[Client] = []

    async def client(self) -> Client:
        self.clients.append(Client(*await asyncio.open_connection("127.0.0.1", self.port, limit=4096)))
        return self.clients[-1]


@asynccontextmanager
async def served(loop: MovedLoop) -> AsyncIterator[Server]:
    async def echo(request: HubRequest) -> HubResponse:
        return HubResponse(document=request.document())

    async def large(_request: HubRequest) -> HubResponse:
        return HubResponse(document="x" * LARGE)

    async def broken(_request: HubRequest) -> HubResponse:
        raise KeyError("a mistake")

    # Only the handlers of these routes are called: any object will do for the others.
    handlers: Any = SimpleNamespace(**{each.name: Room() for each in fields(RouteHandlers)})
    handlers.twins.patch, handlers.queries.post, handlers.jobs.get = echo, large, broken
    nobody: Any = None  # no device is authenticated here
    no_device: Any = asyncio.Protocol
    authenticator = Authenticator({"iothubowner": KEY}, nobody, nobody, HostNames("127.0.0.1", 443, 8883), HandClock())
    runner = make_runner(
        make_application(handlers, authenticator, HandClock(), [WebSocketEndpoint(no_device, no_device)])
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = Server(loop, runner.addresses[0][1])
    try:
        yield server
    finally:
        for each in server.clients:
            each.writer.transport.abort()
        await turns()
        await runner.cleanup()


def head(verb: str, path: str, *headers: str) -> bytes:
    signed = sas(KEY, "localhost", policy="iothubowner")
    lines = [f"{verb} {path}?api-version=2021-04-12 HTTP/1.1", "Host: localhost", f"Authorization: {signed}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize(
    "begun", [b"", b"GET / HT", head("GET", "/twins/x")[:-2]], ids=["silent", "half a line", "half"]
)
def test_a_connection_without_a_whole_head_is_closed(begun: bytes) -> None:
    async def main(loop: MovedLoop) -> None:
        async with served(loop) as server:
            client = await server.client()
            client.send(begun)
            await turns()
            loop.advance(IDLE_LIMIT_S - 5)
            client.send(begun[:0])
            await turns()
            loop.advance(6)
            assert await client.rest() == b""

    run(main)


def test_a_connection_is_kept_between_requests_and_not_for_ever() -> None:
    async def main(loop: MovedLoop) -> None:
        async with served(loop) as server:
            client = await server.client()
            for _ in range(3):
                client.send(head("PATCH", "/twins/x", "Content-Length: 2") + b"{}")
                assert (await client.answer()).startswith(b"HTTP/1.1 200 OK")
                await turns()
                loop.advance(IDLE_LIMIT_S - 5)
            loop.advance(6)
            assert await client.rest() == b""

    run(main)


@pytest.mark.parametrize(
    ("how", "body"),
    [
        ("Content-Length: 9", b"{"),
        ("Transfer-Encoding: chunked", b"2\r\n{}\r\n"),
        ("Transfer-Encoding: chunked", b"x\r\n"),
    ],
    ids=["short", "no last chunk", "no chunk"],
)
def test_a_body_that_does_not_come_to_its_end_ends_the_connection(how: str, body: bytes) -> None:
    async def main(loop: MovedLoop) -> None:
        async with served(loop) as server:
            client = await server.client()
            client.send(head("PATCH", "/twins/x", how, "Expect: 100-continue"))
            assert await within_limit(client.reader.readuntil(b"\r\n\r\n")) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.send(body)
            await turns(20)
            loop.advance(BODY_LIMIT_S + 1)
            assert await client.rest() == b""

    run(main)


def test_who_does_not_take_the_answer_is_let_go() -> None:
    async def main(loop: MovedLoop) -> None:
        async with served(loop) as server:
            client = await server.client()
            client.send(head("POST", "/devices/query"))
            assert await within_limit(client.reader.readexactly(100))  # it is being sent, and no more of it is read
            await turns(50)
            loop.advance(RESPONSE_LIMIT_S + 1)
            assert len(await client.rest()) < LARGE
            other = await server.client()
            other.send(head("PATCH", "/twins/x", "Content-Length: 2") + b"{}")
            assert (await other.answer()).startswith(b"HTTP/1.1 200 OK")

    run(main)


@pytest.mark.parametrize(
    ("data", "more", "answer"),
    [
        (b"GARBAGE\r\n\r\n", b"", b"HTTP/1.0 400 "),
        (b"GET / HTTP/1.1\r\n" + b"A: x\r\n" * 1000 + b"\r\n", b"", b"HTTP/1.0 400 "),
        (head("PATCH", "/twins/x", "Content-Length: 9"), b"{}", b""),
    ],
    ids=["no HTTP", "many headers", "cut short"],
)
def test_what_clients_do_wrong_leaves_no_trace_in_the_log(
    caplog: pytest.LogCaptureFixture, data: bytes, more: bytes, answer: bytes
) -> None:
    async def main(loop: MovedLoop) -> None:
        async with served(loop) as server:
            client = await server.client()
            client.send(data)
            await turns(20)
            client.send(more)
            if answer:
                assert (await client.answer()).startswith(answer)
            else:
                await turns(20)
                client.writer.transport.abort()
                await turns(20)

    with caplog.at_level(logging.WARNING):
        run(main)
    assert caplog.records == []


def test_a_bug_of_ours_is_logged_with_its_trace_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    async def main(loop: MovedLoop) -> None:
        async with served(loop) as server:
            client = await server.client()
            client.send(head("GET", "/jobs/v2/x"))
            assert b"iothub-errorcode: ServerError" in await client.answer()

    run(main)
    (record,) = caplog.records
    assert record.exc_info is not None and isinstance(record.exc_info[1], KeyError)


def test_a_compressed_body_is_not_unpacked_so_that_a_small_one_cannot_become_a_large_one() -> None:
    async def main(loop: MovedLoop) -> None:
        async with served(loop) as server:
            client, packed = await server.client(), gzip.compress(b'{"a":1}')
            client.send(head("PATCH", "/twins/x", f"Content-Length: {len(packed)}", "Content-Encoding: gzip") + packed)
            assert (await client.answer()).startswith(b"HTTP/1.1 400 ")

    run(main)
