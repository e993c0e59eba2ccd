"""A condition that is put behind WHERE, in parentheses, beside another: whether it stays one there. Pure.

Strategy: text and names in brackets aside, parentheses and brackets are closed in their order, and nothing ends the
condition or begins another part of a query. What the rest means is the hub's to judge.
"""

import re
from collections.abc import Sequence

from azext_iotjobs.model.condition_tokens import NOTHING, Token, tokens_of
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import Text

CLOSED_BY = {"(": ")", "[": "]"}
COLLECTION = re.compile(r"\s*FROM\s+[\w.]+(?:\s+(?:AS\s+)?(?!WHERE\b)\w+)?(?:\s+WHERE\b|\s*\Z)", re.IGNORECASE)
PARTS = ("SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY")  # words that begin a part of a query
HINT = "Give one whole condition, such as tags.site = 'A' AND (tags.ring = 1 OR tags.ring = 2)."


def check_whole(condition: str, where: str) -> None:
    """Raise BadValue for what would end, or become more than one condition, beside another one.

    where: what gave it, for the error.
    """
    collection = COLLECTION.match(condition)  # what a condition on modules begins with
    open_since: list[Token] = []
    tokens = tokens_of(condition, collection.end() if collection else 0)
    for number, token in enumerate(tokens):
        text, place = token.text, f"at character {token.begin + 1}"
        if token.kind == "comment":
            raise BadValue(Text(where, f": {text} {place}: the query language has no comments."), hint=HINT)
        if (part := _part_at(tokens, number)) is not None:
            raise BadValue(Text(where, f": {part} {place}: another part of a query begins there."), hint=HINT)
        if text in CLOSED_BY:
            open_since.append(token)
        elif text in CLOSED_BY.values():
            if not open_since or CLOSED_BY[open_since.pop().text] != text:
                raise BadValue(Text(where, f": {text} {place} closes what is not open there."), hint=HINT)
        elif text in (";", "'", '"', "\x00"):
            shown = "a quote" if text in "'\"" else repr(text)
            reason = "is opened and not closed" if text in "'\"" else "ends a condition"
            raise BadValue(Text(where, f": {shown} {place} {reason}."), hint=HINT)
    if open_since:
        last = open_since[-1]
        raise BadValue(Text(where, f": {last.text} at character {last.begin + 1} is not closed."), hint=HINT)


def _part_at(tokens: Sequence[Token], number: int) -> str | None:
    """The part of a query that begins with this token; None: none does.

    As a name, its word stands directly behind a dot, or before a dot or a comparison; or in [[ ]].
    """
    here, behind, last = (*tokens[number : number + 3], NOTHING, NOTHING)[:3]
    before = tokens[number - 1] if number else NOTHING
    if before.text == "." and before.end == here.begin:
        return None
    pair = f"{here.word} {behind.word}"
    part, follower = (pair, last) if pair in PARTS else (here.word, behind)
    return part if part in PARTS and not follower.text.startswith((".", "=", "!", "<", ">")) else None
