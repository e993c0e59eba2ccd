"""Write docs/reference/local-hub-rest.json: OpenAPI 3.1 of the hub's own REST, from its table of routes.

`make docs` calls this; a test keeps the file equal to what it produces, `make check` validates it.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from azext_iotjobs._version import VERSION
from azext_iotjobs.localhub.http.own_request import JSON, Answer, OwnForm
from azext_iotjobs.localhub.http.route import Caller, Route
from azext_iotjobs.localhub.http.routes import ROUTES
from azext_iotjobs.localhub.rules.own_document import Member

Example = dict[str, Any]  # route, target, status; body and answer, where there are such

PATH = Path(__file__).parents[1] / "reference" / "local-hub-rest.json"
EXAMPLES: list[Example] = json.loads((Path(__file__).parent / "local_rest_examples.json").read_text(encoding="utf-8"))
PARTS = {
    "id": "a device id",
    "certificate": "a name for the CA: 1 to 64 letters, digits and ._-",
    "fault": "the id of a fault",
}
DESCRIPTION = (
    "What a local IoT hub of the Azure CLI extension iotjobs serves beside the service's own REST API, for tests and "
    "tools. Unknown parameters and members, wrong types and values out of range are refused with 400; null is as if a "
    "member were absent."
)
TYPES: Mapping[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dict: "object",
    list: "array",
}
BOUNDS: Mapping[type, tuple[str, str]] = {
    str: ("minLength", "maxLength"),
    int: ("minimum", "maximum"),
    float: ("minimum", "maximum"),
    list: ("minItems", "maxItems"),
}
TOKEN = {
    "type": "apiKey",
    "in": "header",
    "name": "Authorization",
    "description": "A SAS token by the key of the policy iothubowner: "
    "`SharedAccessSignature sr=HOST&sig=SIGNATURE&se=EXPIRY&skn=iothubowner`",
}
ERROR = {
    "type": "object",
    "description": "As IoT Hub's own errors; the header iothub-errorcode has the code alone.",
    "required": ["Message", "ExceptionMessage"],
    "properties": {
        "Message": {
            "type": "string",
            "description": "ErrorCode:CODE;what is wrong: its path, what was seen, what may be",
        },
        "ExceptionMessage": {"type": "string", "description": "the tracking id, which the hub's log has too"},
    },
}
FILES = {"application/zip"}  # which have no schema
COMMON = {
    "400": "What the request has is not allowed: the message says where, and what is.",
    "401": "The key is wrong.",
}


def own_routes() -> list[Route]:
    """The rows of the hub's own routes, in their order."""
    return [route for route in ROUTES if route.form is not None]


def form_of(route: Route) -> OwnForm:
    """What a request of an own route may have."""
    assert route.form is not None
    return route.form


def document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, Any] = {}
    for route in own_routes():
        paths.setdefault(route.path, {})[route.verb.lower()] = _operation(route)
    responses = {name: _error_response(text, _error_example(name)) for name, text in COMMON.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "The local hub's own REST", "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": "https://localhost:{port}", "variables": {"port": {"default": "8443"}}}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": TOKEN},
            "schemas": {"Error": ERROR, **{_name(each): _schema_here(each) for each in titled().values()}},
            "responses": {f"Error{name}": each for name, each in responses.items()},
        },
    }


def titled() -> dict[str, Member]:
    """The documents that are described once, by their titles, sorted."""
    found: dict[str, Member] = {}
    for route in own_routes():
        for answer in form_of(route).answers.values():
            for each in _all_members(answer.document):
                if each.title:
                    found[each.title] = each
    return dict(sorted(found.items()))


def _all_members(member: Member | None) -> list[Member]:
    if member is None:
        return []
    inner = [*(member.members or {}).values(), *([member.each] if member.each else [])]
    return [member, *(each for one in inner for each in _all_members(one))]


def example_of(route: Route, status: int) -> Example | None:
    """The first example of a route with a status."""
    target = f"{route.verb} {route.path}"
    return next((each for each in EXAMPLES if (each["route"], each["status"]) == (target, status)), None)


def _operation(route: Route) -> dict[str, Any]:
    form = form_of(route)
    subject = route.path.split("/")[2]
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "tags": [subject],
        "summary": route.what,
    }
    if parameters := [*_path_parameters(route.path), *(_parameter(*each) for each in form.query.items())]:
        operation["parameters"] = parameters
    if form.file_type is not None:
        operation["requestBody"] = {"required": True, "content": {form.file_type: {}}}
    elif form.body is not None:
        operation["requestBody"] = {"required": True, "content": _body(route, form)}
    if route.caller is Caller.ANYBODY:
        operation["security"] = []
    operation["responses"] = _responses(route, form)
    return operation


