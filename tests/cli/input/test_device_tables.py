"""What counts as a table of devices: what spreadsheets, IoT Central, az and our own results write."""

import codecs
import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.cli.input.device_files import rows_of
from azext_iotjobs.cli.input.device_tables import rows_in
from azext_iotjobs.cli.output.csv_cells import cell
from azext_iotjobs.cli.output.result_columns import COLUMNS
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.ids import DEVICE

KEY = "c2VjcmV0IHNlY3JldA=="
CONNECTION = f"HostName=h.azure-devices.net;DeviceId=pump-1;SharedAccessKey={KEY}"


def ids_in(folder: Path, content: bytes | str) -> list[str]:
    path = folder / "devices.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [row["deviceid"] for row in rows_of(str(path), "--devices-file")]


@pytest.mark.parametrize(
    "content",
    [
        "IOTC_DEVICEID,IOTC_DEVICENAME\r\npump-1,Pump one\r\npump-2,\r\n",
        "IOTC_DEVICEID,IOTC_DEVICENAME,IOTC_SASKEY_PRIMARY\npump-1,a,x==\npump-2,b,y==\n",
        '"IOTC_DEVICENAME","IOTC_DEVICEID"\n"Pump, one","pump-1"\n"say ""two""","pump-2"\n',
        "deviceId;name\npump-1;Pump, one\npump-2;two\n",
        "Device ID\tName\npump-1\tone\npump-2\ttwo\n",
        "device_id,name\npump-1,one\npump-2,two",
        "DEVICE-ID,name\npump-1,one\npump-2,two",
        " Device Id , name\n pump-1 , one\npump-2,two",
        "id,location\npump-1,x\npump-2,y",
        "sep=;\ndeviceId;name\npump-1;a,b\npump-2;c\n",
        '"sep=;"\r\nDeviceId;name\r\npump-1;a\r\npump-2;c\r\n',
        "SEP=,\ndeviceId,name\npump-1,a\npump-2,c\n",
        "sep=\t\ndeviceId\tname\npump-1\ta\npump-2\tc\n",
        "\n\ndeviceId,name\npump-1,one\npump-2,two",
        "deviceId,name\rpump-1,one\rpump-2,two\r",
        "deviceId,name,,\npump-1,one,,\npump-2,two,,\n,,,\n",
        "deviceId,name,site\npump-1,one\npump-2\n",
        'name,deviceId\n"two\nlines",pump-1\nx,pump-2\n',
        '\ufeff"deviceId";"name"\r\n"pump-1";"one"\r\n"pump-2";"two"\r\n',
        codecs.BOM_UTF16_LE + "Device ID\tname\r\npump-1\tü\r\npump-2\tß\r\n".encode("utf-16-le"),
        "deviceId,name\npump-1,ü\npump-2,x\n".encode("utf-16"),
        "deviceId,name\npump-1,ü\npump-2,x\n".encode("utf-16-le"),
        "deviceId;name\r\npump-1;Pumpe für Öl\r\npump-2;x\r\n".encode("cp1252"),
        '"deviceId"\n"pump-1"\n"pump-2"\n',
        "pump-1\rpump-2\r",
        '"pump-1"\n"pump-2"',
        '{"device_id": "pump-1"}\n{"Device ID": "pump-2"}',
        json.dumps([{"DeviceID": "pump-1"}, {"id": "pump-2"}], indent=2),
        f"deviceId,connection string\npump-1,{CONNECTION}\npump-2,\n",
    ],
)
def test_tables_are_read_as_they_are_written(tmp_path: Path, content: bytes | str) -> None:
    assert ids_in(tmp_path, content) == ["pump-1", "pump-2"]


