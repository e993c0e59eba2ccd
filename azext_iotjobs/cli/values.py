"""What a user types -> values: JSON or a file of it, key=value text, whole numbers."""

import codecs
import json
from pathlib import Path
from typing import Any, NoReturn

from azext_iotjobs.model.errors import BadValue

MAX_FILE_BYTES = 16 * 1024 * 1024  # far above any limit of the hub's; keeps a wrong path from filling the memory
SHOWN_CHARACTERS = 60  # of a wrong text in an error


def json_or_file(text: str, option: str) -> Any:
    """The JSON value that an option gives: inline, or in the file that it names.

    text: what was typed.  option: its name, for the error.
    Raises BadValue when it is neither JSON nor the path of a readable JSON file.
    """
    try:
        return parse_json(text)
    except ValueError as err:
        path = _existing_file(text)
        if path is None:
            raise BadValue(
                f"{option}: {_shown(text)} is not JSON ({err}), and there is no file of that name.",
                hint=f'Keep the shell away from the quotes: {option} \'{{"key": "value"}}\' in bash, '
                "or give the path of a JSON file.",
            ) from err
    return _json_file(path, option)


def json_object_or_file(text: str, option: str) -> dict[str, Any]:
    """Like `json_or_file`, for options that take a JSON object and nothing else."""
    value = json_or_file(text, option)
    if not isinstance(value, dict):
        raise BadValue(
            f"{option}: {_shown(text)} is JSON, but not an object.", hint='Give an object: {"key": "value"}.'
        )
    return value


def parse_json(text: str) -> Any:
    """Strict JSON: NaN and Infinity, which Python would take and the hub would not, are refused.

    Raises ValueError.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def bytes_of_file(path: str, option: str) -> bytes:
    """What is in a file. Raises BadValue when it is not there, or too large."""
    found = _existing_file(path)
    if found is None:
        raise BadValue(f"{option}: there is no file {_shown(path)}.")
    try:
        if found.stat().st_size > MAX_FILE_BYTES:
            raise BadValue(f"{option}: {path} is larger than {MAX_FILE_BYTES // 1024**2} MB.")
        return found.read_bytes()
    except OSError as err:
        raise BadValue(f"{option}: {path} cannot be read: {err.strerror}.") from err


def text_of(content: bytes, option: str) -> str:
    """Bytes of a file as text: UTF-8, or UTF-16 with its mark, as PowerShell's > writes. Raises BadValue."""
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise BadValue(f"{option}: it is not text in UTF-8.") from None


def whole_number(text: str, option: str) -> int:
    """A whole number, negative ones included. Raises BadValue."""
    try:
        return int(text.strip())
    except ValueError:
        raise BadValue(f"{option}: {_shown(text)} is not a whole number, for example 200.") from None


def at_least(value: int, least: int, option: str) -> int:
    """`value`, when it is `least` or more. Raises BadValue."""
    if value < least:
        raise BadValue(f"{option} {value}: give {least} or more.")
    return value


def key_values(text: str, option: str) -> dict[str, str]:
    """ "a=1;b=x=y" -> {"a": "1", "b": "x=y"}.

    Raises BadValue for a part without "=", an empty key, or a key that stands twice.
    """
    pairs: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise BadValue(f"{option}: {_shown(part)} is not key=value.", hint=f"Give {option} 'key=value;key=value'.")
        if key in pairs:
            raise BadValue(f"{option}: the key {_shown(key)} stands twice.")
        pairs[key] = value
    if not pairs:
        raise BadValue(f"{option} is empty.", hint=f"Give {option} 'key=value;key=value', or leave it out.")
    return pairs


def _existing_file(text: str) -> Path | None:
    try:
        path = Path(text)
        return path if text and path.is_file() else None
    except (OSError, ValueError):  # a name that no file system takes
        return None


def _json_file(path: Path, option: str) -> Any:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadValue(f"{option}: {path} is larger than {MAX_FILE_BYTES // 1024**2} MB.")
        return parse_json(path.read_text(encoding="utf-8-sig"))  # Windows editors write a byte order mark
    except OSError as err:
        raise BadValue(f"{option}: {path} cannot be read: {err.strerror}.") from err
    except ValueError as err:
        raise BadValue(f"{option}: {path} does not hold JSON: {err}.") from err


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON value")


def _shown(text: str) -> str:
    """A text as it may stand in an error: one line, escaped, not long."""
    shown = repr(text)
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}…"
