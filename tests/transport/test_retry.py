import pytest

from azext_iotjobs.transport import retry
from azext_iotjobs.transport.retry import AfterRefusal, after_refusal


def pause(status: int, **changes: object) -> float | None:
    parts: dict[str, object] = {
        "hub_code": None,
        "retry_after_s": None,
        "tries": 1,
        "may_repeat": True,
        "chance": 0.0,
        **changes,
    }
    return retry.pause_after_answer(status=status, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "ThrottleBacklogLimitExceeded", "ThrottlingBacklogTimeout", None]
)
@pytest.mark.parametrize("may_repeat", [True, False])
def test_throttling_is_waited_out_for_every_request(code: str | None, may_repeat: bool) -> None:
    assert pause(429, hub_code=code, may_repeat=may_repeat) == 10
    assert pause(429, hub_code=code, may_repeat=may_repeat, chance=1.0) == 15


def test_a_taken_job_slot_is_not_waited_out() -> None:
    assert pause(429, hub_code="ThrottlingMaxActiveJobCountExceeded") is None


def test_what_the_hub_asks_for_is_kept_to() -> None:
    assert pause(429, retry_after_s=3.0, chance=1.0) == 3.0


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_is_repeated_only_where_that_is_safe_and_three_times(status: int) -> None:
    assert [pause(status, tries=tries) for tries in (1, 2, 3, 4)] == [1, 2, 4, None]
    assert pause(status, may_repeat=False) is None


@pytest.mark.parametrize("status", [200, 204, 400, 401, 403, 404, 405, 409, 412, 501])
def test_every_other_answer_stands(status: int) -> None:
    assert pause(status) is None


def test_a_devices_pauses_double_up_to_a_minute_and_chance_spreads_them() -> None:
    assert [retry.reconnect_pause(tries=tries, chance=0.0) for tries in (1, 2, 3, 6, 7, 10_000)] == [
        1,
        2,
        4,
        32,
        60,
        60,
    ]
    assert retry.reconnect_pause(tries=7, chance=1.0) == 30


@pytest.mark.parametrize("refusals", [1, 2, 3])
@pytest.mark.parametrize("was_in", [True, False])
@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5])
def test_what_follows_a_refused_connection(code: int, was_in: bool, refusals: int) -> None:
    expected = AfterRefusal.GIVE_UP
    if code == 3:
        expected = AfterRefusal.BACK_OFF
    elif code in (4, 5) and was_in and refusals == 1:
        expected = AfterRefusal.TRY_AGAIN
    assert after_refusal(code, refusals=refusals, was_in=was_in) is expected


@pytest.mark.parametrize(
    ("own", "every", "failing_s", "expected"),
    [(1, 1, 0.0, False), (2, 2, 100.0, False), (3, 3, 0.1, True), (1, 500, 2.9, False), (1, 500, 3.0, True)],
)
def test_when_a_hub_that_was_never_reached_is_given_up(own: int, every: int, failing_s: float, expected: bool) -> None:
    assert retry.is_unreachable(own_tries=own, all_tries=every, failing_s=failing_s) is expected


def test_a_busy_hub_is_left_alone_for_longer_and_longer() -> None:
    assert [retry.busy_pause(tries=tries, chance=0.0) for tries in (1, 4, 5, 9)] == [10, 10, 16, 60]
    assert retry.busy_pause(tries=1, chance=1.0) == 15


def test_three_links_in_a_row_that_ended_early_look_like_a_second_client() -> None:
    assert [retry.is_perhaps_taken_over(count) for count in range(5)] == [False, False, False, True, True]
    assert [retry.is_short(seconds) for seconds in (-float("inf"), 0.0, 29.9, 30.0, 1e6)] == [True] * 3 + [False] * 2


def test_pings_are_spread_and_none_is_later_than_was_promised() -> None:
    assert [retry.keep_alive_s(chance) for chance in (0.0, 0.5, 1.0)] == [60, 52, 45]
