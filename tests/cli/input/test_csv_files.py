"""CSV files of devices: encodings, separators, and what is no CSV."""

from collections.abc import Callable
from pathlib import Path

import pytest

from azext_iotjobs.cli.hub_access.device_key import SignInOptions
from azext_iotjobs.cli.input.csv_files import HEAD_BYTES, opened
from azext_iotjobs.cli.input.device_files import rows_of
from azext_iotjobs.cli.simulate.certificates import IssuedCertificates
from azext_iotjobs.model.errors import BadValue

TEXT = 'IOTC_DEVICEID,IOTC_DEVICENAME\r\npump-1,"Pümp, ""one"""\r\n\r\npump-2,\r\n'
RECORDS = [(2, ["pump-1", 'Pümp, "one"']), (4, ["pump-2", ""])]


def records(path: Path) -> list[tuple[int, list[str]]]:
    with opened(str(path), "--file") as file:
        return list(file.records())


def written(folder: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path = folder / "devices.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_table_is_read_in_every_encoding_that_spreadsheets_write(tmp_path: Path, encoding: str) -> None:
    assert records(written(tmp_path, TEXT, encoding)) == RECORDS


@pytest.mark.parametrize(
    "text",
    [
        "deviceId;name\npump-1;a,b\n",
        "deviceId\tname\npump-1\ta,b\n",
        "sep=;\r\ndeviceId;name\r\npump-1;a,b\r\n",
        '\n\nDevice ID,name\npump-1,"a,b"',
    ],
)
def test_the_separator_is_found_by_the_header(tmp_path: Path, text: str) -> None:
    ((_, cells),) = records(written(tmp_path, text))
    assert cells == ["pump-1", "a,b"]


def test_a_table_can_be_read_again_and_its_digest_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT)
    with opened(str(path), "--file") as file:
        assert file.header == ("IOTC_DEVICEID", "IOTC_DEVICENAME")
        before = file.digest()
        assert list(file.records()) == list(file.records()) == RECORDS
        assert file.digest() == before
    path.write_bytes(TEXT.encode() + b"pump-3,\r\n")
    with opened(str(path), "--file") as file:
        assert file.digest() != before


def test_a_table_larger_than_what_is_looked_at_first_is_read_whole(tmp_path: Path) -> None:
    rows = [f"pump-{number}," for number in range(HEAD_BYTES // 8)]
    found = records(written(tmp_path, "\n".join(["deviceId,naïve", *rows])))
    assert [cells[0] for _, cells in found] == [each[:-1] for each in rows]


def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    content = b"deviceId,name\npump-1,ok\npump-2,caf\xe9\n"
    with pytest.raises(BadValue, match=r"devices\.csv, line 3: this is not utf-8") as refused:
        records(written(tmp_path, content))
    assert refused.value.hint == "Save the file as CSV UTF-8."


def test_a_quote_that_is_not_closed_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="line 2: a quote is not closed"):
        records(written(tmp_path, 'deviceId,name\npump-1,"a\npump-2,b\n'))


@pytest.mark.parametrize("content", ["pump-1\npump-2\n", "name,site\na,b\n", ""])
def test_a_file_without_a_column_of_ids_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(BadValue, match="line 1: .* names no column of device ids"):
        records(written(tmp_path, content))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="there is no file"):
        records(tmp_path / "none.csv")


KEY_FILE = f"-----BEGIN PRIVATE KEY-----\n{'x' * 300}\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize("content", ["IOTC_DEVICEID,primaryKey\npump-1,x123", KEY_FILE, KEY_FILE.replace("\n", "")])
def test_the_content_of_a_file_in_place_of_its_name_is_not_shown(content: str) -> None:
    wrong: list[Callable[[], object]] = [
        lambda: records(Path(content)),
        lambda: list(rows_of(content, "--file")),
        lambda: IssuedCertificates(content, None, None),
        lambda: SignInOptions(key_file_path=content),
        lambda: SignInOptions(certificate_file_path=content),
    ]
    for each in wrong:
        with pytest.raises(BadValue, match="the content of a file") as refused:
            each()
        said = f"{refused.value} {refused.value.hint}"
        assert "without @" in said and "x" not in said and "BEGIN" not in said
