"""export-csv, as it is typed: the file appears whole, and keys are for its owner alone."""

import csv
import io
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.identity.export_csv import export_csv
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, CannotConnect, ConflictingChoice, MissingChoice
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.many_devices import ManyDevices

CMD = SimpleNamespace(
    cli_ctx=SimpleNamespace(only_show_errors=True, config=SimpleNamespace(get=lambda *_, fallback: fallback))
)


def export(hub: ManyDevices, path: Path | str, **options: Any) -> Any:
    return export_csv(CMD, HubClient(HubTarget(host="hub.example"), hub), file=str(path), **options)


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_a_file_with_keys_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "devices.csv"
    result = export(ManyDevices(3), path, our_include_keys=True)
    assert result["deviceCount"] == 3
    header, *found = rows(path)
    assert header == result["columns"]
    assert found[0][: header.index("IOTC_X509THUMBPRINT_PRIMARY")] == ["d0", "", "key of d0", "other of d0"]
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_keys_there_is_no_column_of_them(tmp_path: Path) -> None:
    path = tmp_path / "devices.csv"
    export(ManyDevices(3), path)
    assert "SASKEY" not in path.read_text(encoding="utf-8")
    assert [each[-1] for each in rows(path)[1:]] == ['{"site": "north"}'] * 3


class Vanishing(ManyDevices):
    """Gone after the first page."""

    def send(self, request: Request) -> Response:
        if "x-ms-continuation" in request.headers:
            raise CannotConnect("hub.example was not reached")
        return super().send(request)


def test_after_an_error_the_old_file_is_there_and_nothing_of_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "devices.csv"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(CannotConnect):
        export(Vanishing(250), path, overwrite=True)
    assert [each.name for each in tmp_path.iterdir()] == ["devices.csv"]
    assert path.read_text(encoding="utf-8") == "old"
    export(ManyDevices(250), path, overwrite=True)
    assert len(rows(path)) == 251


def test_stdout_gets_the_table_and_no_result(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert export(ManyDevices(1), "-", columns="deviceId,tags.site,properties.reported.firmware") is None
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == b"deviceId,tags.site,properties.reported.firmware\r\nd0,north,2.0.1\r\n"


def test_keys_are_not_written_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = ManyDevices(1)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(BadValue, match="keys are not written to a terminal"):
        export(hub, "-", our_include_keys=True)
    assert hub.paths == []


def test_no_device_is_a_code_of_its_own_and_writes_no_file(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as left:
        export(ManyDevices(0), tmp_path / "devices.csv", our_query_condition="tags.site = 'x'")
    assert left.value.code == 8
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "options", "error", "message"),
    [
        ("there.csv", {}, ConflictingChoice, "already exists"),
        ("none/devices.csv", {}, BadValue, "cannot be written"),
        ("new.csv", {"columns": "colour"}, BadValue, "is not a column"),
        ("new.csv", {"columns": "primaryKey"}, MissingChoice, "only if they are asked for"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, file: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    (tmp_path / "there.csv").write_text("old", encoding="utf-8")
    with pytest.raises(error, match=message):
        export(ManyDevices(1), tmp_path / file, **options)
    assert [each.name for each in tmp_path.iterdir()] == ["there.csv"]
    assert (tmp_path / "there.csv").read_text(encoding="utf-8") == "old"
