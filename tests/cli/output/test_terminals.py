"""What fits a terminal: tables, messages and the line that changes, on real ptys of several widths; and NO_COLOR."""

import fcntl
import logging
import os
import pty
import re
import select
import struct
import termios
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, TextIO

import pytest
from azure.cli.core.style import format_styled_text
from knack.log import _CustomStreamHandler, get_logger
from knack.output import format_table
from knack.util import CommandResultItem

from azext_iotjobs.cli.commands import table_of, view_of
from azext_iotjobs.cli.errors import az_error_of
from azext_iotjobs.cli.local_hub.command import how_to_use
from azext_iotjobs.cli.output import terminals
from azext_iotjobs.cli.output.cells import cell, shortened
from azext_iotjobs.cli.output.exit_code import end_without_result
from azext_iotjobs.cli.output.status_line import StatusLine
from azext_iotjobs.cli.output.table_fitting import narrowed
from azext_iotjobs.cli.output.terminals import broken, cut_between_words, fitted
from azext_iotjobs.model.errors import BadValue, DeviceFailed
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.text import Shell, Text, command

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no ptys")

WIDTHS = (60, 80, 100, 120)
LINE = "batch 3/10 4/11 | all 26/103, 2 failed (offline 2) | 12.3 a second, 6 s left, and more that nobody can see here"
COUNTS = {"total": 103, "pending": 4, "completed": 90, "failed": 6, "uncertain": 3, "byErrorClass": {"offline": 6}}
RUN: dict[str, Any] = {
    "id": "firmware-7-south",
    "run": 12,
    "version": 3,
    "status": "completed",
    "driver": "calls",
    "progress": COUNTS,
    "started": "2026-05-01T08:00:00.000Z",
    "ended": "2026-05-01T08:10:00.000Z",
    "durationSeconds": 600.0,
    "reason": "more devices failed than its threshold allows, which were 5 of 103",
}
JOB = {
    **RUN,
    "displayName": "Firmware of the southern pumps",
    "hub": "myhub.azure-devices.net",
    "action": "method",
    "lastRun": {**RUN, "batchList": [{**RUN, "batch": number} for number in (1, 2, 3)]},
}
ROW = {
    "deviceId": "pump-south-0001",
    "moduleId": "sensor",
    "status": "failed",
    "errorClass": "offline",
    "errorCode": "DeviceNotOnline",
    "errorText": "The device was not online when it was called for the last time.",
    "methodStatus": 504,
    "payload": {"version": 7, "text": "a long answer of a device"},
    "durationSeconds": 12.5,
    "started": "2026-05-01T08:00:00Z",
    "finished": "2026-05-01T08:00:12Z",
    "batch": 3,
    "tries": 2,
}
HUB_JOB = {
    "jobId": "firmware-7-south-abcdefgh-b12",
    "type": "scheduleDeviceMethod",
    "status": "completed",
    "startTime": "2026-05-01T08:00:00Z",
    "endTime": "2026-05-01T08:10:00Z",
    "deviceJobStatistics": {
        "deviceCount": 103,
        "succeededCount": 90,
        "failedCount": 13,
        "runningCount": 0,
        "pendingCount": 0,
    },
}
LOCAL_HUB = {
    "hostName": "localhost:8443",
    "httpsPort": 8443,
    "mqttPort": 8883,
    "pid": 123456,
    "inMemory": True,
    "startedAt": "2026-05-01T08:00:00Z",
    "dataDirectory": "/home/operator/.azure/iotjobs/local-hub",
}
SHOWN = [
    ("iot hub fleet-job list", [JOB], ("Id", "Status", "Failed")),
    ("iot hub fleet-job show", JOB, ("Id", "Batch", "Status", "Failed")),
    ("iot hub fleet-job list-runs", [RUN], ("Id", "Run", "Status", "Failed")),
    ("iot hub fleet-job run", RUN, ("Id", "Run", "Status", "Failed")),
    ("iot hub fleet-job results", [ROW], ("DeviceId", "Status", "ErrorClass")),
    ("iot hub fleet-job results", [ROW | {"deleted": False}], ("DeviceId", "Deleted", "Status")),
    ("iot hub job list", [HUB_JOB], ("JobId", "Status", "Failed")),
    ("iot hub job show", HUB_JOB, ("JobId", "Status", "Failed")),
    ("iot local-hub show", LOCAL_HUB, ("HostName", "HttpsPort")),
    ("iot hub device-identity list", [ROW | {"authenticationType": "sas"}], ("DeviceId", "Status")),
]


