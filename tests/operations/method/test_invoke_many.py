"""Many calls at once: what becomes of each when the hub throttles, breaks off, refuses, or someone presses Ctrl-C."""

import itertools
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import (
    AnswerTooLate,
    BadValue,
    CannotConnect,
    IotJobsError,
    LinkLost,
    NotTrusted,
    Throttled,
    Unauthorized,
)
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import parse_success_status
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.method.invoke_many import CallMany, CallPlan
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.clock_double import ClockDouble
from tests.helpers.transport_double import TransportDouble, response

SUCCESS = parse_success_status("200-399")
OK = response({"status": 200, "payload": {"ok": True}})
OFFLINE = response({"Message": "{}"}, status=404, iothub_errorcode="DeviceNotOnline")
THROTTLED = response({"Message": "slow down"}, status=429, iothub_errorcode="ThrottlingBacklogTimeout")
REFUSED = response({"Message": "no"}, status=401, iothub_errorcode="IotHubUnauthorizedAccess")


def code(status: int, hub_code: str, **headers: str) -> Response:
    return response({"Message": "because"}, status=status, iothub_errorcode=hub_code, **headers)


class Round:
    """One round against a hub that is a function of the device's id; threads are real, time is not."""

    def __init__(self, answer: Callable[[str], Response], **plan: Any) -> None:
        self.stop = threading.Event()
        self.clock = ClockDouble()
        self.said: list[str] = []
        self.transport = TransportDouble(lambda request: answer(device_of(request)))
        self.run = CallMany(
            HubClient(HubTarget(host="h"), self.transport),
            CallPlan(call=MethodCall(name="m"), success=SUCCESS, **plan),
            self.clock,
            self.stop,
            self.said.append,
        )

    def on(self, devices: Iterable[str]) -> dict[str, DeviceResult]:
        rows = list(self.run.rows(Address(each) for each in devices))
        assert len({row.device_id for row in rows}) == len(rows)
        return {row.device_id: row for row in rows}

    @property
    def calls(self) -> Counter[str]:
        return Counter(map(device_of, self.transport.requests))


def device_of(request: Request) -> str:
    found = re.fullmatch(r"/twins/([^/]+)/methods", request.path)
    assert found is not None
    return found[1]


def raising(error: IotJobsError) -> Response:
    raise error


def by_turn(*answers: Response | IotJobsError) -> Callable[[str], Response]:
    """These answers one after the other, the last for good; whoever asks."""
    left = itertools.chain(answers, itertools.repeat(answers[-1]))
    lock = threading.Lock()

    def answer(_device: str) -> Response:
        with lock:
            given = next(left)
        return raising(given) if isinstance(given, IotJobsError) else given

    return answer


@pytest.mark.parametrize("concurrency", [1, 7, 200])
def test_each_device_is_called_once_and_has_its_row(concurrency: int) -> None:
    answers = {"a": OK, "b": OFFLINE, "c": code(404, "DeviceNotFound"), "d": response({"status": 500, "payload": 1})}
    answers["e"] = code(504, "GatewayTimeout")
    made = Round(lambda device: answers.get(device, OK), concurrency=concurrency)
    rows = made.on(["a", "b", "c", "d", "e", *(f"x{number}" for number in range(100))])
    assert set(made.calls.values()) == {1} and len(rows) == 105 and made.run.ended_by is None
    assert (rows["a"].status, rows["a"].method_status, rows["a"].payload) == ("completed", 200, {"ok": True})
    assert {name: rows[name].error_class for name in "abcde"} == {
        "a": None,
        "b": ErrorClass.OFFLINE,
        "c": ErrorClass.NOT_FOUND,
        "d": ErrorClass.REJECTED,
        "e": ErrorClass.TIMEOUT,
    }
    assert made.clock.slept == []


def test_as_many_calls_as_allowed_are_under_way_at_once() -> None:
    meeting = threading.Barrier(8)

    def answer(_device: str) -> Response:
        meeting.wait(20)  # breaks the test unless eight are here together
        return OK

    assert len(Round(answer, concurrency=8).on(map(str, range(32)))) == 32


def test_a_rate_is_kept_to() -> None:
    made = Round(lambda _device: OK, rate=4.0)
    made.on(map(str, range(41)))
    assert 9.5 < made.clock.passed_s < 10.5


def test_ids_are_asked_for_as_places_become_free() -> None:
    taken = 0

    def ids() -> Iterator[str]:
        nonlocal taken
        for number in range(1_000):
            taken += 1
            yield str(number)

    made = Round(lambda _device: OK, concurrency=3)
    rows = made.run.rows(map(Address, ids()))
    for _ in range(5):
        next(rows)
    assert taken <= 5 + 3


def test_a_storm_of_429_is_ridden_out_by_all_together_and_nobody_is_left_out_or_called_twice() -> None:
    made = Round(by_turn(OK, OK, *[THROTTLED] * 12, OK), concurrency=10)
    rows = made.on(map(str, range(50)))
    assert len(rows) == 50 and all(row.method_status == 200 for row in rows.values())
    assert sum(made.calls.values()) == 62
    assert len(made.said) <= 4 and "429" in made.said[0]
    assert 10 <= made.clock.passed_s


