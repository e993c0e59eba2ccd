"""Connected devices: which are online, and calls of their methods.

A link is one live connection; the newest of a device replaces an older one. A waiting caller costs a future and a
timer, no task. Everything runs on one event loop.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.faults import Faults
from azext_iotjobs.localhub.engine.observations import Call, Observations
from azext_iotjobs.localhub.errors import (
    DEVICE_MAXIMUM_INFLIGHT_METHOD_EXCEEDED,
    DEVICE_NOT_ONLINE,
    GATEWAY_TIMEOUT,
    MESSAGE_TOO_LARGE,
    HubError,
)
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.fault import InjectedFault, Kind, Operation
from azext_iotjobs.localhub.rules.job import MAX_PAYLOAD_BYTES
from azext_iotjobs.localhub.rules.json_values import Json, dump_json
from azext_iotjobs.localhub.rules.methods import MAX_IN_FLIGHT, PendingCalls
from azext_iotjobs.localhub.store.messages import Message


@dataclass(frozen=True)
class MethodResult:
    """A device's response to a method call."""

    status: int
    payload: Json
    size_bytes: int = field(default=0, compare=False)  # of the payload as it came


class Link(Protocol):
    """One live connection of a device."""

    address: Address

    @property
    def accepts_methods(self) -> bool:
        """Whether the device has subscribed to method calls."""

    def call_method(self, rid: str, name: str, payload: str) -> bool:
        """Send a method call, `payload` is JSON text; gives whether the device has subscribed to this method."""

    def notify_desired(self, patch: Json, version: int) -> None:
        """Send a change of desired properties, if the device has subscribed to them."""

    @property
    def accepts_messages(self) -> bool:
        """Whether the device has subscribed to cloud-to-device messages."""

    def deliver(self, message: Message) -> None:
        """Send a message, which is locked for this connection."""

    def close(self, client_error: str | None = None) -> None:
        """End the connection; it is detached before this returns.

        client_error: what the client did wrong, if that is the reason.
        """


Result = TypeVar("Result")
# A refusal is a result too: an exception that nobody retrieves, because the caller has just gone, would be logged.
Waiter = asyncio.Future[MethodResult | HubError]


