"""A job's condition, checked before it is sent: a hub takes any text, and the job fails later. Pure.

Strategy: single words and signs are checked, no grammar. What no hub can take is refused and explained; for what merely
looks wrong there is a warning. The rest is left to the hub.
"""

import re
from collections.abc import Iterator, Sequence

from azext_iotjobs.model.condition_tokens import COMPARISONS, NOTHING, Token, neighbours, tokens_of
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import Text

# Words of IoT Hub's query language, IoT Hub devguide "query language"; as names they stand in [[ ]].
RESERVED = set("SELECT TOP FROM WHERE GROUP BY AS AND OR NOT IN NIN TRUE FALSE NULL UNDEFINED".split())
CONSTANTS = {"TRUE", "FALSE", "NULL", "UNDEFINED"}
# Reserved in the languages beside it (Azure Digital Twins, Cosmos DB); whether a hub minds them is not known.
PERHAPS_RESERVED = set("ALL ASC BETWEEN CASE DESC DISTINCT EXISTS HAVING JOIN LIKE LIMIT OFFSET ORDER VALUE".split())
# What a path can begin with; anything else on the right of a comparison is text without its quotes.
ROOTS = set(
    """
    devices tags properties capabilities deviceid moduleid status statusreason connectionstate lastactivitytime
    statusupdatetime etag version authenticationtype devicescope parentscopes modelid
    """.split()
)
CURLY = "“”„‟‘’‚‛"
MAX_SHOWN = 300  # characters of a corrected condition

PLAIN_STRING = r"""'[^']*'|"[^"]*\""""  # where a backslash is a character like any other


def check_condition(condition: str, where: str) -> None:
    """Raise BadValue for a condition that no hub can take, with what is to be written instead.

    condition: not blank.  where: what gave it, for the error.
    """
    tokens = tokens_of(condition)
    _check_begin(condition, tokens, where)
    for token in tokens:
        if token.text in CURLY:
            raise BadValue(
                Text(where, f" has a typographic quote, {token.text}, at character {token.begin + 1}."),
                hint="Write plain ones: deviceId = 'pump-1'.",
            )
    if any(token.text in ("'", '"') for token in tokens) and _is_open(re.sub(PLAIN_STRING, "", condition)):
        raise BadValue(
            Text(where, ": a quote is opened and not closed."), hint="Text stands in quotes: tags.site = 'A'."
        )
    if reserved := [here for before, here, behind in neighbours(tokens) if _is_name_reserved(before, here, behind)]:
        words = ", ".join(dict.fromkeys(token.text for token in reserved))
        raise BadValue(
            Text(
                where,
                f": {words} is a word of the query language; a name that is spelled so is written in double brackets.",
            ),
            hint=_shown("Write", where, _bracketed(condition, reserved)),
        )


def doubts(condition: str) -> list[str]:
    """What looks wrong in a condition that may be right, each as a sentence; [] for most."""
    tokens = tokens_of(condition)
    found = [doubt for window in neighbours(tokens) for doubt in _doubts_at(*window)]
    found += _unquoted(tokens)
    if any(token.text in ("'", '"') for token in tokens) and not _is_open(re.sub(PLAIN_STRING, "", condition)):
        found.append("a backslash before a quote makes the quote part of the text; a shell may have left it there.")
    return found


def _is_open(rest: str) -> bool:
    return "'" in rest or '"' in rest


def _check_begin(condition: str, tokens: Sequence[Token], where: str) -> None:
    first, second = tokens[0], tokens[1] if len(tokens) > 1 else NOTHING
    if len(tokens) == 1 and first.kind == "string":
        raise BadValue(
            Text(where, f" {_piece(condition.strip())} is in quotes as a whole: cmd does not remove single quotes."),
            hint=_shown("Write", where, first.text[1:-1]),
        )
    if second.text == "." or second.text in COMPARISONS:
        return  # a name, if a badly chosen one
    if first.word == "SELECT":
        raise BadValue(
            Text(where, " is a whole query; a job takes only what follows WHERE."),
            hint=_shown("Give", where, _where_part(condition, tokens)),
        )
    if first.word == "WHERE":
        raise BadValue(
            Text(where, " begins with WHERE; the hub puts that word before it."),
            hint=_shown("Leave it out", where, condition[first.end :].strip()),
        )


def _where_part(condition: str, tokens: Sequence[Token]) -> str:
    words = [token.word for token in tokens]
    where = words.index("WHERE") if "WHERE" in words else None
    rest = "*" if where is None else condition[tokens[where].end :].strip()
    if "FROM" in words and condition[tokens[words.index("FROM")].end :].lower().lstrip().startswith("devices.modules"):
        return "FROM devices.modules" if where is None else f"FROM devices.modules WHERE {rest}"
    return rest


def _is_name_reserved(before: Token, here: Token, behind: Token) -> bool:
    """Whether a reserved word stands where a name must: in a path, or on the left of a comparison."""
    if here.word not in RESERVED:
        return False
    if before.text == "." or behind.text == ".":
        return True
    return behind.text in COMPARISONS and here.word not in CONSTANTS


def _doubts_at(before: Token, here: Token, behind: Token) -> Iterator[str]:
    if here.word in PERHAPS_RESERVED and (before.text == "." or behind.text in (".", *COMPARISONS)):
        yield f"{here.text} may be a reserved word; [[{here.text}]] is safe as a name."
    if here.text == "==":
        yield "== is not a comparison of the query language; write =."
    if here.text in ("&&", "||"):
        yield f"{here.text} is not a word of the query language; write {'AND' if here.text == '&&' else 'OR'}."
    if here.word == "STARTS_WITH" and behind.text == "(":
        yield "STARTS_WITH is a function of message routing; for twins it is STARTSWITH."


def _unquoted(tokens: Sequence[Token]) -> Iterator[str]:
    """Names where a value must stand: text whose quotes a shell ate."""
    in_list = False
    for number, (before, here, behind) in enumerate(neighbours(tokens)):
        if here.text in "[]" and here.kind == "sign":
            in_list = here.text == "["
        is_value = before.text in COMPARISONS or (in_list and before.text in "[,")
        is_name = here.kind == "name" and here.word not in CONSTANTS | {"NOT"} and here.text.lower() not in ROOTS
        if is_value and is_name and behind.text != "(":
            left = tokens[number - 2].text if number > 1 and before.text in COMPARISONS else "deviceId"
            name = _piece(here.text)
            yield (
                f"{name} has no quotes, so it is a name and not text; a shell may have removed them. For text, write "
                f"{_piece(left)} = '{name}', with double quotes around the whole condition."
            )


def _piece(text: str) -> str:
    """A piece of a condition as it may stand in a message: not long, and without control characters."""
    piece = text[:60]
    return piece if piece.isprintable() else repr(piece)[1:-1]


def _bracketed(condition: str, names: list[Token]) -> str:
    for token in reversed(names):
        condition = f"{condition[: token.begin]}[[{token.text}]]{condition[token.end :]}"
    return condition


def _shown(verb: str, where: str, condition: str) -> Text:
    """A condition as it is typed: in double quotes, which every shell knows, where nothing in it minds them."""
    if not condition or len(condition) > MAX_SHOWN or not condition.isprintable():
        condition = "tags.site = 'A'"
    if set(condition) & set('"$`\\!%'):
        return Text(f"{verb}: {condition}")
    return Text(f"{verb}: ", where, f' "{condition}"')
