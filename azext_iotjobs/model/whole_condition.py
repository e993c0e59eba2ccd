"""A condition that is put behind WHERE, in parentheses, beside another: whether it stays one there. Pure.

Strategy: text and names in brackets aside, parentheses and brackets are closed in their order, and nothing ends the
condition or begins another part of a query. What the rest means is the hub's to judge.
"""

import re
from collections.abc import Iterator

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import Text

CLOSED_BY = {"(": ")", "[": "]"}
COLLECTION = re.compile(r"\s*FROM\s+[\w.]+(?:\s+(?:AS\s+)?(?!WHERE\b)\w+)?(?:\s+WHERE\b|\s*\Z)", re.IGNORECASE)
# A part of a query begins with its word; as a name that word stands behind or before a dot, or in [[ ]].
PIECE = re.compile(
    r"""
      (?P<text> '(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" )
    | (?P<name> \[\[ [^\[\]'"]* \]\] )
    | (?P<comment> -- | /\* | \*/ | // | \# )
    | (?P<part> (?<![\w.$-]) (?: SELECT | FROM | WHERE | (?:GROUP|ORDER)\s+BY ) (?![\w$-]|\s*\.|\s*[=!<>]) )
    | (?P<word> [\w$] [\w$]* (?: -(?!-) [\w$]+ )* )
    | (?P<sign> \S )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
HINT = "Give one whole condition, such as tags.site = 'A' AND (tags.ring = 1 OR tags.ring = 2)."


def check_whole(condition: str, where: str) -> None:
    """Raise BadValue for what would end, or become more than one condition, beside another one.

    where: what gave it, for the error.
    """
    open_since: list[re.Match[str]] = []
    for piece in _pieces(condition):
        kind, text = piece.lastgroup, piece[0]
        place = f"at character {piece.start() + 1}"
        if kind == "comment":
            raise BadValue(Text(where, f": {text} {place}: the query language has no comments."), hint=HINT)
        if kind == "part":
            word = " ".join(text.upper().split())
            raise BadValue(Text(where, f": {word} {place}: another part of a query begins there."), hint=HINT)
        if text in CLOSED_BY and kind == "sign":
            open_since.append(piece)
        elif text in CLOSED_BY.values() and kind == "sign":
            if not open_since or CLOSED_BY[open_since.pop()[0]] != text:
                raise BadValue(Text(where, f": {text} {place} closes what is not open there."), hint=HINT)
        elif text in (";", "'", '"', "\x00"):
            shown = "a quote" if text in "'\"" else repr(text)
            reason = "is opened and not closed" if text in "'\"" else "ends a condition"
            raise BadValue(Text(where, f": {shown} {place} {reason}."), hint=HINT)
    if open_since:
        raise BadValue(
            Text(where, f": {open_since[-1][0]} at character {open_since[-1].start() + 1} is not closed."), hint=HINT
        )


def _pieces(condition: str) -> Iterator[re.Match[str]]:
    collection = COLLECTION.match(condition)  # the beginning that a condition on modules has
    return PIECE.finditer(condition, collection.end() if collection else 0)
