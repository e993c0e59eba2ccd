"""The listeners of a hub: they take connections over TLS or without it, and drop what is left of them at its end."""

import asyncio
import contextlib
import socket
import ssl
import sys
from asyncio import sslproto
from collections.abc import Callable, Mapping
from typing import Any

from azext_iotjobs.localhub.process.sockets import ACCEPTED_AT_ONCE, BACKLOG

HANDSHAKE_LIMIT_S = 30.0
TLS_READ_BYTES = 4 * 1024
TLS_CLOSE_LIMIT_S = 1.0  # how long a device that no longer answers delays the hub's end


def limit_tls_buffers() -> None:
    """Have a connection over TLS take little memory."""
    # asyncio reserves 256 KiB per TLS connection for reading. What devices send fits into 4 KiB; what is larger comes
    # in several reads, and OpenSSL puts its records together.
    if hasattr(sslproto.SSLProtocol, "max_size"):
        sslproto.SSLProtocol.max_size = TLS_READ_BYTES


def device_limits() -> Mapping[str, Any]:
    """How long devices may take over TLS."""
    limits = {"ssl_handshake_timeout": HANDSHAKE_LIMIT_S}
    if sys.version_info >= (3, 11):
        limits["ssl_shutdown_timeout"] = TLS_CLOSE_LIMIT_S
    return limits


async def start(
    new_connection: Callable[[], asyncio.BaseProtocol],
    sockets: list[socket.socket],
    tls: ssl.SSLContext | None,
    at_end: contextlib.AsyncExitStack,
    limits: Mapping[str, Any],
) -> list[asyncio.Server]:
    """Serve a protocol. tls: None where clients connect without it.  limits: as `create_server` takes them."""
    loop = asyncio.get_running_loop()
    servers = []
    for sock in sockets:
        server = await loop.create_server(new_connection, sock=sock, ssl=tls, backlog=ACCEPTED_AT_ONCE, **limits)
        sock.listen(BACKLOG)  # asyncio has set it to ACCEPTED_AT_ONCE
        at_end.callback(server.close)
        servers.append(server)
    return servers


async def abort_rest(servers: list[asyncio.Server]) -> None:
    """Drop connections whose clients have not closed them yet: Python 3.13.0 has an error for two that are left."""
    if sys.version_info >= (3, 13):
        for server in servers:
            server.abort_clients()
        await asyncio.sleep(0)  # until they are closed
