"""Who is asked before much is done, and who is not."""

import io
import logging
import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from azext_iotjobs.cli.output.confirm import goes_on
from azext_iotjobs.model.target import HubTarget

CLOUD = HubTarget(host="myhub.azure-devices.net")
LOCAL = HubTarget(host="localhost", https_port=8443, is_local=True)


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, answer: str) -> Iterator[None]:
    """Standard input is a terminal on which this was typed."""
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    with os.fdopen(theirs) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield
    os.close(ours)


@pytest.mark.parametrize(("answer", "goes"), [("y\n", True), ("n\n", False), ("\nn\n", False), ("\x04", False)])
def test_many_devices_of_a_cloud_hub_are_asked_for_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, goes: bool
) -> None:
    with terminal(monkeypatch, answer):
        assert goes_on(CLOUD, 101, "Job a runs again", assume_yes=False) is goes
    assert "Job a runs again on 101 devices of myhub.azure-devices.net: go on?" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("target", "count", "sure", "said"),
    [(LOCAL, 5000, False, False), (CLOUD, 100, False, False), (CLOUD, 101, True, True)],
)
def test_nobody_is_asked_for_few_for_a_local_hub_or_who_is_sure(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    target: HubTarget,
    count: int,
    sure: bool,
    said: bool,
) -> None:
    with terminal(monkeypatch, "n\n"), caplog.at_level(logging.WARNING):
        assert goes_on(target, count, "Job a runs again", assume_yes=sure)
    assert ("myhub.azure-devices.net" in caplog.text) is said


def test_without_a_terminal_it_is_said_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with caplog.at_level(logging.WARNING):
        assert goes_on(CLOUD, 5000, "Job a runs again", assume_yes=False)
    assert "Job a runs again on 5000 devices of myhub.azure-devices.net." in caplog.text
