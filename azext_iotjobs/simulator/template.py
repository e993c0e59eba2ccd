"""Payload templates: JSON whose texts may hold ${…}. Pure: random numbers and time come with the scope.

    {"id": "${device}", "took": "${random.int(1, 6)}", "said": "version ${request.version | \\"none\\"} it is"}

A text that is one ${…} and nothing else becomes its value, with its type; within other text a value is written as JSON,
a text as it is. `$${` stands for `${`. A template is compiled once and shared by all devices.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass  # noqa: TID251 (slots: a fleet has many)
from typing import Any

from azext_iotjobs.simulator.expressions import Render, Scope, expression

OPENING = "${"
ESCAPED = "$${"


class BadTemplate(ValueError):
    """A text that is not a template; `path` says where in the whole it stands, as keys and positions."""

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template."""

    render: Render  # gives the JSON value


def constant(value: Any) -> Template:
    """A template that is `value` as it is, even if it holds ${…}."""
    return Template(_Constant(value))


def compiled(value: Any, names: Collection[str] = ()) -> Template:
    """Compile a JSON value.

    names: what may be used beside the names in `expressions.ALWAYS`.
    Raises BadTemplate.
    """
    return Template(_compiled(value, names, ()))


class _Constant:
    """A value that all devices share: nobody changes a payload once it is made."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, _scope: Scope) -> Any:
        return self.value


def _compiled(value: Any, names: Collection[str], path: tuple[str | int, ...]) -> Render:
    if isinstance(value, str) and OPENING in value:
        try:
            return _text(value, names)
        except ValueError as err:
            raise BadTemplate(str(err), path) from None
    if isinstance(value, Mapping):
        return _object(value, names, path)
    if isinstance(value, list):
        items = [_compiled(inner, names, (*path, index)) for index, inner in enumerate(value)]
        if not all(isinstance(inner, _Constant) for inner in items):
            return lambda scope: [render(scope) for render in items]
    return _Constant(value)


def _object(value: Mapping[str, Any], names: Collection[str], path: tuple[str | int, ...]) -> Render:
    for key in value:
        if OPENING in key:
            raise BadTemplate(f"{key!r} is the name of a member; only values may hold ${{…}}", (*path, key))
    members = [(key, _compiled(inner, names, (*path, key))) for key, inner in value.items()]
    if all(isinstance(inner, _Constant) for _, inner in members):
        return _Constant(value)
    return lambda scope: {key: render(scope) for key, render in members}


def _text(text: str, names: Collection[str]) -> Render:
    parts: list[str | Render] = []
    at = 0
    while (start := text.find(OPENING, at)) >= 0:
        if text.startswith(ESCAPED, start - 1) and start > at:
            parts.append(text[at : start - 1] + OPENING)
            at = start + len(OPENING)
            continue
        end = _end_of(text, start + len(OPENING))
        parts += [text[at:start], expression(text[start + len(OPENING) : end].strip(), names)]
        at = end + 1
    parts = [part for part in (*parts, text[at:]) if part != ""]
    if all(isinstance(part, str) for part in parts):
        return _Constant("".join(part for part in parts if isinstance(part, str)))
    if len(parts) == 1 and not isinstance(parts[0], str):
        return parts[0]
    return lambda scope: "".join(part if isinstance(part, str) else as_text(part(scope)) for part in parts)


def as_text(value: Any) -> str:
    """A JSON value within other text: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_body(value: Any) -> bytes:
    """A JSON value as the body of a message."""
    # Surrogates, which have no UTF-8 form, are written as escapes, as JSON allows.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _end_of(text: str, start: int) -> int:
    """The position of the } that ends an expression; one within quotes or inner braces does not."""
    depth, in_quotes, at = 0, False, start
    while at < len(text):
        letter = text[at]
        if in_quotes:
            at += letter == "\\"
            in_quotes = letter != '"'
        elif letter == '"':
            in_quotes = True
        elif letter == "{":
            depth += 1
        elif letter == "}":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    raise ValueError(f"{_shown(text[start - len(OPENING) :])} does not end with a }}; for a plain ${{ write $${{")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