class Links:
    """Every connected device."""

    def __init__(self, faults: Faults | None = None, observations: Observations | None = None) -> None:
        """faults: those that are requested for calls; None: there never are any.  observations: where what devices do
        is noted; None: in some of its own.
        """
        self.faults = Faults(HubClock()) if faults is None else faults
        self.observations = Observations(HubClock()) if observations is None else observations
        self._links: dict[Address, Link] = {}
        self._pending: PendingCalls[Address, Waiter] = PendingCalls()
        self._ready_futures: dict[Address, list[asyncio.Future[None]]] = defaultdict(list)

    def attach(self, link: Link) -> None:
        """Register a new connection; an older one of the same device is closed first."""
        if older := self._links.get(link.address):
            older.close("another connection came for the same device or module, which may have one at a time")
        self._links[link.address] = link
        self.subscriptions_changed(link)

    def detach(self, link: Link) -> bool:
        """A connection has ended; gives whether it was the device's newest, so that the device is offline now."""
        if self._links.get(link.address) is not link:
            return False
        del self._links[link.address]
        self._fail_calls(link.address)
        return True

    def is_connected(self, address: Address) -> bool:
        """Whether the device is online."""
        return address in self._links

    def count_devices(self) -> int:
        """How many devices are online; modules are not counted."""
        return sum(address.module_id is None for address in self._links)

    def drop(self, address: Address) -> None:
        """Close a device's connection, if it has one: it was deleted or disabled."""
        if link := self._links.get(address):
            link.close()

    def drop_all(self) -> None:
        """Close every connection."""
        for link in list(self._links.values()):
            link.close()

    def accepts_messages(self, address: Address) -> bool:
        """Whether the device is online and has subscribed to cloud-to-device messages."""
        link = self._links.get(address)
        return link is not None and link.accepts_messages

    def deliver(self, message: Message) -> None:
        """Send a message, which is locked, to its device, which accepts messages."""
        self._links[message.address].deliver(message)

    def subscriptions_changed(self, link: Link) -> None:
        """A device has subscribed or unsubscribed; wakes those that wait until it accepts methods."""
        if self._links.get(link.address) is not link or not link.accepts_methods:
            return
        for waiting in self._ready_futures.pop(link.address, ()):
            _settle(waiting, None)

    def accepts_methods(self, address: Address) -> bool:
        """Whether the device is online and has subscribed to methods."""
        link = self._links.get(address)
        return link is not None and link.accepts_methods

    def ready_future(self, address: Address) -> asyncio.Future[None]:
        """A future that is done when the device next starts to accept methods. Cancel it to stop waiting."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready_futures[address].append(waiting)
        waiting.add_done_callback(partial(self._forget_future, address))
        return waiting

    async def wait_until_ready(self, address: Address, timeout_s: float) -> bool:
        """Wait until the device accepts methods; gives whether it did within the time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not self.accepts_methods(address):
            left_s = deadline - loop.time()
            if left_s <= 0:
                return False
            # The device may be gone again before this continues: then the rest of the time is waited.
            await self._wait_for_device(address, left_s)
        return True

    async def invoke(
        self,
        address: Address,
        name: str,
        payload: Json,
        *,
        response_timeout_s: float,
        connect_timeout_s: float,
        job_id: str | None = None,
    ) -> MethodResult:
        """Call a method and wait for the response.

        response_timeout_s: for the whole call, including the wait for the device to connect.
        connect_timeout_s: how long to wait for the device to connect; 0: not at all.
        job_id: the job that calls, for who reads about it; None: an HTTPS request.
        Raises HubError: 404103 offline or disconnected before it responded, 504101 no response in time, 502000 a
        response that cannot be read, 403800 too many calls in flight, 413001 too large.
        """
        text = dump_json(payload)
        size_bytes = len(text.encode())
        if size_bytes > MAX_PAYLOAD_BYTES:
            raise HubError(MESSAGE_TOO_LARGE, f"The payload is larger than {MAX_PAYLOAD_BYTES} bytes.")
        call = self.observations.calls.begin(address, name, payload, size_bytes, job_id)
        try:
            result = await self._call(call, address, name, text, response_timeout_s, connect_timeout_s)
        except HubError as err:
            call.failed(err)
            raise
        except asyncio.CancelledError:
            call.cancelled()
            raise
        call.responded(result.status, result.payload, result.size_bytes)
        return result

    async def _call(
        self, call: Call, address: Address, name: str, text: str, response_timeout_s: float, connect_timeout_s: float
    ) -> MethodResult:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + response_timeout_s
        fault = await self._fault(address, name, response_timeout_s) if self.faults.active else None
        if not await self.wait_until_ready(address, connect_timeout_s):
            raise HubError(
                DEVICE_NOT_ONLINE,
                "Timed out waiting for device to connect." if connect_timeout_s else "The device is not online.",
                info={"timeout": _duration(connect_timeout_s)},
            )
        if self._pending.is_full(address):
            raise HubError(
                DEVICE_MAXIMUM_INFLIGHT_METHOD_EXCEEDED, f"The device has {MAX_IN_FLIGHT} calls in flight already."
            )
        waiter: Waiter = loop.create_future()
        rid = self._pending.add(address, waiter)
        timer = loop.call_at(deadline, _settle, waiter, _timed_out())
        try:
            if not self._links[address].call_method(rid, name, text):
                raise HubError(DEVICE_NOT_ONLINE, "The device has not subscribed to this method.", info={})
            call.sent()
            if fault is not None:
                self._disturb(fault, address, rid)
            outcome = await waiter
        finally:
            timer.cancel()
            self._pending.take(address, rid)
        if isinstance(outcome, HubError):
            raise outcome
        return outcome

    def is_called(self, address: Address, rid: str) -> bool:
        """Whether somebody still waits for the response to this call."""
        return self._pending.has(address, rid)

    def respond(self, address: Address, rid: str, result: MethodResult | HubError) -> None:
        """A device responded to a call; ignored when nobody waits for it. HubError: the response cannot be read."""
        waiter = self._pending.take(address, rid)
        if waiter is not None:
            _settle(waiter, result)

    def notify_desired(self, address: Address, patch: Json, version: int) -> None:
        """Send a change to a device that is online; one that is offline reads its twin when it reconnects."""
        if link := self._links.get(address):
            link.notify_desired(patch, version)

    def _fail_calls(self, address: Address) -> None:
        for waiter in self._pending.take_all(address):
            _settle(
                waiter, HubError(DEVICE_NOT_ONLINE, "Device unavailable: it disconnected while being called.", info={})
            )

    async def _fault(self, address: Address, name: str, limit_s: float) -> InjectedFault | None:
        """Delay a call, and give the fault that happens to it once the device is called, if there is one.

        limit_s: the caller waits no longer.  Raises HubError for a call that is refused, or whose time is over.
        """
        effect = self.faults.effect(Operation.METHOD, address.device_id, name)
        if effect is None:
            return None
        await asyncio.sleep(min(effect.delay_s, limit_s))
        if effect.fault is not None and effect.fault.kind is Kind.STATUS:
            raise effect.fault.refusal()
        if effect.delay_s >= limit_s:
            raise _timed_out()
        return effect.fault

    def _disturb(self, fault: InjectedFault, address: Address, rid: str) -> None:
        """Let a call go wrong that the device has been sent."""
        if fault.kind is Kind.DROP:
            self._links[address].close()
        else:
            self._pending.take(address, rid)  # so that nobody waits for the device's response

    async def _wait_for_device(self, address: Address, limit_s: float) -> None:
        # Timers, not wait_for: before Python 3.12 that loses a cancellation which comes together with the result.
        waiting = self.ready_future(address)
        timer = asyncio.get_running_loop().call_later(limit_s, _settle, waiting, None)
        try:
            await waiting
        finally:
            timer.cancel()

    def _forget_future(self, address: Address, waiting: asyncio.Future[None]) -> None:
        others = [each for each in self._ready_futures.get(address, ()) if each is not waiting]
        if others:
            self._ready_futures[address] = others
        else:
            self._ready_futures.pop(address, None)


def _settle(waiter: asyncio.Future[Result], result: Result) -> None:
    if not waiter.done():
        waiter.set_result(result)


def _timed_out() -> HubError:
    return HubError(GATEWAY_TIMEOUT, "Timed out waiting for the response from device.", info={})


def _duration(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
