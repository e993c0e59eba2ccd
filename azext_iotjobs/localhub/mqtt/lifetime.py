"""How long a connection may last: until it is silent for too long, or its credentials expire. Pure."""

from datetime import datetime

from azext_iotjobs.localhub.clock import LONGEST_TIMER_S

CONNECT_LIMIT_S = 30.0  # for the first packet, CONNECT


class Expired(Exception):
    """The connection's time is up; the text says why. is_silent: nothing more can be sent to the client."""

    def __init__(self, reason: str, *, is_silent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_silent = is_silent


class Lifetime:
    """The facts that limit a connection; loop_s is the event loop's time, now the clock's `session_now`."""

    __slots__ = ("credentials_expire_at", "last_packet_s")

    def __init__(self, loop_s: float) -> None:
        self.last_packet_s = loop_s
        self.credentials_expire_at: datetime | None = None  # None until CONNECT is accepted

    def left_s(self, keep_alive_s: float | None, loop_s: float, now: datetime) -> float:
        """Seconds after which to check again. keep_alive_s: None before CONNECT. Raises Expired."""
        if keep_alive_s is None or self.credentials_expire_at is None:
            raise Expired(f"no CONNECT came within {CONNECT_LIMIT_S:g} s", is_silent=True)
        silence_left_s = self.last_packet_s + keep_alive_s - loop_s
        credentials_left_s = (self.credentials_expire_at - now).total_seconds()
        if silence_left_s <= 0:
            reason = f"keep-alive: nothing came for {keep_alive_s:g} s, one and a half times what it promised"
            raise Expired(reason, is_silent=True)
        if credentials_left_s <= 0:
            raise Expired("its token or certificate has expired", is_silent=False)
        return min(silence_left_s, credentials_left_s, LONGEST_TIMER_S)
