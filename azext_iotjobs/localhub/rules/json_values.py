"""JSON as a hub accepts it: read strictly, written compactly. Pure."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

LONE_SURROGATE = re.compile("[\ud800-\udfff]")

MAX_DEPTH = 100  # nested arrays and objects; far below what would exhaust the stack of a recursive function
WHITE_SPACE = " \t\n\r"
Json = Any  # None, bool, int, float, str, list and dict of these


class WithTwice(dict[str, Any]):
    """The members of an object that has one of them twice; the last one of a name counts."""

    name_twice = ""


def parse_json(data: bytes | str) -> Json:
    """Parse strict JSON: no NaN, no Infinity, at most MAX_DEPTH levels. Raises ValueError.

    Of members of the same name the last one counts, as it does for many readers of JSON.
    """
    return _parsed(data, _DECODER)


def parse_json_with_twice(data: bytes | str) -> Json:
    """As `parse_json`; an object that has a member twice is a WithTwice. Raises ValueError."""
    return _parsed(data, _TWICE_DECODER)


def members_or_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these members, for json's `object_pairs_hook`; a WithTwice where one is there twice."""
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    found = WithTwice(members)
    found.name_twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
    return found


def path_of_twice(value: Json) -> tuple[str | int, ...] | None:
    """Names and numbers that lead to the first member that is there twice; None where there is none."""
    if isinstance(value, WithTwice):
        return (value.name_twice,)
    for step, inner in _steps(value):
        if (found := path_of_twice(inner)) is not None:
            return (step, *found)
    return None


def _parsed(data: bytes | str, decoder: json.JSONDecoder) -> Json:
    text = _text(data)
    try:
        value = _decoded(text, decoder)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if len(text) > MAX_DEPTH and _brackets(text) > MAX_DEPTH and _is_deep(value):
        raise ValueError("nested too deeply")
    return value


def dump_json(value: Json) -> str:
    """Compact JSON text, which can be encoded as UTF-8."""
    text = _ENCODER.encode(value)
    # A lone surrogate is valid JSON, but has no UTF-8 form: it is written as an escape. The search takes longer than
    # the encoding; isascii takes no time.
    if not text.isascii() and LONE_SURROGATE.search(text):
        text = _ASCII_ENCODER.encode(value)
    return text


def _text(data: bytes | str) -> str:
    if isinstance(data, str):
        return data
    # As json.loads does, which accepts UTF-16 and UTF-32 too, lone surrogates and a BOM.
    return data.decode(json.detect_encoding(data), "surrogatepass")


def _decoded(text: str, decoder: json.JSONDecoder) -> Json:
    """As the decoder's `decode`, which looks for white space twice."""
    if text[:1] in WHITE_SPACE:
        return decoder.decode(text)
    value, end = decoder.raw_decode(text)
    return value if end == len(text) else decoder.decode(text)


def _brackets(text: str) -> int:
    return text.count("[") + text.count("{")


def _is_deep(value: Json) -> bool:
    """Whether arrays and objects are nested more than MAX_DEPTH levels deep."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for each in level for inner in _inner(each)]
    return any(isinstance(each, (dict, list)) for each in level)


def _inner(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _steps(value: Json) -> Iterator[tuple[str | int, Json]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


# json.loads and json.dumps would create such an object at every call.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
_TWICE_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite, object_pairs_hook=members_or_twice)
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_ASCII_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
