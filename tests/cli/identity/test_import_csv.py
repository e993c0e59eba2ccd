"""import-csv, as it is typed: what it checks first, what it says, and the file of results."""

import csv
import io
import logging
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.identity.import_csv import import_csv
from azext_iotjobs.cli.identity.tables import imports
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, CannotConnect, ConflictingChoice, MissingChoice
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.device_registry_double import DeviceRegistryDouble

CENTRAL = "IOTC_DEVICEID,IOTC_DEVICENAME,Site,Owner\r\npump-1,One,A,ann\r\npump-2,Two,B,bob\r\n"


class Az:
    """A command line with a hub behind it; `code` is the exit code that the command asked for."""

    def __init__(self, folder: Path, text: str, *registered: str) -> None:
        self.hub = DeviceRegistryDouble(*registered)
        self.results = folder / "results.csv"
        self._file = folder / "devices.csv"
        self._file.write_text(text, encoding="utf-8", newline="")
        self._leaving: list[Any] = []

    def __call__(self, **options: Any) -> dict[str, Any]:
        self._leaving = []
        config = SimpleNamespace(get=lambda *_, fallback: fallback)
        register = SimpleNamespace(register_event=lambda _, leave: self._leaving.append(leave))
        context = SimpleNamespace(config=config, only_show_errors=True, **vars(register))
        client = HubClient(HubTarget(host="localhost", is_local=True), self.hub)
        result: dict[str, Any] = import_csv(SimpleNamespace(cli_ctx=context), client, file=str(self._file), **options)
        return result

    @property
    def code(self) -> int:
        if not self._leaving:
            return 0
        with pytest.raises(SystemExit) as left:
            self._leaving[0]()
        assert isinstance(left.value.code, int)
        return left.value.code

    @property
    def rows(self) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.results.read_text(encoding="utf-8"))))


def test_devices_names_and_mapped_columns_arrive_and_the_others_are_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    az = Az(tmp_path, CENTRAL)
    with caplog.at_level(logging.WARNING):
        result = az(map=["site=tags.place.site"], results_file=str(az.results))
    assert (result["rows"], result["created"], result["failed"], result["left"], az.code) == (2, 2, 0, 0, 0)
    assert az.hub.devices["pump-2"]["tags"] == {"displayName": "Two", "place": {"site": "B"}}
    assert az.rows[1:] == [["2", "pump-1", "created", "", ""], ["3", "pump-2", "created", "", ""]]
    assert [each.getMessage() for each in caplog.records] == [
        "1 column is not imported: Owner. --map COLUMN=tags.path makes tags of them."
    ]


def test_each_row_has_its_line_and_failures_end_with_code_4(tmp_path: Path) -> None:
    az = Az(tmp_path, "deviceId\npump-1\nnot an id\npump-1\nthere\nrefused\n", "there")
    az.hub.refused["refused"] = "ArgumentInvalid"
    result = az(results_file=str(az.results))
    assert [each[:4] for each in az.rows[1:]] == [
        ["2", "pump-1", "created", ""],
        ["3", "not an id", "failed", "BadDeviceId"],
        ["4", "pump-1", "failed", "DuplicateId"],
        ["5", "there", "skipped", ""],
        ["6", "refused", "failed", "ArgumentInvalid"],
    ]
    assert (result["created"], result["skipped"], result["failed"], az.code) == (1, 1, 3, 4)
    assert [each["line"] for each in result["failures"]] == [3, 4, 6]
    assert Az(tmp_path, "deviceId\nnot an id\n")(exit_zero=True)["failed"] == 1


def test_a_dry_run_sends_nothing_shows_what_would_be_and_says_what_is_wrong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    az = Az(tmp_path, CENTRAL + "pump 3,,,\r\n")
    result = az(map=["Site=tags.site"], dry_run=True, results_file=str(az.results))
    assert az.code == 4 and caplog.messages[-1].startswith("Line 4: 'pump 3' is not a device id.")
    assert (result["rows"], result["importable"], result["failed"]) == (3, 2, 1)
    assert (result["tags"], result["notImported"]) == ({"Site": "tags.site:text"}, ["Owner"])
    assert result["failures"][0]["line"] == 4
    assert az.hub.requests == [] and not az.results.exists()


def test_a_dry_run_of_a_file_without_faults_ends_well(tmp_path: Path) -> None:
    az = Az(tmp_path, CENTRAL)
    assert (az(dry_run=True)["failed"], az.code) == (0, 0)


