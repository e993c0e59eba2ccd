"""What may be the id of a device, a module, a job and the like, and what an etag may be. Pure.

Strategy: alphabets and lengths as the service documents them, and never dots alone: an HTTP library takes `.` and `..`
out of a path before it sends it, so that a request about a module would be one about its device. `%2e` is a dot to
whoever decodes it once more on the way, so that counts as one.
"""

from typing import NamedTuple

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import Text

MAX_SHOWN = 60
MAX_ETAG_CHARACTERS = 256  # the service's own have about 16
DIGITS = "0123456789"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
STEPS = (".", "..")  # of a path: this level, and the one above


class Address(NamedTuple):
    """A device, or a module on it."""

    device_id: str
    module_id: str | None = None

    def __str__(self) -> str:
        """As messages name it."""
        return f"{'device' if self.module_id is None else 'module'} {name_of(self.device_id, self.module_id)}"


def name_of(device_id: str, module_id: str | None) -> str:
    """What rows and messages call a device, or one of its modules: pump-1, pump-1/camera."""
    return device_id if module_id is None else f"{device_id}/{module_id}"


class IdKind(NamedTuple):
    """What an id of this kind is made of."""

    name: str
    signs: str  # beside letters and digits
    alphabet: frozenset[str]
    most: int  # characters
    taken: tuple[str, ...]  # in small letters: what stands for something else where such an id would stand

    @property
    def rule(self) -> str:
        """For people."""
        return f"A {self.name} has 1 to {self.most} of A-Z, a-z, 0-9 and {' '.join(self.signs)}"


def _kind(name: str, signs: str, most: int, taken: tuple[str, ...] = ()) -> IdKind:
    return IdKind(name, signs, frozenset(LETTERS + DIGITS + signs), most, taken)


DEVICE = _kind("device id", "-:;.+%_#*?!(),=@$'", 128)  # IoT Hub devguide "identity registry"; swagger has : and ;
MODULE = _kind("module id", DEVICE.signs, 128)
# IoT Hub devguide "jobs": letters, digits, dash; live hubs take ' too. GET /jobs/v2/query lists all jobs.
JOB = _kind("job id", "-'", 64, taken=("query",))
LOCK_TOKEN = _kind("lock token", "-_.~=+", 256)  # a UUID so far
CERTIFICATE = _kind("certificate name", "-_.", 64)  # of a local hub
FAULT = _kind("fault id", "-", 20)  # of a local hub


def can_be(kind: IdKind, text: str) -> bool:
    """Whether a text can be an id of this kind."""
    return (
        0 < len(text) <= kind.most
        and not _is_step(text)
        and text.lower() not in kind.taken
        and kind.alphabet.issuperset(text)
    )


def looks_like_connection_string(text: str) -> bool:
    """Whether a text is meant as a connection string, be it a broken one: then it may hold a key, and is not shown."""
    lower = text.lower()
    return "sharedaccess" in lower or ("hostname=" in lower and ";" in lower)


def check_file_name(text: str, name: str) -> None:
    """Raise BadValue for what is the content of a file in place of its name: it may hold keys, and is not shown.

    az puts the content in the place of @file.  name: what takes the file's name, for errors.
    """
    if "\n" in text or "-----BEGIN" in text:
        raise BadValue(
            f"{name}: what was given is the content of a file.", hint=f"Give its name, without @: {name} FILE"
        )


def _is_step(text: str) -> bool:
    return text.lower().replace("%2e", ".") in STEPS


def check_id(kind: IdKind, text: str, where: str | None = None) -> None:
    """Raise BadValue for a text that is not an id of this kind.

    where: what gave it, a Field or a file's line, for the error; None: the error names the kind alone.
    """
    start = Text() if where is None else Text(where, ": ")
    if not text:
        raise BadValue(Text(where or f"The {kind.name}", " is empty."), hint=kind.rule)
    if looks_like_connection_string(text):  # it may hold a key, and a short one could pass for an id
        raise BadValue(
            Text(start, f"this is a connection string, not a {kind.name}."),
            hint=Text.of("The connection strings of devices go into a file: {devices_file} FILE")
            if kind is DEVICE
            else kind.rule,
        )
    if can_be(kind, text):
        return
    shown = repr(text[:MAX_SHOWN])
    if _is_step(text):
        raise BadValue(
            Text(
                start,
                f"{shown} is not a {kind.name}: in a path it means ",
                "the same level." if text in (".", "%2e", "%2E") else "the level above.",
            ),
            hint="Three or more dots, or dots with other characters, are allowed: .x",
        )
    if text.lower() in kind.taken:
        raise BadValue(Text(start, f"{shown} is not a {kind.name}: the hub reserves that word."), hint=kind.rule)
    length = f" It has {len(text)} characters." if len(text) > kind.most else ""
    raise BadValue(Text(start, f"{shown} is not a {kind.name}.{length}"), hint=kind.rule)


def check_etag(text: str, where: str | None = None) -> None:
    """Raise BadValue for what a header cannot carry as an etag; it may stand in quotes.

    Source: RFC 9110 8.8.3, without what is not ASCII.
    """
    bare = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if not bare:
        raise BadValue(
            Text(where or "The etag", " is empty."), hint="Give the etag that the hub showed; * is any, and so is none."
        )
    if len(bare) > MAX_ETAG_CHARACTERS or any(not "!" <= each <= "~" or each == '"' for each in bare):
        raise BadValue(
            Text(where or "The etag", f": {text[:MAX_SHOWN]!r} is not an etag."),
            hint="Give it as the hub showed it: printable ASCII without spaces and quotes; * is any.",
        )


def in_lists(text: str) -> str:
    """An id as it stands among others with commas between them, typed or shown: in double quotes if it holds one."""
    return f'"{text}"' if "," in text else text
