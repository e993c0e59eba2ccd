"""Documents of IoT Central's REST API: which kind each is, and its members by their types. Pure.

Strategy: a member that is there is what the API says that it is, or the document is refused. Nothing is guessed.
Source: IoT Central data plane 2022-07-31: Job, ScheduledJob, DeviceGroup, and their collections.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from azext_iotjobs.central.report import Kind, SourceDocument
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import Text

MAX_DOCUMENTS = 10_000  # IoT Central keeps 30 days of jobs, and has 500 device groups at most
MAX_SHOWN = 60
NUMBER = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
PAGE, NEXT_PAGE = "value", "nextLink"


def documents_in(content: object, source: str) -> Iterator[SourceDocument]:
    """The documents of a file: one object, a list of them, or a page of the API.

    source: what to call the file.  Raises BadValue for JSON that is neither.
    """
    if isinstance(content, dict) and not is_page(content):
        yield SourceDocument(source, content)
        return
    items = content[PAGE] if isinstance(content, dict) else content
    if not isinstance(items, list):
        raise BadValue(
            Text(source, " is JSON, but no document of IoT Central's: neither an object nor a list of them."),
            hint='Give what its API answers: one job, scheduled job or device group, a list, or {"value": […]}.',
        )
    for number, item in enumerate(items, start=1):
        yield SourceDocument(f"{source}[{number}]", item)


def is_page(content: object) -> bool:
    """Whether JSON is a page of the API: a collection."""
    return isinstance(content, dict) and isinstance(content.get(PAGE), list) and "data" not in content


def has_next_page(content: object) -> bool:
    """Whether more documents are behind a page."""
    return isinstance(content, dict) and is_page(content) and bool(content.get(NEXT_PAGE))


def kind_of(document: Mapping[str, Any]) -> Kind:
    """What a document is, by the members that only its kind has."""
    if document.get("data") is not None:
        return Kind.JOB if document.get("schedule") is None else Kind.SCHEDULED_JOB
    return Kind.UNRECOGNISED if document.get("filter") is None else Kind.DEVICE_GROUP


def text_of(document: Mapping[str, Any], name: str, most: int) -> str:
    """A member that is text on one line; "" where there is none.

    most: how many characters it may have.  Raises BadValue.
    """
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadValue(f"{name} is {type_of(value)}, and not text.")
    if any("\ud800" <= each <= "\udfff" for each in value):
        raise BadValue(f"{name} has half of a character, which is not text.")
    if len(value) > most:
        raise BadValue(f"{name} has {len(value)} characters, at most {most} are allowed.")
    return value


def name_of(document: Mapping[str, Any], name: str, most: int) -> str:
    """As `text_of`, for a text that names something: without control characters and line breaks."""
    text = text_of(document, name, most)
    if not text.isprintable():
        raise BadValue(f"{name} has control characters or line breaks.")
    return text


def object_of(value: object, name: str) -> Mapping[str, Any]:
    """A value that is a JSON object. name: whose it is, for the error. Raises BadValue."""
    if not isinstance(value, dict):
        raise BadValue(f"{name} is {type_of(value)}, and not an object.")
    return value


def flag_of(document: Mapping[str, Any], name: str) -> bool | None:
    """A member that is true or false; None where there is none. Raises BadValue."""
    value = document.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadValue(f"{name} is {type_of(value)}, and not true or false.")
    return value


def type_of(value: object) -> str:
    """The JSON type of a value, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, list) else "an object"


def is_number_as_text(value: object) -> bool:
    """Whether a value is text that reads like a number."""
    return isinstance(value, str) and NUMBER.fullmatch(value) is not None


def shown(text: str) -> str:
    """A text of a document's as it may stand in a message: quoted, escaped and not long."""
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…")


def others(document: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    """The members that are there and not null, without those that are known."""
    without = frozenset(known)
    return [name for name, value in document.items() if name not in without and value is not None]
