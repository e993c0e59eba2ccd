"""From "connect this device" to a connection on which MQTT can begin, for many devices at once. Never blocks."""

import heapq
import ssl
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import BadValue, CannotConnect, LinkError
from azext_iotjobs.model.text import Text
from azext_iotjobs.transport.handshake import WRITE, Handshake
from azext_iotjobs.transport.mqtt_tls import TlsContexts
from azext_iotjobs.transport.open_files import LACK_HINT, lack_of_files
from azext_iotjobs.transport.resolver import HostResolver
from azext_iotjobs.transport.selector import Link, LinkSelector
from azext_iotjobs.transport.trust import untrusted

ADDRESS_TIMEOUT_S = 5.0  # for TCP to connect, while the host has another address to try
MQTT_HINT = Text.of("Port 8883 must be open in the firewall; {websocket} goes through port 443.")
WEBSOCKET_HINT = "Port 443 must be open in the firewall, and let WebSockets through."


class Endpoint(NamedTuple):
    """Where devices connect, and how."""

    host: str
    port: int
    is_websocket: bool

    def __str__(self) -> str:
        """For messages."""
        return f"{self.host}:{self.port}"


class Connector:
    """Makes connections to one endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        clock: Clock,
        selector: LinkSelector,
        contexts: TlsContexts,
        *,
        timeout_s: float,
        on_ready: Callable[[Link, Handshake], None],
        on_failed: Callable[[Link, LinkError], None],
    ) -> None:
        """timeout_s: for each connection, from its first packet to CONNACK.

        on_ready: called with a link whose handshake is complete and to be taken.
        on_failed: called with a link that did not connect, and why.
        """
        self._endpoint = endpoint
        self._clock = clock
        self._selector = selector
        self._contexts = contexts
        self._timeout_s = timeout_s
        self._on_ready = on_ready
        self._on_failed = on_failed
        self._resolver = HostResolver(endpoint.host, endpoint.port, clock, selector.wake)
        self._unresolved: list[Link] = []  # these wait for the host's addresses
        self._deadlines: list[tuple[float, int, Link]] = []  # a heap; outdated entries do no harm
        self._entries = 0

    def connect(self, link: Link) -> None:
        """Begin to connect; `on_ready` or `on_failed` is called at the end, unless the link is abandoned before."""
        link.is_under_way = True
        if self._resolver.addresses():
            self._begin(link)
        else:
            self._unresolved.append(link)

    def addresses_came(self) -> None:
        """The selector was woken: begin the connections that waited for the host's addresses."""
        error = self._resolver.take_result()
        waiting, self._unresolved = self._unresolved, []
        for link in waiting:
            if not link.is_under_way or link.handshake is not None:
                continue
            if error is None:
                self._begin(link)
            else:
                self._fail(link, self._unreached(error))

    def advance(self, link: Link) -> None:
        """The link's socket is ready."""
        handshake = link.handshake
        assert handshake is not None
        try:
            wanted = handshake.advance()
        except ssl.SSLCertVerificationError as err:
            self._fail(link, untrusted(str(self._endpoint), err))
        except BadValue as err:  # a certificate that could be used when the device came first
            self._fail(link, CannotConnect(err.message, hint=err.hint))
        except (OSError, ValueError) as err:  # ValueError: a host that can be no certificate's name
            if isinstance(err, OSError) and handshake.can_try_next:
                self._try_address(link, handshake)
            else:
                self._fail(link, self._unreached(err))
        else:
            if wanted:
                self._selector.set(link, link.number, wanted)
            else:
                self._resolver.prefer(handshake.address)
                self._on_ready(link, handshake)

    def abandon(self, link: Link) -> None:
        """Close a connection that is not complete: it is no longer wanted, or has failed."""
        link.is_under_way = False
        if link.handshake is not None:
            self._selector.forget(link)
            link.handshake.close()
            link.handshake = None

    def next_at(self) -> float | None:
        """Monotonic seconds at which `end_overdue` is to be called; None: no connection is under way."""
        return self._deadlines[0][0] if self._deadlines else None

    def end_overdue(self) -> None:
        """Try the next address of connections that take too long; fail those that have none left."""
        now = self._clock.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            link = heapq.heappop(self._deadlines)[2]
            if not link.is_under_way:
                continue
            if link.ends_at <= now:
                text = f"{self._endpoint} gave no answer within {self._timeout_s:.0f} s."
                self._fail(link, CannotConnect(text, hint=self._hint))
            elif link.handshake is not None and link.handshake.can_try_next:
                self._try_address(link, link.handshake)

    def close(self) -> None:
        """Stop; a look-up of the host's name that still hangs ends by itself."""
        self._resolver.close()

    def _begin(self, link: Link) -> None:
        context_of = partial(self._contexts.fitting, link.certificate)
        host, port, is_websocket = self._endpoint
        link.handshake = Handshake(self._resolver.addresses(), context_of, host, port if is_websocket else None)
        link.ends_at = self._clock.monotonic() + self._timeout_s
        self._add_deadline(link.ends_at, link)
        self._try_address(link, link.handshake)

    def _try_address(self, link: Link, handshake: Handshake) -> None:
        self._selector.forget(link)
        try:
            number = handshake.begin()
        except OSError as err:
            self._fail(link, self._unreached(err))
            return
        self._selector.set(link, number, WRITE)
        if handshake.can_try_next:
            self._add_deadline(self._clock.monotonic() + ADDRESS_TIMEOUT_S, link)

    def _add_deadline(self, at: float, link: Link) -> None:
        self._entries += 1  # links themselves have no order
        heapq.heappush(self._deadlines, (at, self._entries, link))

    def _fail(self, link: Link, error: LinkError) -> None:
        self.abandon(link)
        self._resolver.mark_doubtful()
        self._on_failed(link, error)

    @property
    def _hint(self) -> str:
        return WEBSOCKET_HINT if self._endpoint.is_websocket else MQTT_HINT

    def _unreached(self, err: Exception) -> CannotConnect:
        if (lack := lack_of_files(err)) is not None:
            return CannotConnect(f"{self._endpoint} was not reached: {lack}.", hint=LACK_HINT)
        return CannotConnect(f"{self._endpoint} was not reached ({err}).", hint=self._hint)
