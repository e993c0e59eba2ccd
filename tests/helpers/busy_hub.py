"""A hub that is too busy at first: it answers CONNECT with "server unavailable", and later with yes."""

import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers.tls_server import self_signed

BUSY, YES = b"\x20\x02\x00\x03", b"\x20\x02\x00\x00"


@dataclass
class BusyHub:
    """Where it listens, whom to trust, and when each device came (monotonic seconds)."""

    port: int
    ca_file: Path
    connects: dict[str, list[float]] = field(default_factory=dict)


@contextmanager
def busy_hub(folder: Path, refusals: int) -> Iterator[BusyHub]:
    """One that refuses each device's first `refusals` connections."""
    certificate, key = self_signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Guest(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                with context.wrap_socket(self.request, server_side=True) as sock:
                    _serve(sock, hub, refusals)
            except OSError:  # the guest has left
                pass

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Guest) as server:
        hub = BusyHub(server.server_address[1], certificate)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


def _serve(sock: ssl.SSLSocket, hub: BusyHub, refusals: int) -> None:
    stream = sock.makefile("rb")
    while head := stream.read(1):
        size, factor = 0, 1
        while True:
            digit = stream.read(1)[0]
            size, factor = size + (digit & 127) * factor, factor * 128
            if digit < 128:
                break
        body = stream.read(size)
        match head[0] >> 4:
            case 1:
                device = body[12 : 12 + int.from_bytes(body[10:12], "big")].decode()
                came = hub.connects.setdefault(device, [])
                came.append(time.monotonic())
                sock.sendall(BUSY if len(came) <= refusals else YES)
                if len(came) <= refusals:
                    return
            case 8:
                sock.sendall(b"\x90\x06" + body[:2] + b"\x01\x01\x01\x01")
            case 12:
                sock.sendall(b"\xd0\x00")
