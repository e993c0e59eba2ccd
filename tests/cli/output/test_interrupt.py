"""Signals as a wish to end: which count, which are impatience, and which stay ignored."""

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from azext_iotjobs.cli.output.interrupt import ENDS_WITH_STDIN, stopped_by_ctrl_c
from tests.helpers.waiting import LIMIT_S

WISHES = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in WISHES}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def came(*numbers: signal.Signals) -> None:
    for number in numbers:
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", WISHES)
def test_each_is_a_wish_to_end_and_what_was_there_before_is_back_after(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in WISHES]
    with stopped_by_ctrl_c() as stop:
        assert not stop.is_set()
        came(number)
        assert stop.is_set()
    assert [signal.getsignal(each) for each in WISHES] == before


@pytest.mark.parametrize(
    "numbers",
    [
        (signal.SIGHUP, signal.SIGHUP),
        (signal.SIGTERM, signal.SIGHUP),
        (signal.SIGHUP, signal.SIGTERM),
        (signal.SIGINT, signal.SIGHUP, signal.SIGTERM),
    ],
)
def test_an_end_that_is_told_in_several_ways_is_no_impatience(numbers: tuple[signal.Signals, ...]) -> None:
    with stopped_by_ctrl_c() as stop:
        came(*numbers)
        assert stop.is_set()


@pytest.mark.parametrize(
    "numbers",
    [
        (signal.SIGINT, signal.SIGINT),
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGHUP, signal.SIGINT),
        (signal.SIGTERM, signal.SIGINT),
    ],
)
def test_a_second_wish_leaves_at_once(numbers: tuple[signal.Signals, ...]) -> None:
    with stopped_by_ctrl_c(), pytest.raises(KeyboardInterrupt):
        came(*numbers)


def test_what_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stopped_by_ctrl_c() as stop:
        came(signal.SIGHUP)
        assert not stop.is_set()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_command_ends_with_who_started_it_and_what_it_starts_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    monkeypatch.setenv(ENDS_WITH_STDIN, "1")
    with open(ours, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with stopped_by_ctrl_c() as stop:
            assert ENDS_WITH_STDIN not in os.environ and not stop.is_set()
            os.close(theirs)
            assert stop.wait(LIMIT_S)