@pytest.mark.parametrize(
    ("matters", "less"),
    [("Gate", "Failed"), ("Waiting", "EndedByHub"), ("Next", "ModuleId"), ("What", "ModuleId"), ("Local", "ModuleId")],
)
def test_what_a_run_or_a_schedule_waits_for_matters_more_than_counts(matters: str, less: str) -> None:
    rows = [{"Id": "fw-7", less: "x" * 20, matters: "y" * 20}]
    kept, left_out = narrowed(rows, 34)
    assert list(kept[0]) == ["Id", matters] and left_out == [less]


class Terminal:
    """A pty of some width in the place of a stream of this process; `text` is what came to it."""

    def __init__(self, width: int) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        self.stream: TextIO = os.fdopen(theirs, "w")

    @property
    def text(self) -> str:
        self.stream.flush()
        parts = []
        while select.select([self._ours], [], [], 0.1)[0]:
            parts.append(os.read(self._ours, 65536).decode())
        return "".join(parts).replace("\r\n", "\n")

    def close(self) -> None:
        self.stream.close()
        os.close(self._ours)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, str], Terminal]]:
    made: list[Terminal] = []

    def make(width: int, name: str) -> Terminal:
        made.append(Terminal(width))
        monkeypatch.setattr(f"sys.{name}", made[-1].stream)
        return made[-1]

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield make
    monkeypatch.undo()
    for each in made:
        each.close()


def printed(command: str, result: Any) -> list[str]:
    item = CommandResultItem(result, table_transformer=lambda rows: table_of(command, rows), is_query_active=False)
    return str(format_table(item)).splitlines()


# -- tables ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("command", "result", "first"), SHOWN)
def test_a_table_fits_the_terminal_and_has_what_matters_most(
    terminal: Callable[[int, str], Terminal], width: int, command: str, result: Any, first: tuple[str, ...]
) -> None:
    terminal(width, "stdout")
    lines = printed(command, result)
    assert max(map(len, lines)) <= width, "\n".join(lines)
    assert set(first) <= set(lines[0].split()), lines[0]


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("command", ["list", "show", "create", "wait"])
@pytest.mark.parametrize(
    ("kind", "succeeded"), [("scheduleDeviceMethod", "Answered"), ("scheduleUpdateTwin", "Succeeded")]
)
def test_how_many_succeeded_is_shown_before_what_is_still_to_come(
    terminal: Callable[[int, str], Terminal], width: int, command: str, kind: str, succeeded: str
) -> None:
    terminal(width, "stdout")
    assert succeeded in printed(f"iot hub job {command}", [{**HUB_JOB, "type": kind}])[0].split()


@pytest.mark.parametrize(("command", "result", "first"), SHOWN)
def test_a_table_that_goes_elsewhere_has_its_full_width(command: str, result: Any, first: tuple[str, ...]) -> None:
    headings = printed(command, result)[0].split()
    view = view_of(command)
    assert view is not None
    wanted = view([result] if isinstance(result, dict) else result)
    assert headings == [
        name for name, value in wanted[0].items() if any(row.get(name) not in ("", None) for row in wanted)
    ]


def test_what_is_left_out_is_said_and_a_wider_terminal_leaves_out_less(
    terminal: Callable[[int, str], Terminal], caplog: pytest.LogCaptureFixture
) -> None:
    counts = []
    for width in (*WIDTHS, 250):
        caplog.clear()
        terminal(width, "stdout")
        counts.append(len(printed("iot hub fleet-job list", [JOB])[0].split()))
        assert ("too narrow for: " in caplog.text) is (width < 250)
    assert counts == sorted(counts) and counts[0] < counts[-1]


@pytest.mark.parametrize("width", [1, 5, 20, 40, *WIDTHS, 300])
def test_ids_are_never_cut_and_texts_are_cut_between_words(width: int) -> None:
    typed = "one two three four five six seven eight"
    row = {"DeviceId": "d" * 30, "Status": "failed", "ErrorText": typed, "N": 7}
    rows, left_out = narrowed([row, {**row, "ErrorText": ""}], width)
    assert rows[0]["DeviceId"] == row["DeviceId"] and set(rows[0]) | set(left_out) == set(row)
    text = rows[0].get("ErrorText", "")
    assert text in ("", typed) or re.fullmatch(r"(\w+ )*\w+…", text) and typed.startswith(text[:-1])
    words = text.removesuffix("…").split()
    assert words == typed.split()[: len(words)]


