"""The hub's TLS, in front of a server that sends back what it gets: with and without being asked for a certificate."""

import asyncio
import gc
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import pytest
from OpenSSL import SSL

from azext_iotjobs.localhub.tls.certificates import Certificates, ensure_certificates
from azext_iotjobs.localhub.tls.context import HubContext, peer_certificates
from azext_iotjobs.localhub.tls.pyopenssl import BioTls
from tests.helpers.device_certificates import Made, make
from tests.helpers.moved_loop import MovedLoop, run, turns, within_limit
from tests.helpers.waiting import looks

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
ROOT = make("root", ca=True)
PUMP = make("pump-1", ROOT)
LONELY = make("lonely")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return ensure_certificates(tmp_path_factory.mktemp("hub"), "127.0.0.1", (), datetime.now(timezone.utc))


class Echo(asyncio.Protocol):
    """Sends back what it gets."""

    def __init__(self, server: "Server") -> None:
        self.server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.shown = peer_certificates(transport)
        self.server.made.append(self)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self.transport.close()  # else Python 3.10 complains of it, and whoever notes the complaint keeps it
        self.server.lost.append(self)


@dataclass
class Server:
    """A listening echo."""

    port: int = 0
    wants_client_certificate: bool = True
    made: list[Echo] = field(default_factory=list)
    lost: list[Echo] = field(default_factory=list)


@asynccontextmanager
async def echoing(loop: MovedLoop, certificates: Certificates) -> AsyncIterator[Server]:
    server = Server()
    context = HubContext(certificates, wants_client_certificate=lambda: server.wants_client_certificate)
    listener = await loop.create_server(lambda: Echo(server), "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for echo in server.made:
            echo.transport.abort()
        await turns(20)
        server.made.clear()
        server.lost.clear()


def client_context(
    certificates: Certificates, folder: Path, *shown: Made, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates.ca_file))
    context.minimum_version = context.maximum_version = version
    if shown:
        context.load_cert_chain(*shown[0].files(folder, *shown[1:]))
    return context


