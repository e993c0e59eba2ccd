"""Who is on line, and methods: sent when the device listens, answered once, ended in time."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from azext_iotjobs.localhub.engine.faults import Faults, ListedFault
from azext_iotjobs.localhub.engine.links import Links, MethodResult
from azext_iotjobs.localhub.errors import BAD_GATEWAY, HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.fault import read_fault
from azext_iotjobs.localhub.rules.methods import MAX_IN_FLIGHT
from azext_iotjobs.localhub.store.messages import Message
from tests.helpers.moved_loop import HandClock, MovedLoop, run, turns

PUMP = Address("pump-1")


@dataclass(eq=False)
class Wire:
    """A link that keeps what goes down it."""

    links: Links
    address: Address = PUMP
    accepts_methods: bool = True
    accepts_messages: bool = False
    hears: bool = True
    called: list[tuple[str, str, str]] = field(default_factory=list)
    notified: list[tuple[Any, int]] = field(default_factory=list)
    is_closed: bool = False

    def call_method(self, rid: str, name: str, payload: str) -> bool:
        self.called.append((rid, name, payload))
        return self.hears

    def notify_desired(self, patch: Any, version: int) -> None:
        if self.hears:
            self.notified.append((patch, version))

    def deliver(self, message: Message) -> None:
        raise AssertionError("it accepts no messages")

    def close(self, client_error: str | None = None) -> None:
        self.is_closed = True
        self.links.detach(self)


def invoke(links: Links, payload: Any = None, *, response_s: float = 30, connect_s: float = 0) -> asyncio.Task[Any]:
    call: Coroutine[Any, Any, MethodResult] = links.invoke(
        PUMP, "reboot", payload, response_timeout_s=response_s, connect_timeout_s=connect_s
    )
    return asyncio.get_running_loop().create_task(call)


async def number(task: asyncio.Task[Any]) -> int:
    """The service's number of the error that a call ended with."""
    with pytest.raises(HubError) as caught:
        await task
    return caught.value.fault.number


def attached(links: Links, **fields: Any) -> Wire:
    wire = Wire(links, **fields)
    links.attach(wire)
    return wire


def test_a_method_goes_down_and_its_answer_comes_back() -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        wire = attached(links)
        call = invoke(links, {"delay": 5})
        await turns()
        ((rid, name, payload),) = wire.called
        assert (name, payload) == ("reboot", '{"delay":5}')
        links.respond(PUMP, rid, MethodResult(201, {"ok": True}))
        assert await call == MethodResult(201, {"ok": True})

    run(main)


def test_no_payload_goes_down_as_null() -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        wire = attached(links)
        invoke(links)
        await turns()
        assert wire.called[0][2] == "null"

    run(main)


def test_late_repeated_and_foreign_answers_change_nothing() -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        wire = attached(links)
        attached(links, address=Address("pump-2"))
        call = invoke(links)
        await turns()
        rid = wire.called[0][0]
        links.respond(Address("pump-2"), rid, MethodResult(500, "foreign"))
        links.respond(PUMP, "999", MethodResult(500, "unknown"))
        await turns()
        assert not call.done()
        links.respond(PUMP, rid, MethodResult(200, "first"))
        links.respond(PUMP, rid, MethodResult(500, "second"))
        assert await call == MethodResult(200, "first")
        links.respond(PUMP, rid, MethodResult(500, "late"))

    run(main)


@pytest.mark.parametrize("is_subscribed", [None, False], ids=["off line", "not listening"])
def test_a_device_that_is_not_there_fails_at_once_without_a_connect_timeout(is_subscribed: bool | None) -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        wire = None if is_subscribed is None else attached(links, accepts_methods=is_subscribed)
        call = invoke(links, connect_s=0)
        await turns()
        assert await number(call) == 404103
        assert wire is None or wire.called == []

    run(main)


def test_a_device_that_stays_away_fails_when_the_connect_timeout_is_over_and_says_how_long_that_was() -> None:
    async def main(loop: MovedLoop) -> None:
        links = Links()
        call = invoke(links, connect_s=10)
        await turns()
        loop.advance(9)
        await turns()
        assert not call.done()
        loop.advance(2)
        await turns(10)
        assert call.done()
        with pytest.raises(HubError) as caught:
            await call
        assert caught.value.fault.number == 404103
        assert caught.value.info == {"timeout": "00:00:10"}

    run(main)


