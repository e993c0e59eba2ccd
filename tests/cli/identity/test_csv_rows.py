"""Rows of tables of devices: what each becomes, and that an export gives the same devices again."""

import base64
import csv
import io
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azext_iotjobs.cli.identity.csv_columns import columns_of, parse_map
from azext_iotjobs.cli.identity.csv_export import cells_of, export_columns
from azext_iotjobs.cli.identity.csv_rows import RowReader
from azext_iotjobs.cli.output.csv_cells import csv_line
from azext_iotjobs.clients.identity_codec import parse_identity, render_new_identity
from azext_iotjobs.clients.twin_codec import parse_twin
from azext_iotjobs.model.device_import import ImportRow
from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.identity import NewIdentity, SignIn
from azext_iotjobs.model.ids import DEVICE
from azext_iotjobs.operations.identity.export_devices import ExportedDevice

NAME_TAG = ("displayName",)
KEY = base64.b64encode(bytes(32)).decode()
OTHER_KEY = base64.b64encode(bytes(range(32))).decode()
NO_ID_KEY = base64.b64encode(b"\xff" * 32).decode()  # with slashes, which no device id has
PRINT, OTHER_PRINT = "0A" * 20, "b1" * 20


def reader(header: str, *maps: str) -> RowReader:
    names = header.split(",")
    return RowReader(columns_of(names, [parse_map(each) for each in maps], NAME_TAG, "--file x"), NAME_TAG, len(names))


def row(header: str, cells: str, *maps: str) -> ImportRow:
    return reader(header, *maps).row(2, next(csv.reader([cells])))


def tags(header: str, cells: str, *maps: str) -> Any:
    found = row(header, cells, *maps)
    assert found.device is not None, found.fault
    return found.device.tags


def code(header: str, cells: str, *maps: str) -> str:
    found = row(header, cells, *maps)
    assert found.device is None and found.fault is not None
    assert KEY not in found.fault.text and OTHER_KEY not in found.fault.text
    return found.fault.code


def test_a_row_of_iot_centrals_export_keeps_keys_and_name() -> None:
    header = "IOTC_DEVICEID,IOTC_DEVICENAME,IOTC_SASKEY_PRIMARY,IOTC_SASKEY_SECONDARY,IOTC_X509THUMBPRINT_PRIMARY"
    found = row(header, f"pump-1,Pump one,{KEY},{OTHER_KEY},")
    assert found.device is not None
    assert found.device.identity == NewIdentity(device_id="pump-1", primary_key=KEY, secondary_key=OTHER_KEY)
    assert found.device.tags == {"displayName": "Pump one"}
    assert (found.states_sign_in, found.states_status) == (True, False)


def test_thumbprints_make_a_device_with_a_self_signed_certificate() -> None:
    found = row("deviceId,primaryThumbprint,secondaryThumbprint", f"pump-1,{PRINT},{OTHER_PRINT}")
    assert found.device is not None
    identity = found.device.identity
    assert (identity.sign_in, identity.primary_thumbprint) == (SignIn.THUMBPRINT, PRINT)
    assert identity.secondary_thumbprint == OTHER_PRINT


def test_a_row_with_an_id_alone_leaves_all_else_to_the_defaults() -> None:
    found = row("deviceId,status,iotEdge", "pump-1")
    assert found.device is not None
    assert found.device.identity == NewIdentity(device_id="pump-1")
    assert (found.device.tags, found.states_sign_in, found.states_status) == ({}, False, False)


def test_status_edge_and_sign_in_are_read() -> None:
    header = "deviceId,authenticationType,status,statusReason,capabilities.iotEdge"
    found = row(header, "pump-1,certificateAuthority,Disabled,in the shop,TRUE")
    assert found.device is not None
    assert found.device.identity == NewIdentity(
        device_id="pump-1", sign_in=SignIn.CA, is_enabled=False, status_reason="in the shop", is_edge=True
    )
    assert (found.states_sign_in, found.states_status) == (True, True)


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        ("3", "", "3"),
        (" x ", "", " x "),
        ("'=1+1", "", "=1+1"),
        ("3", ":number", 3),
        ("-2.50", ":number", -2.5),
        ("1e3", ":number", 1000.0),
        ("Yes", ":boolean", True),
        ("0", ":boolean", False),
        ('"{""a"": [1]}"', ":json", {"a": [1]}),
        ("null", ":json", None),
        ("null", ":text", "null"),
    ],
)
def test_a_mapped_cell_becomes_a_tag_of_its_type(cell: str, kind: str, value: Any) -> None:
    found = tags("deviceId,Site", f"pump-1,{cell}", f"Site=tags.place.site{kind}")
    assert found == {"place": {"site": value}}
    assert type(found["place"]["site"]) is type(value)


def test_an_empty_cell_is_no_tag() -> None:
    assert tags("deviceId,a,b,displayName", "pump-1,, ,", "a=tags.a", "b=tags.b:number") == {}


