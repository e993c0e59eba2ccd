"""Names of blobs, and where the files of blobs are in a container's folder. Pure.

Strategy: a blob whose name is plain on every system has a file of that name, so that people find it. Any other name
(`..`, a backslash, CON, letters that are written in two ways, a very long one) is a file named by the name's SHA-256:
no name of a blob leads out of the folder, or to another blob's file.
Source: Azure Storage "naming and referencing containers, blobs, and metadata"; Windows "naming files".
"""

import hashlib
import unicodedata
from pathlib import PurePosixPath

MAX_NAME_CHARACTERS = 1024
MAX_PART_BYTES, MAX_PATH_BYTES, MAX_PARTS = 120, 400, 20  # of what is plain; systems allow some more
PLAIN_CHARACTERS = frozenset(" -_.,=+@()[]{}!~'$&")
RESERVED = frozenset(
    "con prn aux nul conin$ conout$".split()
    + [f"{name}{digit}" for name in ("com", "lpt") for digit in "0123456789¹²³"]
)


def has_forbidden_character(name: str) -> bool:
    """Whether a name has a character that no name may have: a control character, or half of a surrogate pair."""
    return any(unicodedata.category(each) in ("Cc", "Cs") or each in "\ufffe\uffff" for each in name)


def is_blob_name(name: str) -> bool:
    """Whether a blob may have this name."""
    return 0 < len(name) <= MAX_NAME_CHARACTERS and not has_forbidden_character(name)


def plain_path(name: str) -> PurePosixPath | None:
    """The file of a blob below its container's folder, where its name is plain on every system; else None."""
    parts = name.split("/")
    if len(parts) > MAX_PARTS or len(name.encode()) > MAX_PATH_BYTES or not all(_is_plain(each) for each in parts):
        return None
    return PurePosixPath(*parts)


def hashed_name(name: str) -> str:
    """The name of a file for any other blob."""
    return hashlib.sha256(name.encode()).hexdigest()


def _is_plain(part: str) -> bool:
    is_spelled_plainly = all(each.isalnum() or each in PLAIN_CHARACTERS for each in part)
    if not part or len(part.encode()) > MAX_PART_BYTES or not is_spelled_plainly:
        return False
    if part[0] in ". ~" or part[-1] in ". " or unicodedata.normalize("NFC", part) != part:
        return False
    return part.partition(".")[0].rstrip().lower() not in RESERVED