def test_devices_in_progress_stay_longer_than_how_long_it_took() -> None:
    row = {"Id": "x", "Status": "stopped", "InProgress": "10", "Seconds": "14.5"}
    rows, left_out = narrowed([row], 32)
    assert rows[0]["InProgress"] == "10" and left_out == ["Seconds"]


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two…"),
        ("one two three", 8, "one two…"),
        ("one two three", 7, "one…"),
        ("x" * 20, 10, "x" * 9 + "…"),
        ('{"a":1,"bcd":2}', 12, '{"a":1…'),
        ("a bbbbbbbbbbbbbbbbbbbbb", 12, "a bbbbbbbbb…"),
    ],
)
def test_a_cell_ends_between_words_where_it_has_any(text: str, width: int, shown: str) -> None:
    assert shortened(text, width) == shown and len(shown) <= width
    assert cell(text, width) == shown


# -- messages and the line that changes --------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_the_line_that_changes_ends_with_a_whole_word(terminal: Callable[[int, str], Terminal], width: int) -> None:
    seen = terminal(width, "stderr")
    line = StatusLine()
    line.show(LINE)
    shown = seen.text.strip("\r").removesuffix("\x1b[K")
    assert len(shown) < width and LINE.startswith(shown) and re.match(r"[ ,|]|$", LINE[len(shown) :])
    assert len(shown) > width - 20
    line.clear()


@pytest.mark.parametrize("width", WIDTHS)
def test_messages_break_between_words_and_commands_stay_whole(
    terminal: Callable[[int, str], Terminal], width: int
) -> None:
    seen = terminal(width, "stderr")
    handler = _CustomStreamHandler(logging.WARNING, "%(levelname)s: %(message)s", False)
    ours, theirs = get_logger("azext_iotjobs.cli.test"), get_logger("azure.cli.test")
    command = "az iot hub fleet-job resume -j firmware-7-south --state-dir /a/rather/long/folder/of/states"
    parent = logging.getLogger("cli")
    parent.addHandler(handler)
    try:
        terminals.fit_messages()
        ours.warning("Run 12 of fleet job firmware-7-south on myhub is stopped; 103 devices: 90 completed, 13 pending.")
        ours.warning("Not all devices succeeded, as is said above in many words. Go on with it: %s", command)
        theirs.warning("x " * 100)
        get_logger("azure.cli.core.azclierror").error("An error in so many words that they do not fit a line. " * 2)
    finally:
        parent.removeHandler(handler)
    lines = seen.text.splitlines()
    assert command in (each.removeprefix("WARNING: ") for each in lines) or any(
        each.endswith(command) for each in lines
    )
    of_ours = [each for each in lines if "x x" not in each and command not in each]
    assert max(map(len, of_ours)) <= width
    assert " ".join(of_ours).split()[:8] == "WARNING: Run 12 of fleet job firmware-7-south on".split()


@pytest.mark.parametrize("width", WIDTHS)
def test_lines_for_a_shell_stay_whole(terminal: Callable[[int, str], Terminal], width: int) -> None:
    seen = terminal(width, "stderr")
    folder = "/home/an operator with a long name/.azure/iotjobs/local-hub/certificates/of-this-machine"
    document = {
        "hostName": "localhost:8443",
        "caBundlePath": f"{folder}/bundle.pem",
        "caCertificatePath": f"{folder}/ca.pem",
    }
    text = how_to_use(document)
    seen.stream.write(fitted(text))
    lines = seen.text.splitlines()
    assert lines[-2:] == text.split("\n")[1:] and all(each.startswith("  export ") for each in lines[-2:])
    assert broken(f"export A={'x ' * 60}", width) == f"export A={'x ' * 60}"


COMMAND = "az iot hub fleet-job results -j firmware-7-south --state-dir '/a/rather long/folder/of/states'"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("hint", "commands"),
    [
        ("Text stands in 'single quotes', names that are words of the language in [[double brackets]], always.", []),
        (Text("Give the devices a tag and select by that, or see what came of it: ", Shell(COMMAND)), [COMMAND]),
        (Text(Shell(COMMAND), ". Or give the devices a tag and select by that; the condition is shorter."), [COMMAND]),
        (
            Text("First: ", Shell("cp a b"), ". Then, when that is done: ", Shell(COMMAND), "; it takes some minutes."),
            ["cp a b", COMMAND],
        ),
        (
            Text(
                "Change it, if it is yours and nobody else counts on it: ",
                command("iot hub device-identity update", "-d", "ID"),
            ),
            ["az iot hub device-identity update -d ID"],
        ),
    ],
)
def test_a_hint_fits_as_the_error_above_it_does(
    terminal: Callable[[int, str], Terminal], width: int, hint: str, commands: list[str]
) -> None:
    seen = terminal(width, "stderr")
    [shown] = az_error_of(BadValue("seen", hint=hint)).recommendations
    lines = shown.splitlines()
    assert shown == hint or set(commands) <= set(lines), shown
    assert all(len(line) <= width or line in commands for line in lines), shown
    assert not any(line.startswith((".", ";", " ")) for line in lines)
    assert seen.text == ""


