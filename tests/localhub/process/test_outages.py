"""What keeps the hub from its work is in the log when it begins and when it is over, and does not fill it."""

import logging

import pytest

from azext_iotjobs.localhub.process.outages import LOG_AGAIN_AFTER_S, Outages


def test_what_comes_and_goes_is_logged_once_in_a_while_with_its_end(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    outages = Outages(now_s=lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            outages.begin("hub.db", "the disk is full", "It goes on.")
            assert [each.what for each in outages.current()] == ["hub.db"]
            now[0] += 2
            outages.end("hub.db")
            assert outages.current() == []
        now[0] += LOG_AGAIN_AFTER_S
        outages.begin("hub.db", "the disk is full", "It goes on.")
    begun = "hub.db: the disk is full. It goes on."
    assert [each.getMessage() for each in caplog.records] == [
        begun,
        "hub.db: works again, after 2.0 s (the disk is full)",
        begun,
    ]
