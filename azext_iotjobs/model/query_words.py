"""Words of other query languages in a query or condition: what IoT Hub's has instead. Pure.

A hub takes any condition of a job, which then fails and keeps its id for 30 days; of a query it says that it is wrong
and not where. So what other languages have and this one has not is refused before it is sent.
Source: IoT Hub devguide "query language" and, for functions of another place, "routing query syntax".
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from azext_iotjobs.model.condition_tokens import COMPARISONS, NOTHING, Token, tokens_of
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import Text

LANGUAGE = (
    "The language has = != <> < > <= >=, AND, OR, NOT, IN ['a', 'b'], NIN ['a', 'b'], IS_DEFINED(path), "
    "STARTSWITH(path, 'text') and ARRAY_CONTAINS(path, 'item')."
)
EXAMPLE = "'a', 'b'"
MAX_SHOWN = 200  # characters of a piece that is shown
# In any case; of the functions of message routing those that have no other meaning here.
ELSEWHERE = frozenset(
    """ABS EXP POWER SQUARE CEILING FLOOR SIGN SQRT AS_NUMBER IS_ARRAY IS_BOOL IS_NUMBER IS_OBJECT IS_PRIMITIVE
    IS_STRING CONCAT LENGTH LOWER UPPER SUBSTRING INDEX_OF ENDS_WITH ENDSWITH CONTAINS TRIM REPLACE REGEXMATCH ISNUMBER
    LEN UCASE LCASE CAST COALESCE NOW GETDATE""".split()
)
INSTEAD_OF_FUNCTION = {
    "STARTS_WITH": "STARTSWITH(tags.site, 'north')",
    "IS_NULL": "tags.site = null, or NOT IS_DEFINED(tags.site) where it is not there",
    "ISNULL": "tags.site = null, or NOT IS_DEFINED(tags.site) where it is not there",
    "ISDEFINED": "IS_DEFINED(tags.site)",
    "EXISTS": "IS_DEFINED(tags.site)",
    "HAS": "IS_DEFINED(tags.site)",
}
CUT = Text.of("Limit a query's result with {top}, and the devices that a command operates with {max_devices}.")
SIGNS = {"==": "=", "&&": "AND", "||": "OR"}


class Foreign(NamedTuple):
    """What a text holds that is of another language, and what to write."""

    seen: str
    instead: str


def check_words(text: str, where: str) -> None:
    """Raise BadValue for words that the query language has not, with what it has instead.

    text: a whole query, or a condition.  where: what gave it, for the error.
    """
    found = next(foreign_words(text), None)
    if found is not None:
        raise BadValue(
            Text(where, f": the query language has no {found.seen}."), hint=Text(found.instead, f" {LANGUAGE}")
        )


def foreign_words(text: str) -> Iterator[Foreign]:
    """What is of another language, in its order."""
    tokens = tokens_of(text)
    for number, here in enumerate(tokens):
        before = tokens[number - 1] if number else NOTHING
        behind = [*tokens[number + 1 : number + 3], NOTHING, NOTHING]
        if here.text in SIGNS:
            yield Foreign(here.text, f"Write {SIGNS[here.text]}.")
        elif here.text == ";" and number == len(tokens) - 1:
            yield Foreign("; at the end", "Leave it out.")
        elif here.kind == "name" and before.text != "." and behind[0].text not in (".", *COMPARISONS):
            yield from _at_name(text, tokens, number, behind)


def _at_name(text: str, tokens: Sequence[Token], number: int, behind: Sequence[Token]) -> Iterator[Foreign]:
    here, then, last = tokens[number], behind[0], behind[1]
    path = _path_before(text, tokens, number)
    match here.word:
        case "NOT" if then.word == "IN":
            yield Foreign("NOT IN", f"Write {path} NIN {_array(text, tokens, number + 2)}.")
        case "IN" | "NIN" if then.text == "(":
            yield Foreign(f"{here.word} (…)", f"Write {path} {here.word} {_array(text, tokens, number + 1)}.")
        case "LIKE" if then.kind == "string":
            yield Foreign("LIKE", _instead_of_like(_path_before(text, tokens, number, over="NOT"), then.text))
        case "IS" if then.word == "NULL" and _is_operand(tokens, number):
            yield Foreign("IS NULL", f"Write {path} = null, or NOT IS_DEFINED({path}) where it is not there.")
        case "IS" if (then.word, last.word) == ("NOT", "NULL"):
            yield Foreign("IS NOT NULL", f"Write {path} != null, or IS_DEFINED({path}) where it is there at all.")
        case "BETWEEN" if _is_operand(tokens, number):
            yield Foreign("BETWEEN", f"Write {path} >= 1 AND {path} <= 9.")
        case "ORDER" if then.word == "BY":
            yield Foreign("ORDER BY", Text.of('az can sort the result: {query} "sort_by(@, &deviceId)".'))
        case "LIMIT" | "OFFSET" if then.kind == "number":
            yield Foreign(here.word, CUT)
        case "DISTINCT":
            yield Foreign("DISTINCT", "Write SELECT tags.site, COUNT() AS n FROM devices GROUP BY tags.site.")
        case "HAVING" | "UNION" | "JOIN" if _is_operand(tokens, number):
            yield Foreign(here.word, Text.of('az can filter the result: {query} "[?n > `5`]".'))
        case _ if then.text == "(":
            yield from _at_call(here, last)


def _at_call(here: Token, argument: Token) -> Iterator[Foreign]:
    if here.word == "COUNT" and argument.text != ")":
        yield Foreign("COUNT of something", "Write SELECT COUNT() AS n FROM devices, with nothing between.")
    elif here.word in INSTEAD_OF_FUNCTION:
        yield Foreign(f"{here.text}()", f"Write {INSTEAD_OF_FUNCTION[here.word]}.")
    elif here.word in ELSEWHERE:
        yield Foreign(f"{here.text}() for devices", "Some functions exist for message routing only.")


def _instead_of_like(path: str, pattern: str) -> str:
    start = re.fullmatch(r"""(['"])([^%_\\]+)%\1""", pattern)
    if start is None:
        return f"Write STARTSWITH({path}, 'north') for a beginning, {path} = 'north' for the whole text."
    return f"Write STARTSWITH({path}, {start[1]}{start[2]}{start[1]})."


def _is_operand(tokens: Sequence[Token], number: int) -> bool:
    """Whether something stands before that can be compared."""
    before = tokens[number - 1] if number else NOTHING
    return before.kind in ("name", "escaped", "string", "number") or before.text in (")", "]", "*")


def _path_before(text: str, tokens: Sequence[Token], number: int, over: str = "") -> str:
    """The path that ends before a token, as it was written; one word `over` may stand between."""
    end = number - 1
    if over and end >= 0 and tokens[end].word == over:
        end -= 1
    begin = end
    while begin >= 2 and tokens[begin - 1].text == "." and tokens[begin].kind in ("name", "escaped"):
        begin -= 2
    if begin < 0 or tokens[begin].kind not in ("name", "escaped"):
        return "deviceId"
    return _shown(text[tokens[begin].begin : tokens[end].end], "deviceId")


def _array(text: str, tokens: Sequence[Token], number: int) -> str:
    """What stands in parentheses from a token on, as the array that it must be."""
    close = next((each for each in tokens[number:] if each.text == ")"), None)
    is_list = number < len(tokens) and tokens[number].text == "(" and close is not None
    inner = text[tokens[number].end : close.begin].strip() if is_list and close is not None else ""
    return f"[{_shown(inner, EXAMPLE)}]"


def _shown(piece: str, otherwise: str) -> str:
    return piece if 0 < len(piece) <= MAX_SHOWN and piece.isprintable() else otherwise