@asynccontextmanager
async def client(
    server: Server, context: ssl.SSLContext
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await within_limit(asyncio.open_connection("localhost", server.port, ssl=context))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await turns()


async def echoed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bool:
    writer.write(data)
    return await within_limit(reader.readexactly(len(data))) == data


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shown", [(), (LONELY,), (PUMP,), (PUMP, ROOT)], ids=["none", "self-signed", "own", "chain"])
def test_whatever_a_client_shows_is_taken_and_known(
    certificates: Certificates, tmp_path: Path, version: ssl.TLSVersion, shown: tuple[Made, ...]
) -> None:
    async def main(loop: MovedLoop) -> None:
        async with echoing(loop, certificates) as server:
            context = client_context(certificates, tmp_path, *shown, version=version)
            async with client(server, context) as (reader, writer):
                assert await echoed(reader, writer, b"hello")
                transport = server.made[0].transport
                assert server.made[0].shown == tuple(each.der for each in shown)
                tls = transport.get_extra_info("ssl_object")
                assert isinstance(tls, BioTls)
                assert tls.version() == version.name.replace("_", ".")
                assert transport.get_extra_info("cipher")[2] >= 128

    run(main)


def test_certificates_are_sent_on_request_only_and_requests_begin_and_end_without_a_restart(
    certificates: Certificates, tmp_path: Path
) -> None:
    async def main(loop: MovedLoop) -> None:
        async with echoing(loop, certificates) as server:
            context = client_context(certificates, tmp_path, LONELY)
            for server.wants_client_certificate, seen in ((False, ()), (True, (LONELY.der,)), (False, ())):
                async with client(server, context) as (reader, writer):
                    assert await echoed(reader, writer, b"hello")
                    assert server.made[-1].shown == seen

    run(main)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_reconnects_with_its_tls_session_sends_its_certificate_again(
    certificates: Certificates, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    def visit(context: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            with context.wrap_socket(sock, server_hostname="localhost", session=session) as tls:
                tls.sendall(b"hello")
                assert tls.recv(5) == b"hello"
                assert not tls.session_reused
                return tls.session

    async def main(loop: MovedLoop) -> None:
        async with echoing(loop, certificates) as server:
            context = client_context(certificates, tmp_path, LONELY, version=version)
            session = None
            for server.wants_client_certificate in (True, True, False, True):
                session = await loop.run_in_executor(None, visit, context, server.port, session)
            assert [echo.shown for echo in server.made] == [(LONELY.der,), (LONELY.der,), (), (LONELY.der,)]

    run(main)


@pytest.mark.parametrize("version", VERSIONS)
def test_much_goes_through_in_both_directions(
    certificates: Certificates, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    async def main(loop: MovedLoop) -> None:
        async with echoing(loop, certificates) as server:
            context = client_context(certificates, tmp_path, LONELY, version=version)
            async with client(server, context) as (reader, writer):
                assert await echoed(reader, writer, random.Random(1).randbytes(5_000_000))
                for size in (1, 16_383, 16_384, 16_385, 131_072):
                    assert await echoed(reader, writer, bytes(size))

    run(main)


def test_unread_data_wait_and_the_writer_is_paused(certificates: Certificates, tmp_path: Path) -> None:
    async def main(loop: MovedLoop) -> None:
        async with echoing(loop, certificates) as server:
            async with client(server, client_context(certificates, tmp_path, LONELY)) as (reader, writer):
                assert await echoed(reader, writer, b"hello")
                transport = server.made[0].transport
                assert isinstance(writer.transport, asyncio.Transport)
                writer.transport.pause_reading()
                for _ in range(100):
                    transport.write(bytes(131_072))
                    await turns(2)
                unsent = transport.get_write_buffer_size()
                assert unsent > 4_000_000
                writer.transport.resume_reading()
                await within_limit(reader.readexactly(100 * 131_072))
                assert transport.get_write_buffer_size() == 0
                # The other way: what the server does not take stays with the client.
                transport.pause_reading()
                for _ in range(200):
                    writer.write(bytes(131_072))
                    await turns(2)
                assert writer.transport.get_write_buffer_size() > 1_000_000
                transport.resume_reading()
                await within_limit(reader.readexactly(200 * 131_072))

    run(main)


@pytest.mark.parametrize("version", VERSIONS)
def test_both_sides_say_goodbye(certificates: Certificates, tmp_path: Path, version: ssl.TLSVersion) -> None:
    async def main(loop: MovedLoop) -> None:
        async with echoing(loop, certificates) as server:
            context = client_context(certificates, tmp_path, LONELY, version=version)
            async with client(server, context) as (reader, writer):
                assert await echoed(reader, writer, b"hello")
                server.made[0].transport.write(b"last words")
                server.made[0].transport.close()
                assert await within_limit(reader.read()) == b"last words"
            async with client(server, context) as (reader, writer):
                assert await echoed(reader, writer, b"hello")
                writer.close()
                await within_limit(writer.wait_closed())
            await within_limit(until(lambda: len(server.lost) == 2))

    run(main)


async def until(is_so: "object") -> None:
    assert callable(is_so)
    while not is_so():
        await asyncio.sleep(0)


@contextmanager
def tcp(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
        yield sock


def recorded_handshake(certificates: Certificates, folder: Path) -> bytes:
    """What a client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(certificates, folder, LONELY).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def test_garbage_and_half_handshakes_end_that_connection_alone(certificates: Certificates, tmp_path: Path) -> None:
    hello = recorded_handshake(certificates, tmp_path)
    chance = random.Random(20)
    said = [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x10\x0c\x00\x04MQTT\x04\x02\x00<\x00\x00", hello[:40], hello, hello * 2]
    said += [chance.randbytes(chance.randrange(1, 3000)) for _ in range(60)]
    for _ in range(150):
        place = chance.randrange(len(hello))
        said.append(hello[:place] + bytes([chance.randrange(256)]) + hello[place + 1 :])
    said += [hello + b"\x16\x03\x03" + chance.randbytes(chance.randrange(2, 300)) for _ in range(60)]

    async def main(loop: MovedLoop) -> None:
        async with echoing(loop, certificates) as server:
            for number, data in enumerate(said):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                if data:
                    writer.write(data)
                await turns(4)
                if number % 2:
                    writer.transport.abort()
                else:
                    writer.close()
            await turns(20)
            assert server.made == []
            async with client(server, client_context(certificates, tmp_path, LONELY)) as (reader, writer):
                assert await echoed(reader, writer, b"still here")

    run(main)


def test_changed_and_cut_streams_end_that_connection_alone(certificates: Certificates, tmp_path: Path) -> None:
    """A man in the middle spoils what comes after the handshake has begun."""
    chance = random.Random(21)

    async def spoil(context: ssl.SSLContext, server: Server, at_byte: int) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        sent = 0
        try:
            for _ in looks(f"byte {at_byte} is sent, or the other side has ended it"):
                if sent > at_byte:
                    break
                try:
                    tls.do_handshake()
                    tls.write(bytes(100))
                except ssl.SSLWantReadError:
                    pass
                data = bytearray(outgoing.read())
                if sent <= at_byte < sent + len(data):
                    data[at_byte - sent] ^= 1 + chance.randrange(255)
                sent += len(data)
                writer.write(data)
                if sent <= at_byte:
                    incoming.write(await within_limit(reader.read(65536)))
            await turns(4)  # not for an answer: where a length was spoiled, the server waits for more
        except (ssl.SSLError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def main(loop: MovedLoop) -> None:
        async with echoing(loop, certificates) as server:
            for version in VERSIONS:
                context = client_context(certificates, tmp_path, LONELY, version=version)
                for _ in range(60):
                    await spoil(context, server, chance.randrange(5, 1500))
                async with client(server, context) as (reader, writer):
                    assert await echoed(reader, writer, b"still here")

    run(main)


def test_a_client_may_not_renegotiate(certificates: Certificates, tmp_path: Path) -> None:
    def try_it(port: int) -> bytes:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.settimeout(None)
            connection = SSL.Connection(context, sock)
            connection.set_connect_state()
            connection.do_handshake()
            connection.renegotiate()
            # A limit of the system's: pyOpenSSL knows of none. Its end is told as an error, but not as one of TLS.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 30, 0))
            try:
                connection.do_handshake()
                connection.send(b"hello")
                data = b""
                while not data:
                    data = connection.recv(5)
                return data if connection.total_renegotiations() else b""
            except SSL.WantReadError:
                return b"no answer within 30 s"
            except SSL.Error:
                return b""

    async def main(loop: MovedLoop) -> None:
        async with echoing(loop, certificates) as server:
            assert await loop.run_in_executor(None, try_it, server.port) == b""
            async with client(server, client_context(certificates, tmp_path)) as (reader, writer):
                assert await echoed(reader, writer, b"still here")

    run(main)


def test_nothing_is_kept_of_connections_that_are_gone(certificates: Certificates, tmp_path: Path) -> None:
    async def main(loop: MovedLoop) -> None:
        async with echoing(loop, certificates) as server:
            context = client_context(certificates, tmp_path, LONELY)
            for number in range(40):
                async with client(server, context) as (reader, writer):
                    assert await echoed(reader, writer, b"hello")
                    if number % 2:
                        writer.close()
            await within_limit(until(lambda: len(server.lost) == 40))
            server.made.clear()
            server.lost.clear()
            await turns(20)
        gc.collect()
        assert [each for each in gc.get_objects() if isinstance(each, (BioTls, SSL.Connection))] == []

    run(main)