def test_a_device_that_comes_in_time_and_subscribes_is_called() -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        call = invoke(links, connect_s=10)
        await turns()
        wire = attached(links, accepts_methods=False)
        await turns()
        assert wire.called == []
        wire.accepts_methods = True
        links.subscriptions_changed(wire)
        await turns()
        links.respond(PUMP, wire.called[0][0], MethodResult(200, None))
        assert await call == MethodResult(200, None)

    run(main)


def test_a_device_that_disconnects_before_the_call_is_sent_is_still_awaited() -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        call = invoke(links, connect_s=10)
        await turns()
        attached(links).close()
        await turns()
        assert not call.done()
        wire = attached(links)
        await turns()
        links.respond(PUMP, wire.called[0][0], MethodResult(200, None))
        assert await call == MethodResult(200, None)

    run(main)


def test_waiting_for_the_device_counts_inside_the_response_timeout() -> None:
    async def main(loop: MovedLoop) -> None:
        links = Links()
        call = invoke(links, response_s=30, connect_s=25)
        await turns()
        loop.advance(20)
        attached(links)
        await turns()
        loop.advance(9)
        await turns()
        assert not call.done()
        loop.advance(2)
        await turns(10)
        assert call.done()
        with pytest.raises(HubError) as caught:
            await call
        assert caught.value.fault.number == 504101
        assert caught.value.info == {}

    run(main)


def test_a_device_that_leaves_fails_the_calls_it_has_not_answered() -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        wire = attached(links)
        call = invoke(links)
        await turns()
        wire.close()
        with pytest.raises(HubError, match="Device unavailable") as caught:
            await call
        assert caught.value.fault.number == 404103
        assert not links.is_connected(PUMP)

    run(main)


def test_the_caller_learns_of_an_unreadable_answer() -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        wire = attached(links)
        call = invoke(links)
        await turns()
        links.respond(PUMP, wire.called[0][0], HubError(BAD_GATEWAY, "Not JSON.", info={}))
        assert await number(call) == 502000

    run(main)


def test_a_method_that_the_device_has_not_subscribed_to_fails_at_once() -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        attached(links, hears=False)
        assert await number(invoke(links)) == 404103

    run(main)


def test_one_call_above_the_cap_is_refused_and_the_others_go_on() -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        wire = attached(links)
        calls = [invoke(links) for _ in range(MAX_IN_FLIGHT)]
        await turns()
        assert await number(invoke(links)) == 403800
        assert len(wire.called) == MAX_IN_FLIGHT
        for rid, _, _ in wire.called:
            links.respond(PUMP, rid, MethodResult(200, None))
        assert {(await call).status for call in calls} == {200}

    run(main)


def test_a_payload_that_is_too_large_is_refused_and_nothing_goes_down() -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        wire = attached(links)
        assert await number(invoke(links, "x" * (128 * 1024 - 1))) == 413001  # two quotation marks more
        assert wire.called == []
        invoke(links, "x" * (128 * 1024 - 2))
        await turns()
        assert len(wire.called) == 1

    run(main)


def test_a_caller_that_goes_leaves_room_for_others() -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        wire = attached(links)
        calls = [invoke(links) for _ in range(MAX_IN_FLIGHT)]
        await turns()
        for call in calls:
            call.cancel()
        await turns()
        call = invoke(links)
        await turns()
        links.respond(PUMP, wire.called[0][0], MethodResult(200, "late"))
        links.respond(PUMP, wire.called[-1][0], MethodResult(200, "in time"))
        assert (await call).payload == "in time"

    run(main)


def test_a_call_that_is_cancelled_just_as_the_answer_comes_is_cancelled() -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        wire = attached(links)
        call = invoke(links)
        await turns()
        links.respond(PUMP, wire.called[0][0], MethodResult(200, None))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    run(main)


def test_who_stops_waiting_just_as_the_device_comes_has_stopped() -> None:
    async def main(loop: MovedLoop) -> None:
        links = Links()
        waiting = loop.create_task(links.wait_until_ready(PUMP, 1000))
        await turns()
        attached(links)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(main)


