"""TLS of both listeners: 1.2 and 1.3, as the service offers; requests client certificates while some device has one.

Strategy: `ssl` refuses client certificates that no CA it trusts has signed, such as devices' self-signed ones. So a
connection that may show a certificate runs over pyOpenSSL, which accepts any; it is verified later, at CONNECT. All
others run over `ssl`, which is lighter. Which of the two is decided for each connection: registering the first X.509
device needs no restart.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from azext_iotjobs.localhub.tls.certificates import Certificates

if TYPE_CHECKING:
    from azext_iotjobs.localhub.tls.pyopenssl import ClientCertificateContext

logger = logging.getLogger(__name__)


class _Tls(ssl.SSLObject):
    """One connection's TLS; reports why a handshake has failed, which asyncio does not."""

    def do_handshake(self) -> None:
        """Continue the handshake."""
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
    _wants_client_certificate: Callable[[], bool]
    _with_certificates: "ClientCertificateContext | None"
    _has_pyopenssl: bool
    on_failed_handshake: Callable[[str], None]  # called with the reason

    def __new__(cls, certificates: Certificates, wants_client_certificate: Callable[[], bool]) -> "HubContext":
        """wants_client_certificate: whether to request one from a connection that begins now. Raises OSError."""
        self = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        self.minimum_version = ssl.TLSVersion.TLSv1_2
        self.load_cert_chain(certificates.server_file, certificates.server_key_file)
        self._certificates, self._wants_client_certificate = certificates, wants_client_certificate
        self._with_certificates, self._has_pyopenssl = None, True
        self.on_failed_handshake = lambda _reason: None
        self.sslobject_class = _Tls
        return self

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *others: Any, **more: Any) -> Any:
        """One connection's TLS; asyncio calls it as the connection begins."""
        if self._has_pyopenssl and self._wants_client_certificate():
            context = self._client_certificate_context()
            if context is not None:
                return context.wrap_bio(incoming, outgoing, self.on_failed_handshake)
        return super().wrap_bio(incoming, outgoing, *others, **more)

    def _client_certificate_context(self) -> "ClientCertificateContext | None":
        if self._with_certificates is None:
            try:
                from azext_iotjobs.localhub.tls.pyopenssl import ClientCertificateContext
            except (ImportError, AttributeError) as err:  # the latter if `cryptography` has another version
                self._has_pyopenssl = False
                logger.error("pyOpenSSL does not load (%s): devices cannot sign in with certificates.", err)
            else:
                self._with_certificates = ClientCertificateContext(
                    self._certificates.server_file, self._certificates.server_key_file
                )
        return self._with_certificates


def peer_certificates(transport: asyncio.BaseTransport | None) -> tuple[bytes, ...]:
    """The certificates that the client has sent, DER: its own first, then the others; not verified.

    Empty when it has none, or none was requested.
    """
    tls: Any = None if transport is None else transport.get_extra_info("ssl_object")
    chain: tuple[bytes, ...] = tls.peer_chain() if hasattr(tls, "peer_chain") else ()
    return chain
