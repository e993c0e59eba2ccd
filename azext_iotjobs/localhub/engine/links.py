"""Connected devices: who is on line, asking one something and waiting for its answer.

One loop calls all of it. A link is one live connection; the newest of a device is the only one. What waits costs a
future and a timer, no task.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from azext_iotjobs.localhub.errors import (
    DEVICE_MAXIMUM_INFLIGHT_METHOD_EXCEEDED,
    DEVICE_NOT_ONLINE,
    GATEWAY_TIMEOUT,
    MESSAGE_TOO_LARGE,
    HubError,
)
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.job import MAX_PAYLOAD_BYTES
from azext_iotjobs.localhub.rules.json_values import Json, dump_json
from azext_iotjobs.localhub.rules.methods import MAX_IN_FLIGHT, Pending
from azext_iotjobs.localhub.store.messages import Message


@dataclass(frozen=True)
class MethodAnswer:
    """What a device answered."""

    status: int
    payload: Json


class Link(Protocol):
    """One live connection of a device."""

    address: Address

    @property
    def answers_methods(self) -> bool:
        """Whether the device has subscribed to method calls."""

    def call_method(self, rid: str, name: str, payload: str) -> bool:
        """Send a method call, `payload` is JSON text; gives whether the device listens for this method."""

    def notify_desired(self, patch: Json, version: int) -> None:
        """Send a change of desired properties, if the device has subscribed to them."""

    @property
    def accepts_messages(self) -> bool:
        """Whether the device has subscribed to cloud-to-device messages."""

    def deliver(self, message: Message) -> None:
        """Send a message, which is locked for this connection."""

    def close(self, mistake: str | None = None) -> None:
        """End the connection; it detaches itself before this returns.

        mistake: what its client has done wrong, where that is why.
        """


Result = TypeVar("Result")
# A refusal is a result too: an exception nobody looks at, because the caller has just gone, would be logged as a fault.
Waiter = asyncio.Future[MethodAnswer | HubError]


class Links:
    """Every connected device."""

    def __init__(self) -> None:
        self._links: dict[Address, Link] = {}
        self._pending: Pending[Address, Waiter] = Pending()
        self._awaiting: dict[Address, list[asyncio.Future[None]]] = defaultdict(list)

    def attach(self, link: Link) -> None:
        """Take a new connection; an older one of the same device ends first."""
        if older := self._links.get(link.address):
            older.close("another connection came with its client id, which only one may have at a time")
        self._links[link.address] = link
        self.listens(link)

    def detach(self, link: Link) -> bool:
        """A connection has ended; gives whether it was the device's newest, so that the device is off line now."""
        if self._links.get(link.address) is not link:
            return False
        del self._links[link.address]
        self._fail_calls(link.address)
        return True

    def is_connected(self, address: Address) -> bool:
        """Whether the device is on line."""
        return address in self._links

    def count_devices(self) -> int:
        """How many devices are on line; modules are not counted."""
        return sum(address.module_id is None for address in self._links)

    def drop(self, address: Address) -> None:
        """End a device's connection, if it has one: it was deleted or disabled."""
        if link := self._links.get(address):
            link.close()

    def drop_all(self) -> None:
        """End every connection."""
        for link in list(self._links.values()):
            link.close()

    def accepts_messages(self, address: Address) -> bool:
        """Whether the device is on line and listens for cloud-to-device messages."""
        link = self._links.get(address)
        return link is not None and link.accepts_messages

    def deliver(self, message: Message) -> None:
        """Send a device that accepts messages one that is locked for it."""
        self._links[message.address].deliver(message)

    def listens(self, link: Link) -> None:
        """What a device listens to has changed: if it is methods, whoever waited for that goes on."""
        if self._links.get(link.address) is not link or not link.answers_methods:
            return
        for waiting in self._awaiting.pop(link.address, ()):
            _settle(waiting, None)

    def is_answering(self, address: Address) -> bool:
        """Whether the device is on line and listens for methods."""
        link = self._links.get(address)
        return link is not None and link.answers_methods

    def arrival(self, address: Address) -> asyncio.Future[None]:
        """A future that is done when the device next comes to be answering. Cancel it to wait no more."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaiting[address].append(waiting)
        waiting.add_done_callback(partial(self._stop_awaiting, address))
        return waiting

    async def wait_until_answering(self, address: Address, timeout_s: float) -> bool:
        """Wait until the device is on line and listens for methods; gives whether that came true."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not self.is_answering(address):
            left_s = deadline - loop.time()
            if left_s <= 0:
                return False
            # It may be gone again before this goes on: then there is time left to wait.
            await self._next_arrival(address, left_s)
        return True

    async def invoke(
        self, address: Address, name: str, payload: Json, *, response_timeout_s: float, connect_timeout_s: float
    ) -> MethodAnswer:
        """Call a method and wait for the answer.

        response_timeout_s: the whole budget, waiting for the device to connect included.
        Raises HubError: 404103 off line or gone before it answered, 504101 no answer in time, 502000 an answer that is
        none, 403800 too many calls in flight, 413001 too large.
        """
        text = dump_json(payload)
        if len(text.encode()) > MAX_PAYLOAD_BYTES:
            raise HubError(MESSAGE_TOO_LARGE, f"The payload is larger than {MAX_PAYLOAD_BYTES} bytes.")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + response_timeout_s
        if not await self.wait_until_answering(address, connect_timeout_s):
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
        late = HubError(GATEWAY_TIMEOUT, "Timed out waiting for the response from device.", info={})
        timer = loop.call_at(deadline, _settle, waiter, late)
        try:
            if not self._links[address].call_method(rid, name, text):
                raise HubError(DEVICE_NOT_ONLINE, "The device has not subscribed to this method.", info={})
            outcome = await waiter
        finally:
            timer.cancel()
            self._pending.take(address, rid)
        if isinstance(outcome, HubError):
            raise outcome
        return outcome

    def answer(self, address: Address, rid: str, answer: MethodAnswer | HubError) -> None:
        """A device answered; an answer that nobody waits for is dropped. A HubError says why its answer is none."""
        waiter = self._pending.take(address, rid)
        if waiter is not None:
            _settle(waiter, answer)

    def notify_desired(self, address: Address, patch: Json, version: int) -> None:
        """Tell a device that is on line of a change; one that is not will ask when it comes back."""
        if link := self._links.get(address):
            link.notify_desired(patch, version)

    def _fail_calls(self, address: Address) -> None:
        for waiter in self._pending.take_all(address):
            _settle(waiter, HubError(DEVICE_NOT_ONLINE, "The device disconnected while being called.", info={}))

    async def _next_arrival(self, address: Address, limit_s: float) -> None:
        # Timers, not wait_for: before Python 3.12 that loses a cancellation which comes together with the result.
        waiting = self.arrival(address)
        timer = asyncio.get_running_loop().call_later(limit_s, _settle, waiting, None)
        try:
            await waiting
        finally:
            timer.cancel()

    def _stop_awaiting(self, address: Address, waiting: asyncio.Future[None]) -> None:
        others = [each for each in self._awaiting.get(address, ()) if each is not waiting]
        if others:
            self._awaiting[address] = others
        else:
            self._awaiting.pop(address, None)


def _settle(waiter: asyncio.Future[Result], result: Result) -> None:
    if not waiter.done():
        waiter.set_result(result)


def _duration(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
