"""TLS of both listeners: 1.2 and 1.3, as the service offers; asks for certificates while some device has one.

Strategy: `ssl` refuses a certificate that no CA of its own signed, and devices' own are such; so a connection that is
to be asked for one runs over pyOpenSSL, where we decide later, at CONNECT. All others run over `ssl`, which is lighter.
Which of the two is decided anew for each connection: registering the first X.509 device needs no restart.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from azext_iotjobs.localhub.tls.certificates import Certificates

if TYPE_CHECKING:
    from azext_iotjobs.localhub.tls.pyopenssl import AskingContext

logger = logging.getLogger(__name__)


class _Tls(ssl.SSLObject):
    """One connection's TLS, that tells why its handshake has failed: asyncio itself tells nobody."""

    def do_handshake(self) -> None:
        """Go on with the handshake."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as err:
            assert isinstance(self.context, HubContext)
            self.context.on_failed_handshake(err.reason or type(err).__name__)
            raise


class HubContext(ssl.SSLContext):
    """The TLS settings of both listeners, for asyncio."""

    _certificates: Certificates
    _asks: Callable[[], bool]
    _asking: "AskingContext | None"
    _can_ask: bool
    on_failed_handshake: Callable[[str], None]  # is told why; what a client's mistake is worth is its business

    def __new__(cls, certificates: Certificates, asks: Callable[[], bool]) -> "HubContext":
        """asks: whether a connection that begins now is to be asked for a certificate. Raises OSError."""
        self = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        self.minimum_version = ssl.TLSVersion.TLSv1_2
        self.load_cert_chain(certificates.server_file, certificates.server_key_file)
        self._certificates, self._asks = certificates, asks
        self._asking, self._can_ask = None, True
        self.on_failed_handshake = lambda _reason: None
        self.sslobject_class = _Tls
        return self

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *others: Any, **more: Any) -> Any:
        """One connection's TLS; asyncio calls it as the connection begins."""
        if self._can_ask and self._asks():
            asking = self._asking_context()
            if asking is not None:
                return asking.wrap_bio(incoming, outgoing, self.on_failed_handshake)
        return super().wrap_bio(incoming, outgoing, *others, **more)

    def _asking_context(self) -> "AskingContext | None":
        if self._asking is None:
            try:
                from azext_iotjobs.localhub.tls.pyopenssl import AskingContext
            except (ImportError, AttributeError) as err:  # the latter when it does not fit the `cryptography` it finds
                self._can_ask = False
                logger.error("pyOpenSSL does not load (%s): devices cannot sign in with certificates.", err)
            else:
                self._asking = AskingContext(self._certificates.server_file, self._certificates.server_key_file)
        return self._asking


def peer_certificates(transport: asyncio.BaseTransport | None) -> tuple[bytes, ...]:
    """The certificates that the other side has shown, DER: its own first, then what it sent along; not checked at all.

    Empty when it has none, or was not asked.
    """
    tls: Any = None if transport is None else transport.get_extra_info("ssl_object")
    chain: tuple[bytes, ...] = tls.peer_chain() if hasattr(tls, "peer_chain") else ()
    return chain