def test_other_columns_go_into_the_whole_of_the_tags_and_before_it() -> None:
    header, whole = "deviceId,tags,tags.site,displayName", '"{""site"": ""A"", ""floor"": 3, ""displayName"": ""Old""}"'
    assert tags(header, f"pump-1,{whole},B,New") == {"site": "B", "floor": 3, "displayName": "New"}


def test_a_cell_that_only_repeats_a_tag_takes_nothing_from_its_type() -> None:
    assert tags("deviceId,tags,tags.floor", 'pump-1,"{""floor"": 3}",3') == {"floor": 3}


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("deviceId,name", ",x", "NoDeviceId"),
        ("deviceId", "pump 1", "BadDeviceId"),
        ("deviceId", "..", "BadDeviceId"),
        ("deviceId", "HostName=a;SharedAccessKey=b", "BadDeviceId"),
        ("deviceId", "x" * 129, "BadDeviceId"),
        ("deviceId,site", "pump-1,a,b", "TooManyCells"),
        ("deviceId,primaryKey,secondaryKey", f"pump-1,{KEY},", "BadKey"),
        ("deviceId,primaryKey,secondaryKey", f"pump-1,,{KEY}", "BadKey"),
        ("deviceId,primaryKey", f"pump-1,{KEY}", "BadKey"),
        ("deviceId,primaryKey,secondaryKey", f"pump-1,{KEY},{OTHER_KEY}!", "BadKey"),
        ("deviceId,primaryThumbprint", "pump-1,0A:0B", "BadThumbprint"),
        ("deviceId,secondaryThumbprint", f"pump-1,{PRINT}", "BadThumbprint"),
        ("deviceId,authenticationType", "pump-1,selfSigned", "BadThumbprint"),
        ("deviceId,primaryKey,secondaryKey,primaryThumbprint", f"pump-1,{KEY},{KEY},{PRINT}", "SignInUnclear"),
        ("deviceId,primaryThumbprint,authenticationType", f"pump-1,{PRINT},sas", "SignInUnclear"),
        ("deviceId,authenticationType", "pump-1,none", "BadValue"),
        ("deviceId,status", "pump-1,asleep", "BadValue"),
        ("deviceId,statusReason", f"pump-1,{'x' * 129}", "BadStatus"),
        ("deviceId,iotEdge", "pump-1,perhaps", "BadValue"),
        ("deviceId,tags", "pump-1,[1]", "BadTag"),
        ("deviceId,tags", "pump-1,{", "BadTag"),
        ("deviceId,tags,tags.a.b", 'pump-1,"{""a"": 1}",2', "BadTag"),
    ],
)
def test_a_row_that_cannot_be_imported_says_why(header: str, cells: str, expected: str) -> None:
    assert code(header, cells) == expected


@pytest.mark.parametrize(
    ("cell", "kind"), [("x", "number"), ("1,5", "number"), ("maybe", "boolean"), ("{", "json"), ("NaN", "json")]
)
def test_a_cell_that_is_not_of_its_type_is_a_fault(cell: str, kind: str) -> None:
    assert code("deviceId,a", f'pump-1,"{cell}"', f"a=tags.a:{kind}") == "BadTag"


def test_the_second_row_of_a_device_names_the_line_of_the_first() -> None:
    records = [(2, ["pump-1"]), (3, ["pump 2"]), (4, ["pump-1"]), (5, ["pump-1"])]
    found = list(reader("deviceId").rows(records))
    assert [each.fault and (each.line, each.fault.code) for each in found] == [
        None,
        (3, "BadDeviceId"),
        (4, "DuplicateId"),
        (5, "DuplicateId"),
    ]
    assert found[3].fault is not None and "Line 2" in found[3].fault.text


def test_columns_of_an_export_are_checked() -> None:
    with pytest.raises(BadValue, match="is not a column"):
        export_columns("deviceId,colour", NAME_TAG, with_keys=True)
    with pytest.raises(BadValue, match="once"):
        export_columns("deviceId,deviceId", NAME_TAG, with_keys=True)
    with pytest.raises(MissingChoice) as refused:
        export_columns("deviceId,primaryKey", NAME_TAG, with_keys=False)
    assert refused.value.hint == "Give --keys."
    assert "KEY" not in "".join(each.name for each in export_columns(None, NAME_TAG, with_keys=False))


def test_chosen_columns_show_what_the_twin_has_without_what_is_the_hubs() -> None:
    twin = {
        "deviceId": "=1",
        "tags": {"displayName": "@one", "site": {"name": "A"}},
        "properties": {"reported": {"fw": 2, "on": ["a", {"b": 1}], "$version": 3, "$metadata": {}}},
    }
    columns = export_columns(
        "deviceId,displayName,tags.site.name,tags.none,properties.reported,properties.reported.on[1]",
        NAME_TAG,
        with_keys=False,
    )
    assert cells_of(ExportedDevice(parse_twin(twin), None), columns) == [
        "'=1",
        "'@one",
        "A",
        "",
        '{"fw": 2, "on": ["a", {"b": 1}]}',
        '{"b": 1}',
    ]


