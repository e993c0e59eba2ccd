"""What devices and services did lately, for those who test them and for operators. None of it outlives the hub."""

import time
from collections.abc import Callable

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.observation_log import ObservationLog
from azext_iotjobs.localhub.errors import GATEWAY_TIMEOUT, HubError
from azext_iotjobs.localhub.process.disconnect_log import DisconnectLog, handshake_error
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.json_values import Json
from azext_iotjobs.localhub.rules.observation import (
    CallEntry,
    CallState,
    Client,
    ClientProtocol,
    ConnectionChange,
    ConnectionEntry,
    ReportedEntry,
    RequestEntry,
    cut,
)

Monotonic = Callable[[], float]  # seconds since any instant


class Connections:
    """What became of connections: an entry each time, and a line in the hub's log for an error of a client."""

    def __init__(self, clock: HubClock, now: Monotonic) -> None:
        self.log: ObservationLog[ConnectionEntry] = ObservationLog()
        self._clock = clock
        self._lines = DisconnectLog(now)

    def connected(self, client: Client) -> None:
        """A device is connected."""
        self._add(client, ConnectionChange.CONNECTED, None)

    def refused(self, client: Client, reason: str, *, is_logged: bool = False) -> None:
        """A client was not let in. is_logged: with a line in the hub's log."""
        self._end(client, ConnectionChange.REFUSED, reason, is_logged=is_logged)

    def ended(self, client: Client, reason: str, *, is_logged: bool = False) -> None:
        """A connection has ended that had been let in. is_logged: with a line in the hub's log."""
        self._end(client, ConnectionChange.ENDED, reason, is_logged=is_logged)

    def write_line(self, name: str | None, reason: str) -> None:
        """Only the line: the devices of the connection have entries of their own."""
        self._lines.note(name, reason)

    def note_failed_handshake(self, reason: str) -> None:
        """A TLS handshake has failed, at any port. reason: as OpenSSL words it."""
        self.refused(Client(ClientProtocol.TLS), handshake_error(reason), is_logged=True)

    def _end(self, client: Client, change: ConnectionChange, reason: str, *, is_logged: bool) -> None:
        self._add(client, change, reason)
        if is_logged:
            self.write_line(client.name, reason)

    def _add(self, client: Client, change: ConnectionChange, reason: str | None) -> None:
        if client.name is not None:
            client = client._replace(name=cut(client.name))
        self.log.add(ConnectionEntry(self._clock.now(), client, change, reason if reason is None else cut(reason)))


class Call:
    """A method call, from its request to its end."""

    __slots__ = ("_address", "_began_s", "_call_id", "_calls", "_job_id", "_name", "_payload", "_size_bytes")

    def __init__(
        self,
        calls: "Calls",
        call_id: int,
        address: Address,
        name: str,
        payload: Json,
        size_bytes: int,
        job_id: str | None,
    ) -> None:
        self._calls = calls
        self._call_id = call_id
        self._address = address
        self._name = name
        self._payload = payload
        self._size_bytes = size_bytes
        self._job_id = job_id
        self._began_s = calls.now()

    def sent(self) -> None:
        """The device has been sent it."""
        self._add(CallState.CALLING)

    def responded(self, status: int, response: Json, size_bytes: int) -> None:
        """The device has responded. size_bytes: of the response."""
        self._add(CallState.RESPONDED, status=status, response=response, size_bytes=size_bytes)

    def failed(self, err: HubError) -> None:
        """It was refused, or there was no response."""
        state = CallState.TIMED_OUT if err.fault is GATEWAY_TIMEOUT else CallState.FAILED
        self._add(state, error_code=err.fault.name, reason=err.text)

    def cancelled(self) -> None:
        """Nobody waits for it any more."""
        self._add(CallState.CANCELLED)

    def _add(
        self,
        state: CallState,
        *,
        status: int | None = None,
        response: Json = None,
        size_bytes: int = 0,
        error_code: str | None = None,
        reason: str | None = None,
    ) -> None:
        calls, call_id = self._calls, self._call_id
        if call_id <= calls.forgotten_id:
            return
        at, duration_s = calls.clock.now(), calls.now() - self._began_s
        who = (call_id, self._address, self._name, self._payload, self._job_id)
        entry = CallEntry(at, *who, state, duration_s, status, response, error_code, reason)
        calls.log.add(entry, self._size_bytes + size_bytes)


class Calls:
    """Method calls; each has an entry once its device has been sent it, and one at its end."""

    def __init__(self, clock: HubClock, now: Monotonic) -> None:
        self.log: ObservationLog[CallEntry] = ObservationLog()
        self.clock = clock
        self.now = now
        self.forgotten_id = 0  # of the newest call that had begun at the last reset: it is noted no more
        self._last_id = 0

    def begin(self, address: Address, name: str, payload: Json, size_bytes: int, job_id: str | None) -> Call:
        """A call is requested. size_bytes: of the payload.  job_id: the job that calls; None: an HTTPS request."""
        self._last_id += 1
        return Call(self, self._last_id, address, name, payload, size_bytes, job_id)

    def clear(self) -> None:
        """Forget the calls, also those that have not ended."""
        self.forgotten_id = self._last_id
        self.log.clear()


class Observations:
    """All that is observed."""

    def __init__(self, clock: HubClock, now: Monotonic = time.monotonic) -> None:
        self.clock = clock
        self.now = now
        self.connections = Connections(clock, now)
        self.calls = Calls(clock, now)
        self.reported: ObservationLog[ReportedEntry] = ObservationLog()
        self.requests: ObservationLog[RequestEntry] = ObservationLog()

    def clear(self) -> None:
        """Forget everything, as a reset does."""
        self.calls.clear()
        for log in (self.connections.log, self.reported, self.requests):
            log.clear()

    def close(self) -> None:
        """The hub ends: nobody waits for what may come."""
        for log in (self.connections.log, self.calls.log, self.reported, self.requests):
            log.waits.close()
