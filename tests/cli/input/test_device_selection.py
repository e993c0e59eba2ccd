"""What a user types about devices, in every form that is taken."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.cli.input.device_selection import SelectionOptions, warn_of_idle
from azext_iotjobs.cli.output.csv_cells import cell, original
from azext_iotjobs.model.errors import BadValue, IotJobsError, MissingChoice
from azext_iotjobs.model.selection import Selection


def typed(**given: str) -> Selection:
    return SelectionOptions(**given).read()


def from_file(folder: Path, content: bytes | str) -> tuple[str, ...]:
    path = folder / "devices"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return typed(devices_file=str(path)).device_ids


@pytest.mark.parametrize("text", ["a,b,c", " a, b ,c ", "a\nb\nc\n", "a,b,,c,", "c,a,b,c"])
def test_ids_stand_between_commas_or_lines(text: str) -> None:
    assert sorted(typed(our_device_ids=text).device_ids) == ["a", "b", "c"]


@pytest.mark.parametrize("option", ["our_device_ids", "exclude"])
@pytest.mark.parametrize(
    "text",
    [
        "name,status\npump,ok",
        "name;status\npump;ok",
        "pump-1\tenabled\npump-2\tenabled",
        "DeviceId    Status\n--------  ------\npump-1    enabled",
        "Export of today\ndeviceId,name\npump-1,a",
        "IOTC_DEVICENAME\nPump",
        "deviceId,name",
    ],
)
def test_rows_in_the_place_of_a_list_are_no_ids(option: str, text: str) -> None:
    with pytest.raises(BadValue, match=r"line \d: .* looks like a table"):
        typed(**{"our_device_ids": "a", option: text})


@pytest.mark.parametrize("text", ["pid-1,pid-2", "pid-1,\npid-2", "pid-1, pid-2,\npid-1, pid-2", "pid-1,pid-2\npid-1"])
def test_a_list_may_go_on_over_lines(text: str) -> None:
    assert typed(our_device_ids=text).device_ids == ("pid-1", "pid-2")


@pytest.mark.parametrize("option", ["our_device_ids", "exclude", "our_query_condition"])
@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_empty_option_is_an_error(option: str, text: str) -> None:
    with pytest.raises(IotJobsError, match="is empty|is blank"):
        typed(**{"our_device_ids": "a", option: text} if option == "exclude" else {option: text})


@pytest.mark.parametrize("option", ["our_device_ids", "exclude"])
def test_a_file_that_az_did_not_find_is_no_device(option: str) -> None:
    with pytest.raises(BadValue, match="there is no file 'spare.txt'"):
        typed(**{"our_device_ids": "a", option: "@spare.txt"})


@pytest.mark.parametrize(
    "content",
    [
        "pump-1\npump-2\n",
        "\ufeffpump-1\r\n\r\n  pump-2",
        "pump-1\npump-2\npump-1\n".encode("utf-16"),
        "deviceId,status\npump-1,failed\npump-2,failed\n",
        'status,DEVICEID\r\nx,"pump-1"\r\nx,pump-2\r\n',
        "id\npump-1\npump-2",
        '["pump-1", "pump-2"]',
        '[{"deviceId": "pump-1", "status": "failed"}, {"DeviceId": "pump-2"}]',
        '{"deviceId": "pump-1"}\n\n{"deviceId": "pump-2"}\n',
    ],
)
def test_a_file_holds_lines_a_table_or_json(tmp_path: Path, content: bytes | str) -> None:
    assert from_file(tmp_path, content) == ("pump-1", "pump-2")


def test_ids_with_commas_survive_in_a_file(tmp_path: Path) -> None:
    assert from_file(tmp_path, '"a,b"\n"c,d"\n"e"\n') == ("a,b", "c,d", "e")
    assert from_file(tmp_path, "t1\nx,y:z=w\nurn:x:1;y\nt2") == ("t1", "x,y:z=w", "urn:x:1;y", "t2")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no device"),
        ("\n \n", "no device"),
        ("[]", "no device"),
        ("deviceId,status\n", "no device"),
        ("pump 1\n", "not a device id"),
        ("name;deviceId\na;b c\n", "not a device id"),
        ('["a", 1]', "neither an id"),
        ('[{"name": "a"}]', "neither an id"),
        ('["a"', "begins like JSON"),
        ("[" * 100_000, "begins like JSON"),
        (b"\xff\xfe\x00", "is not text"),
        (b"\xe4\n", "is not text"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(tmp_path: Path, content: bytes | str, said: str) -> None:
    with pytest.raises(BadValue, match=f"--devices-file.*{said}"):
        from_file(tmp_path, content)


def test_names_of_both_options_are_taken_together_without_those_excluded(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("b\nc\n")
    selection = typed(our_device_ids="a,b", devices_file=str(tmp_path / "f"), exclude="c,x")
    assert selection.named == ("a", "b")


def test_nothing_typed_is_an_error() -> None:
    with pytest.raises(MissingChoice, match="No devices are named"):
        typed()


@given(st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_any_text_comes_back_from_a_cell(text: str) -> None:
    line = io.StringIO()
    csv.writer(line).writerow([cell(text)])
    (read,) = next(csv.reader(io.StringIO(line.getvalue())))
    assert original(read) == text
    assert not read.startswith(("=", "+", "-", "@"))


def test_json_values_in_cells_can_be_read_as_json() -> None:
    assert json.loads(cell({"a": ["=1"]})) == {"a": ["=1"]}


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('"x,y:z=w",t1', ("x,y:z=w", "t1")),
        ('t1, "x,y:z=w"', ("t1", "x,y:z=w")),
        ('"x,1"\n"x,2"\r\nt1\n', ("x,1", "x,2", "t1")),
        ('"a"', ("a",)),
        ("a,'b,c'", ("a", "'b", "c'")),
        ('"a,b" "c,d"', ("a,b", "c,d")),
    ],
)
@pytest.mark.parametrize("option", ["our_device_ids", "exclude"])
def test_an_id_with_a_comma_stands_between_double_quotes(option: str, text: str, ids: tuple[str, ...]) -> None:
    condition = {"our_query_condition": "*"} if option == "exclude" else {}
    selection = typed(**{option: text}, **condition)
    assert (selection.excluded if option == "exclude" else selection.device_ids) == ids


@pytest.mark.parametrize("text", ['"x,y', 'x,y"', 'a"b"', '"a"b', '"a""b"', 'a,"', '""', '"a b"', '" a"'])
@pytest.mark.parametrize("option", ["our_device_ids", "exclude"])
def test_a_quote_that_is_not_around_a_whole_id_is_refused(option: str, text: str) -> None:
    with pytest.raises(BadValue, match="--device-ids" if option == "our_device_ids" else "--exclude"):
        typed(**{"our_device_ids": "t9", option: text})


@pytest.mark.parametrize("option", ["our_device_ids", "exclude"])
@pytest.mark.parametrize(
    "text",
    ["deviceId,status\npump-1,failed\npump-2,\n", "sep=;\nname;Device ID\nx;pump-1\ny;pump-2", "id\npump-1\npump-2"],
)
def test_a_table_whose_text_stands_in_a_list_gives_its_ids_alone(option: str, text: str) -> None:
    condition = {"our_query_condition": "*"} if option == "exclude" else {}
    selection = typed(**{option: text}, **condition)
    assert (selection.excluded if option == "exclude" else selection.device_ids) == ("pump-1", "pump-2")
    with pytest.raises(BadValue, match="line 3"):
        typed(**{option: "deviceId,status\npump-1,a\npump-2,b,c\n"}, **condition)


@pytest.mark.parametrize(
    ("idle", "said"),
    [
        (["x,y:z=w", "t1"], '2 ids are not among the selected devices: "x,y:z=w", t1.'),
        (["gone"], "1 id is not among the selected devices: gone."),
        (list("abcdef"), "6 ids are not among the selected devices: a, b, c, d, e, …."),
    ],
)
def test_exclusions_that_leave_nobody_out_are_listed_as_they_are_typed(
    idle: list[str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_idle(idle)
    assert caplog.messages == [f"--exclude: {said}"]
