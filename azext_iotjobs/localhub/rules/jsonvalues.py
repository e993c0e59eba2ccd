"""What JSON a hub accepts: a type for it, and how to read it strictly."""

import json
import math
import re
from typing import Any, NoReturn

HALF_CHARACTER = re.compile("[\ud800-\udfff]")

Json = Any  # None, bool, int, float, str, list and dict of these


def parse_json(data: bytes | str) -> Json:
    """Strict JSON: no NaN, no Infinity, no nesting that would break us. Raises ValueError."""
    try:
        return json.loads(data, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dump_json(value: Json) -> str:
    """Compact JSON text, which can be encoded as UTF-8."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    if HALF_CHARACTER.search(text):  # half of a surrogate pair is JSON, but has no UTF-8: write it as an escape
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
