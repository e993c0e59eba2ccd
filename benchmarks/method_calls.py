"""Direct methods called over HTTPS, many at once over kept connections: the service's side of measuring a hub."""

import asyncio
import multiprocessing
import ssl
import time
from asyncio import sslproto
from typing import Any

from azext_iotjobs.localhub.testing.process import API_VERSION, LocalHub


def call_methods(hub: LocalHub, token: str, ids: list[str], calls: int, at_once: int) -> list[float]:
    """Call methods over `at_once` kept connections, from a process of its own; gives the seconds that each took."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    arguments = (theirs, hub.https_port, hub.ca_certificate_path, token, ids, calls, at_once)
    process = context.Process(target=_call, args=arguments)
    process.start()
    latencies: list[float] = ours.recv()
    process.join()
    return latencies


def _call(pipe: Any, port: int, ca_file: str, token: str, ids: list[str], calls: int, at_once: int) -> None:
    setattr(sslproto.SSLProtocol, "max_size", 16 * 1024)  # noqa: B010 - mypy does not know it
    pipe.send(asyncio.run(bare_calls(port, ca_file, token, ids, calls, at_once)))


async def bare_calls(port: int, ca_file: str, token: str, ids: list[str], calls: int, at_once: int) -> list[float]:
    """Call methods over `at_once` kept connections; gives the seconds that each took."""
    tls, body, latencies = ssl.create_default_context(cafile=ca_file), b'{"methodName":"reboot","payload":{"a":1}}', []
    headers = f"Host: localhost\r\nAuthorization: {token}\r\nContent-Length: {len(body)}"
    left = iter(range(calls))

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost")
        for number in left:
            began = time.monotonic()
            path = f"/twins/{ids[number % len(ids)]}/methods?api-version={API_VERSION}"
            writer.write(f"POST {path} HTTP/1.1\r\n{headers}\r\n\r\n".encode() + body)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            size = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
            await reader.readexactly(size)
            latencies.append(time.monotonic() - began)
        writer.close()

    await asyncio.gather(*(one_connection() for _ in range(at_once)))
    return latencies