def test_one_json_object_over_several_lines_is_one_device(tmp_path: Path) -> None:
    assert ids_in(tmp_path, json.dumps({"deviceId": "pump-1", "tags": {"a": 1}}, indent=2)) == ["pump-1"]


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("name,serial\npump-1,17\npump-2,18\n", 1, "looks like a row"),
        ("name;serial\npump-1;17\n", 1, "looks like a row"),
        ("name\tserial\n", 1, "looks like a row"),
        ("pump-1\npump-2\tx\n", 2, "looks like a row"),
        ("t1\na,b\nt2\nc,d\n", 2, "looks like a row"),
        ("sep=;\nname;serial\npump-1;17\n", 1, "begins a table"),
        ("deviceId,name\npump-1,a\npump-2,b,c\n", 3, "it has 3 cells"),
        ("deviceId,name\npump-1,a\n,b\n", 3, "no device id"),
        ("deviceId,name\npump-1,a\npump 2,b\n", 3, "not a device id"),
        ('deviceId,name\npump-1,"a\npump-2,b\n', 2, "a quote is not closed"),
        ('deviceId,name\npump-1,"a"b\npump-2,b\n', 2, "a quote is not closed"),
        ("deviceId,name,device id\npump-1,a,b\n", 1, "two columns"),
        ("pump-1\npump 2\n", 2, "not a device id"),
        ('pump-1\n"pump-2\n', 2, "double quote"),
        ('pump-1\npu"mp"-2\n', 2, "double quote"),
        ("status\nfailed\ncompleted\n", 1, "column of results"),
        ("errorClass\noffline\n", 1, "column of results"),
        ("status,errorClass\nfailed,offline\n", 1, "looks like a row"),
        ('{"deviceId": "pump-1"}\n{"deviceId": \n', 2, "begins like JSON"),
        ("..\n", 1, "not a device id"),
        ("IOTC_DEVICENAME\nPump\n", 1, "column of IoT Central"),
        ("Export\ndeviceId\npump-1\n", 2, "header, but it is not in the first line"),
        ("DeviceId    Status\n--------  ------\npump-1    enabled\n", 1, "header, but"),
        ("deviceId,id\npump-1,7\n,8\n", 3, "no device id"),
    ],
)
def test_what_looks_like_a_table_and_is_none_is_an_error_with_the_line(
    tmp_path: Path, content: str, line: int, said: str
) -> None:
    with pytest.raises(BadValue, match=f"--devices-file .*, line {line}:? .*{said}"):
        ids_in(tmp_path, content)


def test_a_key_in_a_row_is_never_shown(tmp_path: Path) -> None:
    for content in (
        f"name,key\npump-1,{KEY}\npump-2,{KEY}\n",
        f"deviceId,k\npump-1,{KEY},x\n",
        f"name,c\na,{CONNECTION}",
    ):
        with pytest.raises(BadValue) as caught:
            ids_in(tmp_path, content)
        assert KEY not in f"{caught.value} {caught.value.hint}"


NOTES = ("", "plain", 'a "quoted" one', "a,b;c\td", "=1+1", "'x", '{"a": "b"}', "two\nlines", "ü")


@given(
    ids=st.lists(st.text(sorted(DEVICE.alphabet), min_size=1, max_size=20), min_size=1, max_size=5),
    columns=st.lists(st.sampled_from(COLUMNS[1:]), unique=True, max_size=6),
    place=st.integers(0, 6),
    note=st.sampled_from(NOTES),
)
def test_our_own_results_are_read_back_whatever_their_columns(
    ids: list[str], columns: list[str], place: int, note: str
) -> None:
    columns.insert(place, "deviceId")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for each in ids:
        writer.writerow([cell(each if name == "deviceId" else note) for name in columns])
    assert [row.cells["deviceid"] for row in rows_in(text.getvalue(), "there")] == ids


@pytest.mark.parametrize(
    "content",
    [
        '[{"deviceId": "pump-1", "deviceId": "pump-2"}]',
        '{"deviceId": "pump-1", "deviceId": "pump-2"}',
        '[{"deviceId": "pump-1", "Device ID": "pump-2"}]',
    ],
)
def test_of_two_ids_of_one_device_neither_is_taken(tmp_path: Path, content: str) -> None:
    with pytest.raises(BadValue, match="is given twice|two of its members"):
        ids_in(tmp_path, content)


@pytest.mark.parametrize("page", range(1250, 1259))
def test_the_ids_of_a_table_in_a_one_byte_encoding_of_windows_are_read(tmp_path: Path, page: int) -> None:
    letters = bytes(range(0x80, 0x100)).decode(f"cp{page}", "ignore")
    table = f"deviceId;name\r\npump-1;{letters}\r\npump-2;x\r\n"
    assert ids_in(tmp_path, table.encode(f"cp{page}")) == ["pump-1", "pump-2"]
