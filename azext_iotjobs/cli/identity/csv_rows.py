"""Rows of a table of devices -> devices to register, each with its tags, or what is wrong with the row. Pure."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from azext_iotjobs.cli.identity.authentication import SIGN_IN as TYPED_SIGN_IN
from azext_iotjobs.cli.identity.csv_columns import (
    DEVICE_ID,
    DEVICE_NAME,
    EDGE,
    KEYS,
    REASON,
    SIGN_IN,
    STATUS,
    TAGS,
    THUMBPRINTS,
    Columns,
    TagType,
)
from azext_iotjobs.cli.input.csv_files import Record
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.cli.input.strict_json import parse_json
from azext_iotjobs.cli.input.tag_paths import TagPath, set_tag, tag_at
from azext_iotjobs.cli.output.csv_cells import cell, original
from azext_iotjobs.model.bulk import NewDevice
from azext_iotjobs.model.device_import import ImportRow, RowFault
from azext_iotjobs.model.errors import UserError
from azext_iotjobs.model.identity import NewIdentity, SignIn, check_status_reason
from azext_iotjobs.model.ids import DEVICE, check_id, looks_like_connection_string
from azext_iotjobs.model.target import check_key, looks_like_key
from azext_iotjobs.model.text import counted

THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}([0-9A-Fa-f]{24})?")  # SHA-1 or SHA-256
NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?", re.ASCII)
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
STATUSES = {"enabled": True, "disabled": False}
SIGN_INS = {each.value.lower(): each for each in SignIn} | TYPED_SIGN_IN
MAX_ID_SHOWN = 200  # characters of what is not an id


class _Fault(Exception):
    """A row that cannot be imported."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.fault = RowFault(code=code, text=text)


class RowReader:
    """Reads the rows of one table."""

    def __init__(self, columns: Columns, display_name: TagPath, column_count: int) -> None:
        """display_name: the tag that a device's name becomes.  column_count: of the header."""
        self._columns = columns
        self._display_name = display_name
        self._column_count = column_count

    def rows(self, records: Iterable[Record]) -> Iterator[ImportRow]:
        """The rows of all records, in order; the second row of a device is a fault."""
        lines: dict[str, int] = {}  # by device
        for line, cells in records:
            row = self.row(line, cells)
            if row.device is not None:
                first = lines.setdefault(row.device_id, line)
                if first != line:
                    fault = RowFault(code="DuplicateId", text=f"Line {first} has this device id already.")
                    row = ImportRow(line=line, device_id=row.device_id, fault=fault)
            yield row

    def row(self, line: int, cells: Sequence[str]) -> ImportRow:
        """The row of a record."""
        device_id = self._text(cells, DEVICE_ID)
        try:
            self._check_count(cells)
            _check_device_id(device_id)
            identity, states_sign_in = self._identity(device_id, cells)
            device = NewDevice(identity=identity, tags=self._tags(cells))
        except _Fault as err:
            return ImportRow(line=line, device_id=_id_of_fault(device_id), fault=err.fault)
        return ImportRow(
            line=line,
            device_id=device_id,
            device=device,
            states_sign_in=states_sign_in,
            states_status=bool(self._text(cells, STATUS)),
        )

    def _check_count(self, cells: Sequence[str]) -> None:
        if any(each.strip() for each in cells[self._column_count :]):
            found, wanted = counted(len(cells), "cell"), self._column_count
            raise _Fault("TooManyCells", f"The row has {found}, and the header has {wanted}.")

    def _identity(self, device_id: str, cells: Sequence[str]) -> tuple[NewIdentity, bool]:
        """The identity, and whether the row says with what it signs in."""
        keys = [self._text(cells, name) or None for name in KEYS]
        thumbprints = [self._text(cells, name) or None for name in THUMBPRINTS]
        sign_in = self._sign_in(cells, has_keys=any(keys), has_thumbprints=any(thumbprints))
        _check_keys(keys)
        _check_thumbprints(sign_in, thumbprints)
        reason = self._text(cells, REASON) or None
        try:
            check_status_reason(reason)
        except UserError as err:
            raise _Fault("BadStatus", str(err)) from None
        identity = NewIdentity(
            device_id=device_id,
            sign_in=sign_in,
            primary_key=keys[0],
            secondary_key=keys[1],
            primary_thumbprint=thumbprints[0],
            secondary_thumbprint=thumbprints[1],
            is_edge=self._word(cells, EDGE, BOOLEANS, False),
            is_enabled=self._word(cells, STATUS, STATUSES, True),
            status_reason=reason,
        )
        return identity, any(keys) or sign_in is not SignIn.SAS

    def _sign_in(self, cells: Sequence[str], *, has_keys: bool, has_thumbprints: bool) -> SignIn:
        """How the device signs in: as the row says, or by what it has."""
        if has_keys and has_thumbprints:
            raise _Fault("SignInUnclear", "It has keys and thumbprints; a device signs in by one of them.")
        found = SignIn.THUMBPRINT if has_thumbprints else SignIn.SAS
        said: SignIn = self._word(cells, SIGN_IN, SIGN_INS, found)
        if (has_keys or has_thumbprints) and said is not found:
            has = "thumbprints" if has_thumbprints else "keys"
            raise _Fault("SignInUnclear", f"{SIGN_IN} is {said.value}, but the row has {has}.")
        return said

    def _tags(self, cells: Sequence[str]) -> dict[str, Any]:
        """All tags of a row: those in the column `tags`, those of other columns, and the display name."""
        whole = self._text(cells, TAGS)
        tags: Any = _json(whole, TAGS) if whole else {}
        if not isinstance(tags, dict):
            raise _Fault("BadTag", f"{TAGS}: give a JSON object.")
        for each in self._columns.tags:
            raw = _at(cells, each.at)
            if raw.strip():
                _put(tags, each.path, raw, _tag_value(raw, each.type, each.name))
        if DEVICE_NAME in self._columns.known:
            raw = _at(cells, self._columns.known[DEVICE_NAME])
            if raw.strip():
                _put(tags, self._display_name, raw, original(raw.strip()))
        return tags

    def _word(self, cells: Sequence[str], name: str, known: dict[str, Any], default: Any) -> Any:
        """The value of a cell that holds one of several words."""
        text = self._text(cells, name)
        if not text:
            return default
        if text.lower() not in known:
            raise _Fault("BadValue", f"{name}: {_shown(text)} is none of {', '.join(known)}.")
        return known[text.lower()]

    def _text(self, cells: Sequence[str], name: str) -> str:
        """A cell of a known column; "" where it is empty or there is none."""
        at = self._columns.known.get(name)
        return "" if at is None else original(_at(cells, at).strip())


