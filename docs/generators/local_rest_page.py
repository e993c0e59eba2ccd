"""Write docs/reference/local-hub-rest.md from local-hub-rest.json, the OpenAPI document beside it.

`make docs` calls this; a test keeps the page equal to what it produces. The introduction is written here.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

FOLDER = Path(__file__).parents[1] / "reference"
PATH, SOURCE = FOLDER / "local-hub-rest.md", FOLDER / "local-hub-rest.json"
WIDTH = 110  # of JSON that stays on one line
HEAD = """# The local hub's own requests

<!-- Made by `make docs` from local-hub-rest.json. Do not edit. -->

What the [local hub](../how-to/local-hub.md) serves beside the service's own REST API, for tests and tools in any
language. `az iot local-hub` and [`LocalHub`](../how-to/testing.md) are clients of it.
[local-hub-rest.json](local-hub-rest.json) is the same as OpenAPI 3.1, for generators of clients. The requests of the
service are in [local-hub.md](local-hub.md#requests-over-https).

<!-- made: contents -->
<!-- end -->

## How to send a request

Over HTTPS, trusting the hub's CA, with a SAS token by the key of `iothubowner` in the header `Authorization`; both
are in [what the hub says when it is ready](../how-to/testing.md#without-pytest) (`caCertificatePath`,
`connectionString`). Only requests for which it says *no key* need none. An `api-version` may be there, and does not
matter.

```bash
az iot local-hub start --in-memory --detach -o none
CA=$(az iot local-hub show --query caCertificatePath -o tsv)
HUB=https://$(az iot local-hub show --query hostName -o tsv)
TOKEN=$(az iot hub generate-sas-token -n localhost --query sas -o tsv)      # valid for an hour
curl -sf --cacert $CA -H "Authorization: $TOKEN" "$HUB/_local/state"
curl -sf --cacert $CA -H "Authorization: $TOKEN" "$HUB/_local/faults" -d '{"kind": "status", "status": 503, "times": 1}'
az iot local-hub stop
```

The token is `SharedAccessSignature sr=HOST&sig=SIGNATURE&se=EXPIRY&skn=iothubowner`: HOST without a port, EXPIRY in
seconds since 1970, SIGNATURE the HMAC-SHA256, by the decoded key, of HOST, a line feed and EXPIRY, in base64 and
percent-encoded.

A body is JSON in UTF-8, whatever its `Content-Type`. A member that is `null` is as if it were absent. Instants are
ISO 8601 in UTC.

## What is refused

The hub takes nothing silently. A parameter or a member that it does not know, one that is there twice, of another
type or out of its range, and a body where there is none, are refused with 400, and nothing has changed. The error
says where the mistake is, what was seen, and what may be there, of a body with an example that can be pasted; it has
the form of IoT Hub's own errors, and its code is in the header `iothub-errorcode` too:

"""
REFUSED = """
| status | when |
|---|---|
| 400 | the request has something that may not be there, or lacks what must be |
| 401 | there is no token, it has ended, or it is not by the key of `iothubowner` |
| 404 | there is no such path, or nothing of this name |
| 405 | the path does not have this verb; the header `Allow` has those that it has |
| 413 | the body is too large: 1 MB, of a seed 64 MB, of a snapshot 1 GB |
| 429 | messages to devices only: the [tier](../how-to/local-hub.md#tiers) does not allow so many |
| 500, 503 | the hub has an internal error, or cannot use its store at present; `GET /_local/troubles` says more |
"""


def page(document: Json) -> str:
    """The page about an OpenAPI document, without its table of contents."""
    return "".join(_parts(document))


def _parts(document: Json) -> Iterator[str]:
    yield HEAD
    refusal = document["components"]["responses"]["Error400"]
    yield _fence("json", _pretty(_content(refusal)["example"])) + REFUSED
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            if verb != "head":
                yield f"\n## {verb.upper()} {path}\n\n" + "\n".join(
                    _operation(operation, is_alone="head" not in operations)
                )
    requested = json.dumps([each.get("post", {}).get("requestBody") for each in document["paths"].values()])
    for name, schema in document["components"]["schemas"].items():
        if name != "Error":
            is_answer = f"schemas/{name}" not in requested
            yield f"\n## {name}\n\n" + _table(_rows(schema, "", is_answer=is_answer))


def _operation(operation: Json, *, is_alone: bool) -> Iterator[str]:
    sentence = _sentence(operation["summary"])
    yield f"{sentence}{'' if operation.get('security') is None else ' *No key.*'}{'' if is_alone else ' Also HEAD.'}\n"
    if parameters := operation.get("parameters"):
        rows = [(f"`{each['name']}`", _allowed(each["schema"]), _what(each)) for each in parameters]
        yield "| parameter | is | |\n|---|---|---|\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)
    if "requestBody" in operation:
        yield from _body(operation["requestBody"]["content"])
    for status, response in operation["responses"].items():
        if "$ref" not in response:
            yield from _response(status, response)


def _body(content: Json) -> Iterator[str]:
    if "application/json" not in content:
        yield f"Body: the file ({', '.join(content)}).\n"
        return
    schema, example = content["application/json"]["schema"], content["application/json"]["example"]
    others = [each for each in content if each != "application/json"]
    yield f"Body{' (JSON or ' + ', '.join(others) + ')' if others else ''}{_named(schema)}:\n"
    if "$ref" not in schema:
        yield _table(_rows(schema, "", is_answer=False))
    yield _fence("json", _pretty(example))


def _response(status: str, response: Json) -> Iterator[str]:
    content = _content(response) if "content" in response else {}
    schema = content.get("schema", {})
    is_error = schema.get("$ref", "").endswith("/Error")
    yield f"**{status}** {response['description'].rstrip('.')}{'' if is_error else _named(schema)}.\n"
    if is_error or not schema:
        return
    if "properties" in (whole := schema.get("items", schema)):
        yield _table(_rows(whole, "", is_answer=True))
    if "example" in content:
        example = content["example"]
        yield _fence("text", example) if isinstance(example, str) else _fence("json", _pretty(example))


def _content(response: Json) -> Json:
    return dict(next(iter(response["content"].values())))


def _table(rows: Iterator[tuple[str, str, str]]) -> str:
    return "| member | is | |\n|---|---|---|\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _rows(schema: Json, path: str, *, is_answer: bool) -> Iterator[tuple[str, str, str]]:
    """Every member of an object, and what is in it, by their paths."""
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        at = f"{path}.{name}" if path else name
        words = "" if name in required or not is_answer else "may be absent"
        yield f"`{at}`", _allowed(inner), _what({**inner, "required": name in required and not is_answer}, words)
        yield from _rows(inner, at, is_answer=is_answer)
        if "properties" in inner.get("items", {}):
            yield from _rows(inner["items"], f"{at}[]", is_answer=is_answer)


def _what(described: Json, words: str = "") -> str:
    """What is said of a member or a parameter; of what is required, too, that it is."""
    required = "**required**" if described.get("required") is True else ""
    return "; ".join(filter(None, [required, described.get("description", ""), words]))


def _allowed(schema: Json) -> str:
    """What a value may be."""
    if "$ref" in schema:
        return _linked(schema)
    if "enum" in schema:
        return _with_default(", ".join(f"`{each}`" for each in schema["enum"]), schema)
    kinds = schema.get("type", "any JSON")
    words = " or ".join(kinds) if isinstance(kinds, list) else kinds
    if schema.get("format") == "date-time":
        words = "instant"
    if "contentEncoding" in schema:
        words = "base64"
    if kinds in ("array", "object") and (each := schema.get("items") or schema.get("additionalProperties")):
        words = f"{words} of {_linked(each) if '$ref' in each else each.get('type', 'any JSON')}s"
    return _with_default(", ".join(filter(None, [words, _limits(schema)])), schema)


def _limits(schema: Json) -> str:
    for kind, unit in (("imum", ""), ("Length", " characters"), ("Items", " items")):
        least, most = schema.get(f"min{kind}"), schema.get(f"max{kind}")
        if least is not None and most is not None:
            return f"{_number(least)} to {_number(most)}{unit}"
        if least is not None:
            return f"at least {_number(least)}{unit}"
        if most is not None:
            return f"at most {_number(most)}{unit}"
    return ""


def _number(value: float) -> str:
    return f"{int(value) if value == int(value) else value:,}"


def _with_default(words: str, schema: Json) -> str:
    default = schema.get("default")
    return words if default in (None, "", {}) else f"{words}; `{json.dumps(default)}` where absent"


def _named(schema: Json) -> str:
    """The document that a schema is, or has many of, linked."""
    if "$ref" in schema:
        return f": {_linked(schema)}"
    return f": an array of {_linked(schema['items'])}" if "$ref" in schema.get("items", {}) else ""


def _linked(schema: Json) -> str:
    name = schema["$ref"].rpartition("/")[2]
    return f"[{name}](#{name.lower()})"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _fence(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def _pretty(value: Any, indent: str = "") -> str:
    """JSON with what is short on one line."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) <= WIDTH or not isinstance(value, (dict, list)):
        return flat
    deeper = indent + "  "
    if isinstance(value, list):
        return "[\n" + ",\n".join(f"{deeper}{_pretty(each, deeper)}" for each in value) + f"\n{indent}]"
    members = [
        f"{deeper}{json.dumps(name, ensure_ascii=False)}: {_pretty(each, deeper)}" for name, each in value.items()
    ]
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"


def write() -> None:
    """Make it anew; its table of contents is written by contents.py."""
    PATH.write_text(page(json.loads(SOURCE.read_text(encoding="utf-8"))), encoding="utf-8")
