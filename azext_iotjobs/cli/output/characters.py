"""Characters that no terminal may get raw, or that an encoding lacks, and their escapes. Pure."""

from collections.abc import Callable

# For character classes of regular expressions.
DIRECTION_MARKS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # they turn the direction of the text beside them
LONE_SURROGATES = "\ud800-\udfff"  # halves of a character: no encoding has them
CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"  # all but tab and line feed


def encodable(text: str, encoding: str, escape: Callable[[str], str] | None = None) -> str:
    """`text` with what `encoding` does not have escaped.

    encoding: as Python names it; one that Python does not know changes nothing.
    escape: of one character; None: as Python writes it.
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(each if _has(encoding, each) else (escape or python_escape)(each) for each in text)
    except LookupError:  # who writes to such a file will report it
        pass
    return text


def python_escape(character: str) -> str:
    """A character as Python escapes it."""
    return character.encode("unicode_escape", "surrogatepass").decode()


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