def _at(cells: Sequence[str], index: int) -> str:
    return cells[index] if index < len(cells) else ""


def _check_device_id(device_id: str) -> None:
    if not device_id:
        raise _Fault("NoDeviceId", "The row has no device id.")
    try:
        check_id(DEVICE, device_id)
    except UserError as err:
        text = "A key stands where the device id should be." if looks_like_key(device_id) else str(err)
        raise _Fault("BadDeviceId", f"{text} {DEVICE.rule}.") from None


def _id_of_fault(device_id: str) -> str:
    """The device id as results name it; "" for what is a secret that stands in the wrong column."""
    return "" if _is_secret(device_id) else device_id[:MAX_ID_SHOWN]


def _shown(text: str) -> str:
    """A cell as faults show it, unless it is a secret that stands in the wrong column."""
    return "what looks like a key" if _is_secret(text) else shown(text)


def _is_secret(text: str) -> bool:
    return looks_like_key(text) or looks_like_connection_string(text)


def _check_keys(keys: Sequence[str | None]) -> None:
    if (keys[0] is None) != (keys[1] is None):
        raise _Fault("BadKey", f"{KEYS[keys[1] is None]} is missing; give both keys, or neither.")
    for name, key in zip(KEYS, keys, strict=True):
        if key is not None:
            try:
                check_key(key, name)
            except UserError as err:  # which shows no part of the key
                raise _Fault("BadKey", str(err)) from None


def _check_thumbprints(sign_in: SignIn, thumbprints: Sequence[str | None]) -> None:
    if sign_in is SignIn.THUMBPRINT and thumbprints[0] is None:
        raise _Fault("BadThumbprint", f"{THUMBPRINTS[0]} is missing.")
    for name, each in zip(THUMBPRINTS, thumbprints, strict=True):
        if each is not None and not THUMBPRINT.fullmatch(each):
            raise _Fault("BadThumbprint", f"{name}: give 40 or 64 hexadecimal digits without separators.")


def _put(tags: dict[str, Any], path: TagPath, raw: str, value: Any) -> None:
    """Set a tag, unless the cell is only how the tag is written that is there already: it may have lost its type."""
    there = tag_at(tags, path)
    if there is not None and cell(there) == raw:
        return
    if (taken := set_tag(tags, path, value)) is not None:
        raise _Fault("BadTag", f"The tag {'.'.join(path)} has no place: {'.'.join(taken.path)} is not an object.")


def _tag_value(raw: str, kind: TagType, name: str) -> Any:
    if kind is TagType.TEXT:
        return original(raw)
    text = original(raw.strip())
    if kind is TagType.JSON:
        return _json(text, name)
    if kind is TagType.BOOLEAN:
        if text.lower() not in BOOLEANS:
            raise _Fault("BadTag", f"{name}: {_shown(text)} is none of {', '.join(BOOLEANS)}.")
        return BOOLEANS[text.lower()]
    found = NUMBER.fullmatch(text)
    number = math.inf if found is None else float(text) if found[1] or found[2] else int(text)
    if not math.isfinite(number):
        raise _Fault("BadTag", f"{name}: {_shown(text)} is not a number such as 3 or 2.5.")
    return number


def _json(text: str, name: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as err:
        raise _Fault("BadTag", f"{name}: {_shown(text)} is not JSON: {err}") from None
