"""A condition or query as tokens: the words, texts and signs of IoT Hub's query language. Pure."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

COMPARISONS = {"=", "!=", "<>", "<", ">", "<=", ">=", "=="}
TOKEN = re.compile(
    r"""
      (?P<string> '(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" )
    | (?P<escaped> \[\[ [^\[\]'"]* \]\] )
    | (?P<comment> -- | /\* | \*/ | // | \# )
    | (?P<name> (?: [^\W\d] | \$[\w$] ) [\w$]* (?: -(?!-) [\w$]+ )* )
    | (?P<number> \d [\w.$]* (?: -(?!-) [\w$]+ )* )
    | (?P<sign> <= | >= | <> | != | == | && | \|\| | \S )
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A piece of a condition."""

    kind: str  # the name of its group in TOKEN
    text: str
    begin: int
    end: int

    @property
    def word(self) -> str:
        """A name in capitals, "" for anything else."""
        return self.text.upper() if self.kind == "name" else ""


NOTHING = Token("nothing", "", 0, 0)


@lru_cache(maxsize=2)  # several checks go over one condition, which may name hundreds of devices
def tokens_of(text: str, begin: int = 0) -> tuple[Token, ...]:
    """The tokens of a text from the character `begin` on."""
    return tuple(Token(str(found.lastgroup), found[0], *found.span()) for found in TOKEN.finditer(text, begin))


def neighbours(tokens: Sequence[Token]) -> Iterator[tuple[Token, Token, Token]]:
    """Each token, between the one before it and the one behind it."""
    return zip([NOTHING, *tokens[:-1]], tokens, [*tokens[1:], NOTHING], strict=True)
