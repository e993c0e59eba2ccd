"""JSON as a hub accepts it: read strictly, written compactly. Pure."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn

LONE_SURROGATE = re.compile("[\ud800-\udfff]")

MAX_DEPTH = 100  # nested arrays and objects; far below what would exhaust the stack of a recursive function
WHITE_SPACE = " \t\n\r"
Json = Any  # None, bool, int, float, str, list and dict of these


def parse_json(data: bytes | str) -> Json:
    """Parse strict JSON: no NaN, no Infinity, at most MAX_DEPTH levels. Raises ValueError."""
    text = _text(data)
    try:
        value = _decoded(text)
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


def _decoded(text: str) -> Json:
    """As the decoder's `decode`, which looks for white space twice."""
    if text[:1] in WHITE_SPACE:
        return _DECODER.decode(text)
    value, end = _DECODER.raw_decode(text)
    return value if end == len(text) else _DECODER.decode(text)


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


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


# json.loads and json.dumps would create such an object at every call.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_ASCII_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
