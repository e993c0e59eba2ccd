"""From "connect this device" to a connection that MQTT can begin on, for many devices at once; nothing waits."""

import heapq
import ssl
from collections.abc import Callable
from functools import partial

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import BadValue, CannotConnect, LinkError
from azext_iotjobs.model.text import Text
from azext_iotjobs.transport.handshake import WRITE, Handshake
from azext_iotjobs.transport.mqtt_tls import TlsContexts
from azext_iotjobs.transport.names import HostAddresses
from azext_iotjobs.transport.open_files import LACK_HINT, lack_of_files
from azext_iotjobs.transport.trust import untrusted
from azext_iotjobs.transport.watching import Link, Watch

ADDRESS_TIMEOUT_S = 5.0  # until TCP is there, while the host has another address to try
MQTT_HINT = Text.of("Port 8883 must be open in the firewall; {websocket} goes through port 443.")
WEBSOCKET_HINT = "Port 443 must be open in the firewall, and let WebSockets through."


class Dialler:
    """Makes connections to one host and port."""

    def __init__(
        self,
        host: str,
        port: int,
        clock: Clock,
        watch: Watch,
        contexts: TlsContexts,
        *,
        is_websocket: bool,
        timeout_s: float,
        on_ready: Callable[[Link, Handshake], None],
        on_failed: Callable[[Link, LinkError], None],
    ) -> None:
        """timeout_s: for each connection, from its first packet to CONNACK.

        on_ready: told of a link whose handshake is to be taken.  on_failed: of one that came to nothing.
        """
        self._host = host
        self._port = port
        self._clock = clock
        self._watch = watch
        self._contexts = contexts
        self._websocket_port = port if is_websocket else None
        self._timeout_s = timeout_s
        self._on_ready = on_ready
        self._on_failed = on_failed
        self._names = HostAddresses(host, port, clock, watch.wake)
        self._nameless: list[Link] = []  # wait for the host's addresses
        self._deadlines: list[tuple[float, int, Link]] = []  # a heap; outdated entries do no harm
        self._entries = 0

    @property
    def where(self) -> str:
        """Host and port, for messages."""
        return f"{self._host}:{self._port}"

    def dial(self, link: Link) -> None:
        """Begin; its end is told to `on_ready` or `on_failed`, unless it is abandoned."""
        link.is_under_way = True
        if self._names.known():
            self._begin(link)
        else:
            self._nameless.append(link)

    def names_came(self) -> None:
        """The watch was woken: begin what waited for the host's addresses."""
        error = self._names.take()
        waiting, self._nameless = self._nameless, []
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
            self._fail(link, untrusted(self.where, err))
        except BadValue as err:  # a certificate that could be used when the device came first
            self._fail(link, CannotConnect(err.message, hint=err.hint))
        except (OSError, ValueError) as err:  # ValueError: a host that can be no certificate's name
            if isinstance(err, OSError) and handshake.can_try_next:
                self._try_address(link, handshake)
            else:
                self._fail(link, self._unreached(err))
        else:
            if wanted:
                self._watch.set(link, link.number, wanted)
            else:
                self._names.prefer(handshake.address)
                self._on_ready(link, handshake)

    def abandon(self, link: Link) -> None:
        """It is wanted no longer, or has failed."""
        link.is_under_way = False
        if link.handshake is not None:
            self._watch.forget(link)
            link.handshake.close()
            link.handshake = None

    def next_at(self) -> float | None:
        """When `end_overdue` has something to do; None: not before something else happens."""
        return self._deadlines[0][0] if self._deadlines else None

    def end_overdue(self) -> None:
        """Give up what took too long; try the next address of what has one."""
        now = self._clock.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            link = heapq.heappop(self._deadlines)[2]
            if not link.is_under_way:
                continue
            if link.ends_at <= now:
                text = f"{self.where} gave no answer within {self._timeout_s:.0f} s."
                self._fail(link, CannotConnect(text, hint=self._hint))
            elif link.handshake is not None and link.handshake.can_try_next:
                self._try_address(link, link.handshake)

    def close(self) -> None:
        """A look-up of the host's name that still hangs ends by itself."""
        self._names.close()

    def _begin(self, link: Link) -> None:
        context_of = partial(self._contexts.fitting, link.certificate)
        link.handshake = Handshake(self._names.known(), context_of, self._host, self._websocket_port)
        link.ends_at = self._clock.monotonic() + self._timeout_s
        self._note(link.ends_at, link)
        self._try_address(link, link.handshake)

    def _try_address(self, link: Link, handshake: Handshake) -> None:
        self._watch.forget(link)
        try:
            number = handshake.begin()
        except OSError as err:
            self._fail(link, self._unreached(err))
            return
        self._watch.set(link, number, WRITE)
        if handshake.can_try_next:
            self._note(self._clock.monotonic() + ADDRESS_TIMEOUT_S, link)

    def _note(self, at: float, link: Link) -> None:
        self._entries += 1  # links themselves have no order
        heapq.heappush(self._deadlines, (at, self._entries, link))

    def _fail(self, link: Link, error: LinkError) -> None:
        self.abandon(link)
        self._names.doubt()
        self._on_failed(link, error)

    @property
    def _hint(self) -> str:
        return MQTT_HINT if self._websocket_port is None else WEBSOCKET_HINT

    def _unreached(self, err: Exception) -> CannotConnect:
        if (lack := lack_of_files(err)) is not None:
            return CannotConnect(f"{self.where} was not reached: {lack}.", hint=LACK_HINT)
        return CannotConnect(f"{self.where} was not reached ({err}).", hint=self._hint)
