"""What JSON a hub accepts: a type for it, and how to read it strictly."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn

LONE_SURROGATE = re.compile("[\ud800-\udfff]")

MAX_DEPTH = 100  # arrays and objects inside each other; far below what would exhaust the stack of whoever walks it
Json = Any  # None, bool, int, float, str, list and dict of these


def parse_json(data: bytes | str) -> Json:
    """Strict JSON: no NaN, no Infinity, no nesting that would break us. Raises ValueError."""
    try:
        value = _DECODER.decode(_text(data))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _brackets(data) > MAX_DEPTH and _is_deep(value):
        raise ValueError("nested too deeply")
    return value


def dump_json(value: Json) -> str:
    """Compact JSON text, which can be encoded as UTF-8."""
    text = _ENCODER.encode(value)
    # Half of a surrogate pair is JSON, but has no UTF-8: write it as an escape. Looking for one takes longer than
    # writing all of the text; that it is plain ASCII is known at once.
    if not text.isascii() and LONE_SURROGATE.search(text):
        text = _ASCII_ENCODER.encode(value)
    return text


def _text(data: bytes | str) -> str:
    if isinstance(data, str):
        return data
    # As json.loads does it, so that what it takes is taken: UTF-16 and UTF-32 too, half surrogates, a BOM.
    return data.decode(json.detect_encoding(data), "surrogatepass")


def _brackets(data: bytes | str) -> int:
    if isinstance(data, str):
        return data.count("[") + data.count("{")
    return data.count(b"[") + data.count(b"{")


def _is_deep(value: Json) -> bool:
    """Whether arrays and objects are inside each other more than MAX_DEPTH times."""
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


# json.loads and json.dumps make such an object at every call with settings of one's own.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_ASCII_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