def test_a_new_connection_closes_the_older_one_and_fails_its_calls() -> None:
    async def main(_loop: MovedLoop) -> None:
        links = Links()
        older = attached(links)
        call = invoke(links)
        await turns()
        newer = attached(links)
        assert older.is_closed and not newer.is_closed
        assert await number(call) == 404103
        links.respond(PUMP, older.called[0][0], MethodResult(200, "over the newer one"))
        assert links.count_devices() == 1

    run(main)


def test_an_older_connection_that_ends_late_takes_nothing_from_the_newer_one() -> None:
    links = Links()
    older = attached(links)
    attached(links)
    assert not links.detach(older)
    assert links.is_connected(PUMP)


def test_dropping_closes_one_device_and_leaves_the_others() -> None:
    links = Links()
    wire, other = attached(links), attached(links, address=Address("pump-2"))
    links.drop(PUMP)
    links.drop(Address("never-seen"))
    assert wire.is_closed and not other.is_closed
    assert not links.is_connected(PUMP) and links.is_connected(Address("pump-2"))


def test_a_module_is_another_address_than_its_device() -> None:
    links = Links()
    attached(links)
    assert not links.is_connected(Address("pump-1", "motor"))


def test_a_desired_change_reaches_the_device_that_is_on_line() -> None:
    links = Links()
    wire, other = attached(links), attached(links, address=Address("pump-2"))
    links.notify_desired(PUMP, {"fw": None}, 5)
    links.notify_desired(Address("never-seen"), {"fw": None}, 5)
    assert wire.notified == [({"fw": None}, 5)]
    assert other.notified == []


def test_waiting_for_a_device_ends_when_it_listens_or_when_the_time_is_over() -> None:
    async def main(loop: MovedLoop) -> None:
        links = Links()
        assert await links.wait_until_ready(PUMP, 0) is False
        first = loop.create_task(links.wait_until_ready(PUMP, 1000))
        second = loop.create_task(links.wait_until_ready(PUMP, 10))
        await turns()
        loop.advance(11)
        await turns(10)
        assert second.done() and await second is False
        assert not first.done()
        attached(links)
        assert await first is True
        assert await links.wait_until_ready(PUMP, 0) is True

    run(main)


def going_wrong(**document: Any) -> tuple[Links, ListedFault]:
    faults = Faults(HandClock())
    return Links(faults), faults.add(read_fault(document))


def test_a_method_that_never_answers_has_reached_the_device() -> None:
    async def main(loop: MovedLoop) -> None:
        links, fault = going_wrong(kind="no-answer", method="reboot", times=1)
        wire = attached(links)
        call = invoke(links)
        await turns()
        links.respond(PUMP, wire.called[0][0], MethodResult(200, None))
        await turns()
        assert not call.done()
        loop.advance(30)
        assert await number(call) == 504101
        assert fault.applied == 1

    run(main)


def test_a_late_call_counts_as_time_of_the_caller() -> None:
    async def main(loop: MovedLoop) -> None:
        links, _ = going_wrong(kind="latency", operation="method", delaySeconds=20)
        wire = attached(links)
        call = invoke(links)
        await turns()
        assert wire.called == []
        loop.advance(20)
        await turns()
        links.respond(PUMP, wire.called[0][0], MethodResult(200, None))
        assert await call == MethodResult(200, None)
        links.faults.add(read_fault({"kind": "latency", "operation": "method", "delaySeconds": 10}))
        late = invoke(links)
        await turns()
        loop.advance(30)
        assert await number(late) == 504101
        assert len(wire.called) == 1

    run(main)


def test_a_call_is_refused_with_a_status_or_ends_the_devices_connection() -> None:
    async def main(_loop: MovedLoop) -> None:
        links, _ = going_wrong(kind="status", status=503, method="reboot", device="pump-*", times=1)
        wire = attached(links)
        assert await number(invoke(links)) == 503001
        assert wire.called == []
        links.faults.add(read_fault({"kind": "drop", "operation": "method", "times": 1}))
        assert await number(invoke(links)) == 404103
        assert len(wire.called) == 1
        assert not links.is_connected(PUMP)

    run(main)
