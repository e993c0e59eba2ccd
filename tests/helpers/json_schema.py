"""As much of JSON Schema as our own schemas use; an unknown keyword is an error, so that nothing goes unchecked."""

import re
from collections.abc import Sized
from typing import Any

TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "null": type(None),
    "boolean": bool,
}
SILENT = {"description", "title", "$schema", "$defs"}


def problems(schema: Any, value: Any, root: dict[str, Any], path: str = "$") -> list[str]:
    """What is wrong with a value; nothing when it is valid."""
    if schema is True:
        return []
    found: list[str] = []
    for keyword, wanted in schema.items():
        if keyword not in SILENT:
            found += _KEYWORDS[keyword](wanted, value, schema, root, path)
    return found


def _is(kind: str, value: Any) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _unless(is_fine: bool, path: str, why: str) -> list[str]:
    return [] if is_fine else [f"{path}: {why}"]


def _type(wanted: Any, value: Any, _schema: Any, _root: Any, path: str) -> list[str]:
    kinds = [wanted] if isinstance(wanted, str) else wanted
    return _unless(any(_is(kind, value) for kind in kinds), path, f"no {wanted}")


def _properties(wanted: Any, value: Any, _schema: Any, root: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return []
    both = value.keys() & wanted.keys()
    return [each for key in both for each in problems(wanted[key], value[key], root, f"{path}.{key}")]


def _additional(wanted: Any, value: Any, schema: Any, root: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return []
    others = value.keys() - schema.get("properties", {}).keys()
    if wanted is False:
        return [f"{path}: {key} is unknown" for key in others]
    return [each for key in others for each in problems(wanted, value[key], root, f"{path}.{key}")]


def _items(wanted: Any, value: Any, _schema: Any, root: Any, path: str) -> list[str]:
    items = enumerate(value) if isinstance(value, list) else ()
    return [each for index, item in items for each in problems(wanted, item, root, f"{path}[{index}]")]


def _some_of(wanted: Any, value: Any, root: Any, path: str) -> int:
    return sum(not problems(each, value, root, path) for each in wanted)


def _length(value: Any, *kinds: type) -> int | None:
    return len(value) if isinstance(value, kinds) and isinstance(value, Sized) else None


def _at_least(*kinds: type) -> Any:
    def check(wanted: int, value: Any, _schema: Any, _root: Any, path: str) -> list[str]:
        length = _length(value, *kinds)
        return _unless(length is None or length >= wanted, path, f"fewer than {wanted}")

    return check


def _at_most(*kinds: type) -> Any:
    def check(wanted: int, value: Any, _schema: Any, _root: Any, path: str) -> list[str]:
        length = _length(value, *kinds)
        return _unless(length is None or length <= wanted, path, f"more than {wanted}")

    return check


_KEYWORDS: dict[str, Any] = {
    "type": _type,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "$ref": lambda w, v, s, r, p: problems(r["$defs"][w.rpartition("/")[2]], v, r, p),
    "anyOf": lambda w, v, s, r, p: _unless(_some_of(w, v, r, p) >= 1, p, "none of the forms"),
    "oneOf": lambda w, v, s, r, p: _unless(_some_of(w, v, r, p) == 1, p, "not one of the forms"),
    "enum": lambda w, v, s, r, p: _unless(v in w, p, f"none of {w}"),
    "const": lambda w, v, s, r, p: _unless(v == w, p, f"not {w}"),
    "required": lambda w, v, s, r, p: _unless(not isinstance(v, dict) or set(w) <= v.keys(), p, f"{w} are needed"),
    "dependentRequired": lambda w, v, s, r, p: [
        f"{p}: {key} needs {needs}" for key, needs in w.items() if key in v and not set(needs) <= v.keys()
    ],
    "pattern": lambda w, v, s, r, p: _unless(not isinstance(v, str) or bool(re.search(w, v)), p, "another pattern"),
    "minimum": lambda w, v, s, r, p: _unless(not _is("number", v) or v >= w, p, f"less than {w}"),
    "exclusiveMinimum": lambda w, v, s, r, p: _unless(not _is("number", v) or v > w, p, f"not more than {w}"),
    "maximum": lambda w, v, s, r, p: _unless(not _is("number", v) or v <= w, p, f"more than {w}"),
    "minProperties": _at_least(dict),
    "maxProperties": _at_most(dict),
    "minItems": _at_least(list),
    "maxItems": _at_most(list),
    "minLength": _at_least(str),
}
