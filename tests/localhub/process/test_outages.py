"""What keeps the hub from its work is in the log when it begins and when it is over, and does not fill it."""

import logging

import pytest

from azext_iotjobs.localhub.process.outages import SAY_AGAIN_AFTER_S, Troubles


def test_what_comes_and_goes_is_logged_once_in_a_while_with_its_end(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    troubles = Troubles(now_s=lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            troubles.begin("hub.db", "the disk is full", "It goes on.")
            assert [each.what for each in troubles.current()] == ["hub.db"]
            now[0] += 2
            troubles.end("hub.db")
            assert troubles.current() == []
        now[0] += SAY_AGAIN_AFTER_S
        troubles.begin("hub.db", "the disk is full", "It goes on.")
    begun = "hub.db: the disk is full. It goes on."
    assert [each.getMessage() for each in caplog.records] == [
        begun,
        "hub.db: works again, after 2.0 s (the disk is full)",
        begun,
    ]
