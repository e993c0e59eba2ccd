"""The filter of an IoT Central device group as tokens. Pure."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from azext_iotjobs.central.documents import shown
from azext_iotjobs.model.errors import BadValue

MAX_CHARACTERS = 8192  # far above IoT Central's 350; of an IoT Hub's query, too
KEYWORDS = frozenset("SELECT FROM WHERE AND OR NOT IN TRUE FALSE NULL".split())
_TOKEN = re.compile(
    r"""
      (?P<text> '(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" )
    | (?P<number> -?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?(?![\w.]) )
    | (?P<name> \$?[A-Za-z_]\w* )
    | (?P<comparison> <= | >= | <> | != | = | < | > )
    | (?P<sign> [()\[\],.*] )
    | (?P<space> \s+ )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Token(NamedTuple):
    """A piece of a filter."""

    kind: str  # keyword, name, text, number, comparison, sign; end
    text: str  # as it stands in the filter; a keyword in capitals
    place: int  # its first character; 1 is the first one

    @property
    def where(self) -> str:
        """What it is and where, for errors."""
        return "its end" if self.kind == "end" else f"{shown(self.text)} at character {self.place}"


def tokens_of(text: str) -> list[Token]:
    """The tokens of a filter, and one for its end. Raises BadValue for a character that begins none."""
    if len(text) > MAX_CHARACTERS:
        raise BadValue(f"filter has {len(text)} characters, at most {MAX_CHARACTERS} are allowed.")
    return [*_tokens(text), Token("end", "", len(text) + 1)]


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            is_quote = text[place] in "'\""
            what = "a quote that is not closed" if is_quote else f"{shown(text[place])}, which begins nothing"
            raise BadValue(f"filter has {what}, at character {place + 1}.")
        kind, piece = str(found.lastgroup), found[0]
        if kind == "name" and piece.upper() in KEYWORDS:
            kind, piece = "keyword", piece.upper()
        if kind != "space":
            yield Token(kind, piece, place + 1)
        place = found.end()


def unquoted(token: Token) -> str:
    """What a text token means. Raises BadValue for an escape that is not one of a quote or a backslash."""
    inner = token.text[1:-1]
    for escape in _ESCAPED.finditer(inner):
        if escape[1] not in "'\"\\":
            raise BadValue(
                f"filter has {shown(escape[0])} in the text at character {token.place}: its meaning is not known."
            )
    return _ESCAPED.sub(r"\1", inner)
