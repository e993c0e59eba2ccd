"""Text as typed -> values: files, key=value lists, whole numbers. JSON is read by json_option.py."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.ids import check_file_name

MAX_FILE_BYTES = 16 * 1024 * 1024  # far above every limit of the hub's; a wrong path must not fill the memory
SHOWN_CHARACTERS = 60  # of a wrong value in an error


def bytes_of_file(path: str, option: str) -> bytes:
    """The content of a file. Raises BadValue when it does not exist, is too large or cannot be read."""
    found = existing_file(path)
    if found is None:
        check_file_name(path, option)
        raise BadValue(f"{option}: {not_a_file(path)}", hint=f"Relative paths begin in {Path.cwd()}.")
    try:
        if found.stat().st_size > MAX_FILE_BYTES:
            raise BadValue(f"{option}: {path} is larger than {MAX_FILE_BYTES // 1024**2} MB.")
        return found.read_bytes()
    except OSError as err:
        raise BadValue(f"{option}: {path} cannot be read: {err.strerror}.") from err


def text_of_file(path: str, option: str) -> str:
    """The text in a file, in any encoding of `text_of`. Raises BadValue."""
    return text_of(bytes_of_file(path, option), option, path)


def text_of(content: bytes, option: str, source: str) -> str:
    """Bytes as text: UTF-8, or UTF-16 or UTF-32, which PowerShell's > writes.

    content: with or without a byte order mark.  option, source: where it came from, for errors.
    Raises BadValue for another encoding.
    """
    try:
        return content.decode(json.detect_encoding(content))
    except UnicodeDecodeError as err:
        raise BadValue(f"{option}: {source} is not text ({err.reason} at byte {err.start}).") from err


def whole_number(text: str, option: str) -> int:
    """A whole number, negative ones included. Raises BadValue."""
    try:
        return int(text.strip())
    except ValueError:
        raise BadValue(f"{option}: {shown(text)} is not a whole number, for example 200.") from None


def at_least(value: int, least: int, option: str) -> int:
    """`value`, if it is `least` or more.

    option: its name, for errors.  Raises BadValue for less.
    """
    if value < least:
        raise BadValue(f"{option} {value}: give {least} or more.")
    return value


def key_values(text: str, option: str) -> dict[str, str]:
    """ "a=1;b=x=y" -> {"a": "1", "b": "x=y"}.

    Raises BadValue for a part without "=", an empty key, or a key that is given twice.
    """
    pairs: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise BadValue(f"{option}: {shown(part)} is not key=value.", hint=f"Give {option} 'key=value;key=value'.")
        if key in pairs:
            raise BadValue(f"{option}: the key {shown(key)} is given twice.")
        pairs[key] = value
    if not pairs:
        raise BadValue(f"{option} is empty.", hint=f"Give {option} 'key=value;key=value', or leave it out.")
    return pairs


def existing_file(text: str) -> Path | None:
    """The file with this path; None when there is none."""
    try:
        path = Path(text)
        return path if text and path.is_file() else None
    except (OSError, ValueError):  # a name that no file system allows
        return None


def not_a_file(text: str) -> str:
    """Says why a path does not name a file."""
    if os.path.isdir(text):
        return f"{shown(text)} is a folder."
    if os.path.exists(text):
        return f"{shown(text)} is a pipe or device, and no file."
    return f"there is no file {shown(text)}."


def shown(text: str) -> str:
    """A value as errors show it: quoted, escaped, on one line, shortened."""
    shown = repr(text)
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}…"


def chosen_words(typed: Sequence[str] | None, known: Sequence[str], option: str) -> frozenset[str]:
    """The words of an option that takes several of `known`.

    typed: each alone, or several with commas between them; None: none.  known: in lower case.
    Raises BadValue for another word.
    """
    if typed is None:
        return frozenset()
    words = [word.strip().lower() for each in typed for word in each.split(",")]
    unknown = [word for word in words if word not in known]
    if unknown:
        raise BadValue(f"{option} {shown(unknown[0])}: choose from {', '.join(known)}, with commas between them.")
    return frozenset(words)


def wanted_labels(pairs: Sequence[str]) -> Mapping[str, str | None]:
    """Labels to search for: name=value, or a name alone for any value (None). Raises BadValue."""
    wanted: dict[str, str | None] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name.strip():
            raise BadValue(f"--labels: {shown(pair)} names no label.", hint="--labels ring=2 owner")
        if name in wanted:
            raise BadValue(f"--labels: {shown(name)} is given twice.", hint="A fleet job has one value of each label.")
        wanted[name] = value if equals else None
    return wanted