def test_a_table_has_the_counts_and_then_a_line_for_each_row_that_failed(tmp_path: Path) -> None:
    az = Az(tmp_path, "deviceId\npump-1\nnot an id\n")
    for each, made in ((az(dry_run=True), "Importable"), (az(), "Created")):
        totals, failed = imports([each])
        assert (totals["Rows"], totals[made], totals["Failed"], totals["Line"]) == ("2", "1", "1", "")
        assert (failed["Rows"], failed["Line"], failed["ErrorCode"]) == ("", "3", "BadDeviceId")


def test_after_an_error_the_same_command_goes_on_from_its_results(tmp_path: Path) -> None:
    text = "deviceId\n" + "".join(f"d{number}\n" for number in range(250))
    az = Az(tmp_path, text)
    az.hub = Vanishing(after=1)
    with pytest.raises(CannotConnect):
        az(results_file=str(az.results))
    assert len(az.rows) == 101
    az.hub.left = 100
    result = az(results_file=str(az.results))
    assert (result["created"], result["left"], az.code) == (250, 0, 0)
    assert [each[1] for each in az.rows[1:]] == [f"d{number}" for number in range(250)]
    assert [len(each.body) for each in az.hub.requests] == [100, 100, 50]
    assert not Path(f"{az.results}.unfinished").exists()
    with pytest.raises(ConflictingChoice, match="--results-file .* already exists"):
        az(results_file=str(az.results))


class Vanishing(DeviceRegistryDouble):
    """A hub that answers so many requests, and is gone."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def send(self, request: Request) -> Response:
        if self.left == 0:
            raise CannotConnect("hub.example was not reached")
        self.left -= 1
        return super().send(request)


def test_another_file_does_not_go_on_from_the_results_of_this_one(tmp_path: Path) -> None:
    az = Az(tmp_path, "deviceId\npump-1\n")
    az.hub = Vanishing(after=0)
    with pytest.raises(CannotConnect):
        az(results_file=str(az.results))
    other = Az(tmp_path, "deviceId\npump-2\n")
    with pytest.raises(ConflictingChoice, match="is unfinished, but has other rows"):
        other(results_file=str(other.results))
    assert other.hub.requests == []


def test_ctrl_c_ends_it_behind_a_request_with_code_6(tmp_path: Path) -> None:
    az = Az(tmp_path, "deviceId\n" + "".join(f"d{number}\n" for number in range(250)))
    az.hub = Interrupted()
    result = az(results_file=str(az.results))
    assert (result["created"], result["left"], az.code) == (100, 150, 6)
    az.hub.is_interrupting = False
    assert (az(results_file=str(az.results))["created"], az.code) == (250, 0)


class Interrupted(DeviceRegistryDouble):
    """Ctrl-C is pressed while it answers."""

    is_interrupting = True

    def send(self, request: Request) -> Response:
        if self.is_interrupting:
            signal.raise_signal(signal.SIGINT)
        return super().send(request)


@pytest.mark.parametrize(
    ("text", "options", "error", "message"),
    [
        ("deviceId\n", {}, BadValue, "it has no rows"),
        ("name\npump\n", {}, BadValue, "no column of device ids"),
        ('deviceId,a\npump-1,"x\n', {}, BadValue, "line 2: a quote"),
        ("deviceId\npump-1\n", {"map": ["Site=tags.site"]}, BadValue, "no such column"),
        ("deviceId\npump-1\n", {"replace_keys": True}, MissingChoice, "--replace-keys"),
        ("deviceId\npump-1\n", {"overwrite": True}, ConflictingChoice, "--overwrite needs --results-file"),
        ("deviceId\npump-1\n", {"results_file": "-"}, BadValue, "--results-file -"),
        ("deviceId\npump-1\n", {"results_file": "x.txt"}, BadValue, r"--results-file x\.txt: no format"),
        ("deviceId\npump-1\n", {"results_file": "devices.csv", "overwrite": True}, ConflictingChoice, "the same file"),
        ("deviceId\npump-1\n", {"results_file": "/no/such/folder/x.csv"}, BadValue, "--results-file"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    az = Az(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        az(**options)
    assert az.hub.requests == []


def test_results_do_not_take_the_place_of_the_table_under_another_name_of_it(tmp_path: Path) -> None:
    az = Az(tmp_path, CENTRAL)
    az.results.hardlink_to(tmp_path / "devices.csv")
    with pytest.raises(ConflictingChoice, match="are the same file"):
        az(results_file=str(az.results), overwrite=True)
    assert az.results.read_text(encoding="utf-8").startswith("IOTC_DEVICEID")
