import json
import os
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.output.event_file import check_event_file
from azext_iotjobs.cli.simulate.event_log import MAX_VALUE, EventFile
from azext_iotjobs.cli.simulate.expectation_texts import parse_expectation
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.simulator.events import Activity, ActivityKind, Moment
from azext_iotjobs.simulator.expectations import Verdict

NOW = Moment(5.0, datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=1))))
STAMP = "2026-11-21T11:00:00.250000Z"
CALL = Activity(kind=ActivityKind.METHOD, details={"rid": "1", "name": "reboot", "payload": {"x": 1}})
SENT = Activity(kind=ActivityKind.SENT, details={"number": 1, "count": 3})


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def written(path: Path, activity: Activity, device: str = "d") -> dict[str, Any]:
    events = EventFile(str(path), overwrites=True)
    events.add(device, activity, NOW)
    events.close()
    (line,) = lines(path)
    return line


@pytest.mark.parametrize(
    ("what", "details", "line"),
    [
        (ActivityKind.READY, {}, {"event": "ready"}),
        (ActivityKind.METHOD, CALL.details, {"event": "method", "rid": "1", "name": "reboot", "payload": {"x": 1}}),
        (
            ActivityKind.ANSWER,
            {"rid": "1", "name": "reboot", "status": 200, "payload": None},
            {"event": "answer", "rid": "1", "name": "reboot", "status": 200, "payload": None},
        ),
        (ActivityKind.DESIRED, {"patch": {"a": [1]}}, {"event": "desired", "patch": {"a": [1]}}),
        (
            ActivityKind.MESSAGE,
            {"properties": {"k": None}, "body": "né".encode()},
            {"event": "message", "properties": {"k": None}, "body": "né"},
        ),
        (
            ActivityKind.MESSAGE,
            {"properties": {}, "body": b"\xff\x00"},
            {"event": "message", "properties": {}, "bodyBase64": "/wA="},
        ),
        (ActivityKind.SENT, SENT.details, {"event": "sent", "number": 1}),
        (ActivityKind.LOST, {"retry_in_s": 1.5}, {"event": "lost", "retryInSeconds": 1.5}),
        (
            ActivityKind.NOT_CONNECTED,
            {"retry_in_s": 1.5, "reason": "no way"},
            {"event": "not-connected", "retryInSeconds": 1.5, "reason": "no way"},
        ),
    ],
)
def test_each_activity_is_a_line(
    tmp_path: Path, what: ActivityKind, details: dict[str, Any], line: dict[str, Any]
) -> None:
    assert written(tmp_path / "e", Activity(kind=what, details=details)) == {"at": STAMP, "device": "d", **line}


def test_what_devices_send_is_cut_and_escaped(tmp_path: Path) -> None:
    payload = {"x": "é\x1b[31m" * 10_000}
    line = written(
        tmp_path / "e", Activity(kind=ActivityKind.METHOD, details={**CALL.details, "payload": payload}), 'd"\n\x1b'
    )
    assert line["device"] == 'd"\n\x1b'
    whole = json.dumps(payload)
    assert (line["payload"], line["payloadCutFrom"]) == (whole[:MAX_VALUE], len(whole))
    assert b"\x1b" not in (tmp_path / "e").read_bytes()
    assert (tmp_path / "e").stat().st_size < 3 * MAX_VALUE


def test_what_a_device_received_is_in_the_file_at_once_and_behind_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "e"
    events = EventFile(str(path), overwrites=False)
    events.add("d", SENT, NOW)
    assert lines(path) == [], "nobody waits for that"
    events.add("d", CALL, NOW)
    assert [line["event"] for line in lines(path)] == ["sent", "method"]
    events.add("d", SENT, NOW)
    events.flush()
    assert [line["event"] for line in lines(path)] == ["sent", "method", "sent"]
    events.close()


def test_buffered_lines_do_not_pile_up(tmp_path: Path) -> None:
    path = tmp_path / "e"
    events = EventFile(str(path), overwrites=False)
    for _ in range(2000):
        events.add("d", SENT, NOW)
    assert len(lines(path)) > 900
    events.close()
    assert len(lines(path)) == 2000


def test_a_verdict_names_every_device_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "e"
    events = EventFile(str(path), overwrites=False)
    missing = [f"d{number}" for number in range(500)]
    expectation = parse_expectation("method x on all")
    events.add_verdict(
        Verdict(
            expectation=expectation,
            came_true=False,
            after_s=1,
            reason="not in time",
            needed_count=500,
            held_count=0,
            missing=missing,
            missing_count=500,
        ),
        NOW,
    )
    events.close()
    first, *rest = lines(path)
    assert first == {"at": STAMP, "event": "verdict", "expectation": "method x on all", "cameTrue": False}
    assert [line["device"] for line in rest] == missing
    assert {(line["event"], line["expectation"]) for line in rest} == {("missing", "method x on all")}


def test_a_file_that_is_there_stays_as_it_is_unless_it_may_be_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "e"
    path.write_text("precious")
    for attempt in (
        lambda: check_event_file(str(path), overwrites=False),
        lambda: EventFile(str(path), overwrites=False),
    ):
        with pytest.raises(ConflictingChoice, match="already exists") as raised:
            attempt()
        assert "--overwrite" in str(raised.value.hint)
        assert path.read_text() == "precious"
    check_event_file(str(path), overwrites=True)
    assert path.read_text() == "precious", "a check changes nothing"
    assert written(path, CALL)["event"] == "method"


@pytest.mark.parametrize("name", ["-", "", ".", "no/such/folder/e"])
def test_what_cannot_be_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadValue, match="--events"):
        check_event_file(name, overwrites=True)
    with pytest.raises(BadValue, match="--events"):
        EventFile(name, overwrites=True)


def test_a_full_disk_ends_the_run_with_an_error() -> None:
    events = EventFile("/dev/full", overwrites=False)
    with pytest.raises(BadValue, match="/dev/full cannot be written: No space left"):
        events.add("d", CALL, NOW)
    events.close()


def test_a_pipe_to_another_program_is_written_to_and_one_that_nobody_reads_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(BadValue, match="cannot be written"):
        EventFile(str(path), overwrites=False)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    read: list[bytes] = []
    thread = threading.Thread(target=lambda: read.extend(iter(lambda: os.read(reader, 65536), b"")))
    events = EventFile(str(path), overwrites=False)
    thread.start()
    for _ in range(2000):
        events.add("d", CALL, NOW)
    events.close()
    thread.join(30)
    os.close(reader)
    assert b"".join(read).count(b'"event": "method"') == 2000