# --- an export that is imported

TAG_NAMES = st.text(string.ascii_letters + "-_é", min_size=1, max_size=5)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**52), 2**52 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text(max_size=8)
VALUES = st.recursive(SCALARS | TEXTS, lambda inner: st.dictionaries(TAG_NAMES, inner, max_size=3), max_leaves=4)
IDS = st.text(sorted(DEVICE.alphabet), min_size=1, max_size=12).filter(lambda text: text not in (".", ".."))
KEYS = st.binary(min_size=16, max_size=64).map(lambda each: base64.b64encode(each).decode())
PRINTS = st.text("0123456789abcdefABCDEF", min_size=40, max_size=40)


@st.composite
def identities(draw: st.DrawFn) -> NewIdentity:
    kind = draw(st.sampled_from(SignIn))
    by_key, by_print = kind is SignIn.SAS, kind is SignIn.THUMBPRINT
    return NewIdentity(
        device_id=draw(IDS),
        sign_in=kind,
        primary_key=draw(KEYS) if by_key else None,
        secondary_key=draw(KEYS) if by_key else None,
        primary_thumbprint=draw(PRINTS) if by_print else None,
        secondary_thumbprint=draw(st.none() | PRINTS) if by_print else None,
        is_edge=draw(st.booleans()),
        is_enabled=draw(st.booleans()),
        status_reason=draw(st.none() | st.text(string.printable.strip() + "ü", min_size=1, max_size=9)),
    )


def exported(identity: NewIdentity, device_tags: dict[str, Any]) -> ExportedDevice:
    """The device as a hub with it would show it."""
    record = render_new_identity(identity)
    twin = {
        **{name: record.get(name) for name in ("deviceId", "status", "statusReason", "capabilities")},
        "authenticationType": identity.sign_in.value,
        "x509Thumbprint": {
            "primaryThumbprint": identity.primary_thumbprint,
            "secondaryThumbprint": identity.secondary_thumbprint,
        },
        "tags": device_tags,
    }
    known = parse_identity({**record, "etag": "x"}) if identity.sign_in is SignIn.SAS else None
    return ExportedDevice(parse_twin(twin), known)


@settings(max_examples=60)
@given(identities(), st.dictionaries(TAG_NAMES | st.just("displayName"), VALUES, max_size=4))
def test_a_device_that_is_exported_and_imported_is_the_same(identity: NewIdentity, device_tags: dict[str, Any]) -> None:
    columns = export_columns(None, NAME_TAG, with_keys=True)
    text = b"".join(
        [csv_line([each.name for each in columns]), csv_line(cells_of(exported(identity, device_tags), columns))]
    )
    header, cells = csv.reader(io.StringIO(text.decode(), newline=""), strict=True)
    found = RowReader(columns_of(header, [], NAME_TAG, "x"), NAME_TAG, len(header)).row(2, cells)
    assert found.fault is None and found.device is not None
    assert found.device.identity == identity
    assert found.device.tags == device_tags


@pytest.mark.parametrize("cell", ["1" * 5000, "1e999", "-1e999", "٣٤", "1_000", "nan", "inf", "0x1f"])
def test_what_is_no_number_that_a_hub_takes_is_a_fault_of_its_row_alone(cell: str) -> None:
    first, second = reader("deviceId,N", "N=tags.n:number").rows([(2, ["a", cell]), (3, ["b", "-2.5e3"])])
    assert first.fault is not None and first.fault.text.endswith("is not a number such as 3 or 2.5.")
    assert second.device is not None and second.device.tags == {"n": -2500.0}


@pytest.mark.parametrize("secret", [NO_ID_KEY, f"HostName=h;DeviceId=a;SharedAccessKey={NO_ID_KEY}"])
@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("deviceId", "{}"),
        ("deviceId,status", "a,{}"),
        ("deviceId,authenticationType", "a,{}"),
        ("deviceId,iotEdge", "a,{}"),
        ("deviceId,tags", "a,{}"),
        ("deviceId,primaryKey", "{},{}"),
        ("deviceId,status", "{},off"),
    ],
)
def test_a_secret_in_the_wrong_column_is_not_shown(header: str, cells: str, secret: str) -> None:
    found = row(header, cells.replace("{}", secret))
    assert found.fault is not None
    assert NO_ID_KEY[:12] not in found.fault.text and NO_ID_KEY[:12] not in found.device_id


def test_a_device_id_is_named_though_another_cell_is_wrong() -> None:
    found = row("deviceId,status", "a1b2c3d4e5f6a7b8c9d0e1f2,off")
    assert found.device_id == "a1b2c3d4e5f6a7b8c9d0e1f2"
    assert found.fault is not None and found.fault.text == "status: 'off' is none of enabled, disabled."