def test_a_message_names_two_commands_each_on_a_line_of_its_own(terminal: Callable[[int, str], Terminal]) -> None:
    seen = terminal(80, "stderr")
    handler = _CustomStreamHandler(logging.WARNING, "%(message)s", False)
    logging.getLogger("cli").addHandler(handler)
    try:
        terminals.fit_messages()
        get_logger("azext_iotjobs.cli.test").warning("Which and why: %s. Once more: %s", COMMAND, f"{COMMAND} --on a")
    finally:
        logging.getLogger("cli").removeHandler(handler)
    assert seen.text.splitlines() == ["Which and why:", COMMAND, "Once more:", f"{COMMAND} --on a"]


def test_a_message_that_fits_and_one_that_goes_elsewhere_are_as_they_were() -> None:
    text = "Not all succeeded. Once more: az iot hub fleet-job rerun -j a"
    assert broken(text, len(text)) == text
    assert broken(text, 40) == "Not all succeeded. Once more:\naz iot hub fleet-job rerun -j a"
    handler = _CustomStreamHandler(logging.WARNING, "%(message)s", False)
    record = logging.LogRecord("cli.azext_iotjobs.x", logging.WARNING, "", 0, "word " * 100, None, None)
    logging.getLogger("cli").addHandler(handler)
    try:
        terminals.fit_messages()
        assert handler.format(record) == "word " * 100  # pytest's stderr is no terminal
    finally:
        logging.getLogger("cli").removeHandler(handler)


@pytest.mark.parametrize(
    ("line", "width", "cut"),
    [
        ("one two", 7, "one two"),
        ("one two", 6, "one"),
        ("one two", 3, "one"),
        ("one, two", 5, "one"),
        ("onetwo", 4, "onet"),
        ("1/4 | 9 left | waits", 14, "1/4 | 9 left"),
        ("9 failed (offline 3)", 10, "9 failed"),
    ],
)
def test_a_line_is_cut_between_words(line: str, width: int, cut: str) -> None:
    assert cut_between_words(line, width) == cut


def test_a_hint_is_no_part_of_the_red_error_whatever_ends_the_command(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        end_without_result(DeviceFailed("seen", hint="do this"), Outcome.DEVICES_FAILED, exit_zero=False)
    assert raised.value.code == 4
    assert set(caplog.messages) == {"seen"} and capsys.readouterr().err == "do this\n"


# -- color -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "is_plain"),
    [
        ("NO_COLOR", "1", True),
        ("NO_COLOR", "0", True),
        ("NO_COLOR", "", False),
        ("TERM", "dumb", True),
        ("TERM", "xterm", False),
    ],
)
def test_no_color_and_a_dumb_terminal_are_heeded_in_all_that_az_colors(
    terminal: Callable[[int, str], Terminal], monkeypatch: pytest.MonkeyPatch, name: str, value: str, is_plain: bool
) -> None:
    seen = terminal(80, "stderr")
    monkeypatch.setenv(name, value)
    handler = _CustomStreamHandler(logging.WARNING, "%(message)s", True)
    context = SimpleNamespace(enable_color=True)
    theme = getattr(format_styled_text, "theme", None)
    format_styled_text.theme = "dark"
    logging.getLogger("cli").addHandler(handler)
    try:
        terminals.heed_no_color(context)
        get_logger("azext_iotjobs.cli.test").warning("in color or not")
        get_logger("azure.cli.core.azclierror").error("an error of az's")
        assert (context.enable_color is False) is is_plain and (format_styled_text.theme == "none") is is_plain
    finally:
        logging.getLogger("cli").removeHandler(handler)
        format_styled_text.theme = theme
    assert ("\x1b" not in seen.text) is is_plain


def test_a_dumb_terminal_has_no_line_that_changes(
    terminal: Callable[[int, str], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = terminal(80, "stderr")
    monkeypatch.setenv("TERM", "dumb")
    line = StatusLine()
    line.show("10 of 20")
    line.clear()
    assert seen.text == "" and not line.is_live


def test_with_no_color_the_line_changes_without_control_sequences(
    terminal: Callable[[int, str], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = terminal(80, "stderr")
    monkeypatch.setenv("NO_COLOR", "1")
    line = StatusLine()
    line.show("10 of 20")
    line.show("9 of 2")
    line.clear()
    assert seen.text == "\r10 of 20\r" + "\r9 of 2  \r" + "\r      \r"