def _operation_id(route: Route) -> str:
    parts = [f"By{part[1:-1].title()}" if part[0] == "{" else _joined(part) for part in route.path.split("/")[2:]]
    return route.verb.lower() + "".join(parts)


def _joined(text: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"\W+", text))


def _name(member: Member) -> str:
    return _joined(member.title)


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", path)
    return [
        {"name": name, "in": "path", "required": True, "description": PARTS[name], "schema": {"type": "string"}}
        for name in names
    ]


def _parameter(name: str, member: Member) -> dict[str, Any]:
    parameter = {"name": name, "in": "query", "schema": _schema(member, is_described=False)}
    return {**parameter, "required": member.is_required, **({"description": member.what} if member.what else {})}


def _body(route: Route, form: OwnForm) -> dict[str, Any]:
    whole = next((each for each in titled().values() if each.members is form.body), None)
    schema = _reference(whole) if whole else _schema_here(Member(kind=dict, members=form.body))
    example = next(
        (each for each in EXAMPLES if each["route"] == f"{route.verb} {route.path}" and "body" in each), None
    )
    shown = {} if example is None else {"example": example["body"]}
    return {media: {"schema": schema, **(shown if media == JSON else {})} for media in form.body_types}


def _responses(route: Route, form: OwnForm) -> dict[str, Any]:
    responses: dict[str, Any] = {
        str(status): _response(route, status, answer) for status, answer in sorted(form.answers.items())
    }
    for name in COMMON:
        if name == "400" or route.caller is Caller.OWNER:
            responses[name] = {"$ref": f"#/components/responses/Error{name}"}
    return dict(sorted(responses.items()))


def _response(route: Route, status: int, answer: Answer) -> dict[str, Any]:
    if status >= 400 and answer.document is None:
        return _error_response(answer.what, example_of(route, status))
    response: dict[str, Any] = {"description": answer.what}
    if route.verb == "HEAD" or (answer.document is None and answer.media_type == JSON):
        return response
    if answer.media_type in FILES:
        return {**response, "content": {answer.media_type: {}}}
    schema = {"type": "string"} if answer.document is None else _schema(answer.document)
    example = example_of(route, status)
    shown = {} if example is None else {"example": example["answer"]}
    return {**response, "content": {answer.media_type: {"schema": schema, **shown}}}


def _error_response(what: str, example: Example | None) -> dict[str, Any]:
    shown = {} if example is None else {"example": example["answer"]}
    return {"description": what, "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}, **shown}}}


def _error_example(status: str) -> Example | None:
    return next((each for each in EXAMPLES if str(each["status"]) == status), None)


def _reference(member: Member) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{_name(member)}"}


def _schema(member: Member, *, is_described: bool = True) -> dict[str, Any]:
    return _reference(member) if member.title else _schema_here(member, is_described=is_described)


def _schema_here(member: Member, *, is_described: bool = True) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if member.kind is not object:
        name = TYPES[member.kind]
        schema["type"] = [name, "null"] if member.may_be_null else name
    if member.what and is_described:
        schema["description"] = member.what
    if member.one_of:
        schema["enum"] = list(member.one_of)
    bounds = zip(BOUNDS.get(member.kind, ()), (member.least, member.most), strict=False)
    schema.update({bound: value for bound, value in bounds if value is not None})
    if member.text_format == "byte":
        schema["contentEncoding"] = "base64"
    elif member.text_format is not None:
        schema["format"] = member.text_format
    if member.default is not None:
        schema["default"] = member.default
    return {**schema, **_inner(member)}


def _inner(member: Member) -> dict[str, Any]:
    """What is said of what is inside an object or an array."""
    if member.members is not None:
        required = [name for name, each in member.members.items() if each.is_required]
        return {
            **({"required": required} if required else {}),
            "properties": {name: _schema(each) for name, each in member.members.items()},
            "additionalProperties": False,
        }
    if member.each is None:
        return {}
    return {"items" if member.kind is list else "additionalProperties": _schema(member.each)}


def text() -> str:
    """What the file holds."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Make it anew."""
    PATH.write_text(text(), encoding="utf-8")