def test_what_the_hub_asks_to_wait_is_waited() -> None:
    made = Round(by_turn(response({}, status=429, retry_after="33"), OK), concurrency=1)
    assert len(made.on("a")) == 1
    assert made.clock.passed_s == pytest.approx(33)


def test_a_hub_that_throttles_for_good_ends_the_round_after_two_minutes() -> None:
    made = Round(lambda device: OK if device == "0" else THROTTLED, concurrency=2)
    assert set(made.on(map(str, range(20)))) == {"0"}
    assert isinstance(made.run.ended_by, Throttled)
    assert 120 < made.clock.passed_s < 180


@pytest.mark.parametrize("error", [LinkLost("The connection broke."), AnswerTooLate("No answer.", waited_s=75)])
def test_a_call_that_may_have_arrived_is_not_made_again_and_says_so(error: IotJobsError) -> None:
    made = Round(lambda device: raising(error) if device == "b" else OK, concurrency=2)
    rows = made.on("abc")
    assert made.calls == {"a": 1, "b": 1, "c": 1}
    assert (rows["b"].error_class, rows["b"].error_code) == (ErrorClass.OTHER, type(error).__name__)
    assert "may have been called" in str(rows["b"].error_text)


def test_a_hub_in_trouble_is_not_hammered_and_a_call_is_not_made_again() -> None:
    made = Round(lambda _device: code(503, "ServerBusy"), concurrency=1)
    rows = made.on(map(str, range(100)))
    assert len(rows) == 4 and set(made.calls.values()) == {1}
    assert made.run.ended_by is not None and made.clock.passed_s == pytest.approx(7)


def test_a_connection_that_was_never_opened_is_tried_again() -> None:
    made = Round(by_turn(OK, CannotConnect("no way"), CannotConnect("no way"), OK), concurrency=1)
    assert len(made.on("abc")) == 3
    assert sum(made.calls.values()) == 5 and made.clock.passed_s == pytest.approx(3)


@pytest.mark.parametrize("error", [CannotConnect("no way"), NotTrusted("a stranger")])
def test_without_a_way_to_the_hub_the_round_ends(error: IotJobsError) -> None:
    made = Round(lambda _device: raising(error), concurrency=1)
    assert made.on(map(str, range(1000))) == {}
    assert made.run.ended_by is error and sum(made.calls.values()) <= 4


def test_a_refusal_of_the_caller_in_the_middle_ends_the_round_and_keeps_the_rows() -> None:
    held = threading.Event()

    def answer(device: str) -> Response:
        if device == "slow":
            assert held.wait(20)
        elif device == "9":
            held.set()
            return REFUSED
        return OK

    made = Round(answer, concurrency=2)
    rows = made.on(["slow", *map(str, range(10)), *(f"never{number}" for number in range(50))])
    assert isinstance(made.run.ended_by, Unauthorized)
    assert {"slow", *map(str, range(9))} <= set(rows), "a call under way is awaited"
    assert len(made.calls) <= 13


@pytest.mark.parametrize("hub_code", ["DeviceMaximumInflightMethodExceeded", "DeviceDisabled"])
def test_a_403_that_is_about_one_device_is_its_row(hub_code: str) -> None:
    made = Round(lambda device: code(403, hub_code) if device == "b" else OK)
    rows = made.on("abc")
    assert (rows["b"].error_code, made.run.ended_by) == (hub_code, None) and len(rows) == 3


def test_after_ctrl_c_no_call_begins_and_those_under_way_are_awaited() -> None:
    made = Round(lambda _device: OK, concurrency=4)
    answer = made.transport._answer
    began = itertools.count(1)

    def stopping(request: Request) -> Response:
        if next(began) == 10:
            made.stop.set()
        return answer(request)

    made.transport._answer = stopping
    rows = made.on(map(str, range(1000)))
    assert 10 <= len(rows) == len(made.transport.requests) <= 14
    assert made.run.in_flight_count == 0


def test_ctrl_c_ends_a_pause_too() -> None:
    made = Round(by_turn(THROTTLED), concurrency=1)
    sleep = made.clock.sleep

    def stopping(seconds: float) -> None:
        sleep(seconds)
        made.stop.set()

    made.clock.sleep = stopping  # type: ignore[method-assign]
    assert made.on("abc") == {}
    assert made.clock.passed_s <= 0.5


def test_rows_stay_when_the_next_ids_do_not_come() -> None:
    def ids() -> Iterator[str]:
        yield from "abc"
        raise LinkLost("gone")

    made = Round(lambda _device: OK)
    assert set(made.on(ids())) == {"a", "b", "c"}
    assert isinstance(made.run.ended_by, LinkLost)


@pytest.mark.parametrize("plan", [{"concurrency": 0}, {"concurrency": 201}, {"rate": 0.0}, {"rate": float("nan")}])
def test_numbers_that_mean_nothing_are_refused(plan: dict[str, Any]) -> None:
    with pytest.raises(BadValue, match="^(concurrency|rate) "):
        CallPlan(call=MethodCall(name="m"), success=SUCCESS, **plan)
