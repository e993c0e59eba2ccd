"""What one simulated device prints: headings and blocks on stdout, nothing raw of what others sent."""

import pytest

from azext_iotjobs.cli.simulate.one_device import _print_activity, ending
from azext_iotjobs.simulator.events import Activity, ActivityKind


def printed(capsys: pytest.CaptureFixture[str], what: ActivityKind, **details: object) -> str:
    _print_activity("pump-1", Activity(kind=what, details=details))
    return capsys.readouterr().out


def test_a_cloud_to_device_message_is_shown_with_its_properties(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, ActivityKind.MESSAGE, properties={"$.mid": "1", "k": None}, body="grüß".encode())
    assert "C2D Message Handler [Received C2D message]:" in out
    assert "/devices/pump-1/messages/devicebound" in out
    assert "grüß" in out and "'$.mid': '1'" in out


@pytest.mark.parametrize("body", [b"\x1b[2J\x07", b"\xff\xfe", "\u202e\u0085".encode()])
def test_control_characters_are_escaped(capsys: pytest.CaptureFixture[str], body: bytes) -> None:
    out = printed(capsys, ActivityKind.MESSAGE, properties={}, body=body)
    assert all(character.isprintable() or character == "\n" for character in out)


def test_a_huge_message_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(printed(capsys, ActivityKind.MESSAGE, properties={}, body=b"x" * 10_000_000)) < 200_000


def test_a_twin_patch_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, ActivityKind.DESIRED, patch={"BuildingNo": 45})
    assert "Twin patch handler" in out and "'BuildingNo': 45" in out


@pytest.mark.parametrize(
    ("missing", "was_stopped", "said"),
    [
        (0, False, ""),
        (0, True, ", stopped"),
        (1, True, ", stopped before the hub had answered 1 of them"),
        (2, False, ", 2 of them not acknowledged"),
    ],
)
def test_the_end_names_messages_without_acknowledgement(missing: int, was_stopped: bool, said: str) -> None:
    assert ending(missing, was_stopped=was_stopped) == said
