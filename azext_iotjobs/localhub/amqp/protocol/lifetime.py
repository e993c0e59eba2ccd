"""How long a connection may last, and when the client is to hear of the hub. Pure: the time is an argument.

Source: AMQP 2.4.5.
"""

from azext_iotjobs.localhub.amqp.protocol.limits import IDLE_TIMEOUT_S, OPEN_LIMIT_S


class Lifetime:
    """The facts that limit a connection.

    now_s, here and below: seconds since any instant.
    """

    __slots__ = ("_began_s", "is_open", "last_received_s", "last_sent_s")

    def __init__(self, now_s: float) -> None:
        self._began_s = self.last_received_s = self.last_sent_s = now_s
        self.is_open = False  # whether the client's Open has come

    def ended_because(self, now_s: float) -> str | None:
        """Why the connection has to end now; None: it need not."""
        if not self.is_open:
            return f"no Open came within {OPEN_LIMIT_S:g} s" if now_s - self._began_s >= OPEN_LIMIT_S else None
        if now_s - self.last_received_s >= 2 * IDLE_TIMEOUT_S:
            return f"nothing came for {2 * IDLE_TIMEOUT_S:g} s, twice the idle time-out"
        return None

    def wants_heartbeat(self, client_idle_timeout_s: float | None, now_s: float) -> bool:
        """Whether the client would otherwise soon take the hub for dead."""
        return client_idle_timeout_s is not None and now_s - self.last_sent_s >= client_idle_timeout_s / 2

    def left_s(self, client_idle_timeout_s: float | None, now_s: float) -> float:
        """Seconds after which to check again."""
        if not self.is_open:
            return max(0.0, self._began_s + OPEN_LIMIT_S - now_s)
        left_s = self.last_received_s + 2 * IDLE_TIMEOUT_S - now_s
        if client_idle_timeout_s is not None:
            left_s = min(left_s, self.last_sent_s + client_idle_timeout_s / 2 - now_s)
        return max(0.0, left_s)
