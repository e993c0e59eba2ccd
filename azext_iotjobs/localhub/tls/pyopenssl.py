"""TLS over pyOpenSSL with the interface of `ssl.SSLObject` that asyncio uses. Imported only when certificates are
requested.

The handshake accepts every certificate, whoever has signed it; it is verified at CONNECT. pyOpenSSL has memory BIOs of
its own, which never shrink: bytes are passed through them in small pieces.
"""

import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from OpenSSL import SSL, crypto

PIECE_BYTES = 16 * 1024  # one TLS record
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES"  # of TLS 1.2; 1.3 has its own

Result = TypeVar("Result")


class ClientCertificateContext:
    """TLS settings that request a certificate from a client, and accept clients without one."""

    def __init__(self, certificate_file: Path, key_file: Path) -> None:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(CIPHERS)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # an idle connection keeps none
        # A resumed session has no certificates of its own: every connection shows them.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET)
        context.use_certificate_chain_file(str(certificate_file))
        context.use_privatekey_file(str(key_file))
        context.set_verify(SSL.VERIFY_PEER, _accept_any)
        self._context = context

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, on_failed_handshake: Callable[[str], None]
    ) -> "BioTls":
        """A server's side of one connection.

        on_failed_handshake: called with the reason.
        """
        connection = SSL.Connection(self._context)
        connection.set_accept_state()
        return BioTls(connection, incoming, outgoing, on_failed_handshake)


class BioTls:
    """One connection: the methods and exceptions of an SSLObject that asyncio uses."""

    __slots__ = ("_connection", "_incoming", "_on_failed_handshake", "_outgoing")

    def __init__(
        self,
        connection: SSL.Connection,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        on_failed_handshake: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._on_failed_handshake = on_failed_handshake
        self._incoming = incoming
        self._outgoing = outgoing

    def peer_chain(self) -> tuple[bytes, ...]:
        """The client's certificates, DER, its own first; empty when it has sent none."""
        own = self._connection.get_peer_certificate()
        others = self._connection.get_peer_cert_chain() or ()  # on a server's side, without the client's own
        chain = () if own is None else (own, *others)
        return tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, each) for each in chain)

    def do_handshake(self) -> None:
        """Continue the handshake."""
        try:
            self._step(self._connection.do_handshake)
        except ssl.SSLWantReadError:
            raise
        except ssl.SSLError as err:
            self._on_failed_handshake(err.reason)
            raise

    def read(self, size: int = 1024, buffer: memoryview | None = None) -> bytes | int:
        """Read into `buffer`, or return bytes; no bytes at the end of the stream."""
        try:
            data = self._step(partial(self._connection.recv, min(size, PIECE_BYTES)))
        except ssl.SSLZeroReturnError:
            data = b""
        if buffer is None:
            return data
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Send all of it; gives its size."""
        view = memoryview(data)
        for start in range(0, len(view), PIECE_BYTES):
            self._step(partial(self._connection.send, view[start : start + PIECE_BYTES]))
        return len(view)

    def unwrap(self) -> None:
        """Send close_notify, and wait for the client's."""
        if not self._step(self._connection.shutdown):
            self._step(self._connection.shutdown)

    def pending(self) -> int:
        """How many decrypted bytes can be read."""
        return self._connection.pending()

    def getpeercert(self, binary_form: bool = False) -> None:
        """None, as in `ssl` for a certificate that was not verified; see `peer_chain`."""

    def cipher(self) -> tuple[str, str, int] | None:
        """Name, protocol and secret bits of the cipher."""
        name = self._connection.get_cipher_name()
        if name is None:
            return None
        return name, self._connection.get_cipher_version() or "", self._connection.get_cipher_bits() or 0

    def compression(self) -> None:
        """TLS compresses nothing."""

    def version(self) -> str:
        """The protocol's version."""
        return self._connection.get_protocol_version_name()

    def _step(self, step: Callable[[], Result]) -> Result:
        """Execute a step; feed it with received bytes, piece by piece, for as long as it needs more."""
        while True:
            try:
                return step()
            except SSL.WantReadError:
                piece = self._incoming.read(PIECE_BYTES)
                if not piece:
                    raise _error(ssl.SSLWantReadError, ssl.SSL_ERROR_WANT_READ, "more is needed") from None
                self._connection.bio_write(piece)
            except SSL.ZeroReturnError:
                raise _error(ssl.SSLZeroReturnError, ssl.SSL_ERROR_ZERO_RETURN, "end of the stream") from None
            except SSL.Error as err:
                raise _error(ssl.SSLError, ssl.SSL_ERROR_SSL, _reason(err)) from err
            finally:
                self._pass_on()

    def _pass_on(self) -> None:
        while True:
            try:
                self._outgoing.write(self._connection.bio_read(PIECE_BYTES))
            except SSL.WantReadError:
                return


def _accept_any(
    _connection: SSL.Connection, _certificate: crypto.X509, _error: int, _depth: int, _is_good: int
) -> bool:
    return True


def _error(kind: type[ssl.SSLError], number: int, reason: str) -> ssl.SSLError:
    error = kind(number, reason)
    error.library, error.reason = "SSL", reason  # Python 3.10's asyncio reads them
    return error


def _reason(err: SSL.Error) -> str:
    match err.args:
        case ([(_, _, str(reason)), *_],):
            return reason
    return type(err).__name__
