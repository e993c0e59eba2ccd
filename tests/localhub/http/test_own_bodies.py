"""Bodies that the hub's own routes refuse: what was seen, what is allowed, and an example that can be pasted."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from azext_iotjobs.localhub.http.own_request import JSON
from azext_iotjobs.localhub.http.route import Route
from azext_iotjobs.localhub.http.routes import ROUTES
from azext_iotjobs.localhub.rules.own_document import Member, read_members
from azext_iotjobs.localhub.rules.seed import SEED, read_seed
from azext_iotjobs.localhub.rules.seed_examples import EXAMPLES
from tests.helpers.hub_process import HubProcess
from tests.helpers.kept_connection import KeptConnection

PARTS = {"id": "pump-1", "certificate": "root", "fault": "1"}
WRONG: dict[str, tuple[Any, str]] = {
    "a number": (7.5, "7.5, a number,"),
    "a whole number": (7, "7, a number,"),
    "a text": ("seven", "'seven', a text,"),
    "true or false": (True, "true"),
    "an array": ([7], "[7], an array,"),
    "an object": ({"x": 7}, '{"x": 7}, an object,'),
}


class Case(NamedTuple):
    """A member of a body, and a kind of value that it may not have."""

    route: Route
    name: str
    wrong: str

    def __str__(self) -> str:
        return f"{self.route.verb} {self.route.path} {self.name} {self.wrong}"


TAKING = [route for route in ROUTES if route.form is not None and route.form.body is not None]
STRICT = [route for route in TAKING if route.form is not None and route.form.body_types == (JSON,)]


def members_of(route: Route) -> dict[str, Member]:
    assert route.form is not None and route.form.body is not None
    return dict(route.form.body)


CASES = [
    Case(route, name, wrong)
    for route in STRICT
    for name, member in members_of(route).items()
    for wrong, (value, _) in WRONG.items()
    if not member.is_of_kind(value)
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptConnection]:
    with HubProcess(tmp_path_factory.mktemp("bodies"), "--in-memory") as process:
        process.new_device("pump-1")
        connection = KeptConnection(process)
        yield connection
        connection.close()


def refused(hub: KeptConnection, route: Route, body: bytes) -> str:
    """What the hub says of a body that it refuses."""
    seen = hub.request(route.verb, route.path.format_map(PARTS), body=body)
    assert seen.status == 400, (route.path, body, seen)
    code, _, text = json.loads(seen.body)["Message"].partition(";")
    assert code == "ErrorCode:ArgumentInvalid"
    return str(text)


def good_body(route: Route) -> dict[str, Any]:
    assert route.form is not None
    return dict(route.form.example or {})


def pasted(text: str, after: str) -> Any:
    """The JSON behind some words of an error."""
    return json.JSONDecoder().raw_decode(text, text.index(after) + len(after))[0]


def test_the_table_has_every_route_that_takes_json() -> None:
    assert {f"{each.verb} {each.path}" for each in TAKING} == {
        "POST /_local/devices/{id}/messages",
        "PUT /_local/certificates/{certificate}",
        "POST /_local/seed",
        "POST /_local/faults",
        "POST /_local/clock",
    }
    assert len(CASES) > 100


@pytest.mark.parametrize("route", TAKING, ids=lambda route: f"{route.verb} {route.path}")
def test_what_errors_show_as_an_example_is_allowed(route: Route) -> None:
    good, members = good_body(route), members_of(route)
    if route not in STRICT:
        assert read_seed(good).devices
        return
    assert read_members(good, members).items() >= good.items() and good
    for name, member in members.items():
        assert member.one_of or read_members({**good, name: member.example}, members)[name] == member.example


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_value_of_a_wrong_kind_is_shown_with_its_path_and_with_one_that_is_allowed(
    hub: KeptConnection, case: Case
) -> None:
    member = members_of(case.route)[case.name]
    value, shown = WRONG[case.wrong]
    text = refused(hub, case.route, json.dumps({**good_body(case.route), case.name: value}).encode())
    assert text.startswith(f"{case.name}: {shown} is not allowed. It is {member.advice}")
    if member.one_of:
        assert pasted(text, "It is ") == member.one_of[0]
    else:
        assert pasted(text, ", such as ") == member.example


@pytest.mark.parametrize("route", STRICT, ids=lambda route: f"{route.verb} {route.path}")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The body must be a JSON object, and is null or nothing. It may have "),
        (b"null", "The body must be a JSON object, and is null or nothing. It may have "),
        (b"7", "The body must be a JSON object, and is a number. It may have "),
        (b'"7"', "The body must be a JSON object, and is a text. It may have "),
        (b"true", "The body must be a JSON object, and is true. It may have "),
        (b"[7]", "The body must be a JSON object, and is an array. It may have "),
        (
            b"{advance: 7}",
            "The body is not JSON: expecting property name enclosed in double quotes at line 1, column 2.",
        ),
        (b'{"valve": 7}', "'valve': There is no such member. There may be "),
        (b'{"valve": 7, "valve": 7}', "valve: It is there twice."),
        (b'{"valve": [{"x": 7, "x": 7}]}', "valve[0].x: It is there twice."),
    ],
)
def test_a_body_that_is_wrong_as_a_whole_is_shown_with_one_that_is_allowed(
    hub: KeptConnection, route: Route, body: bytes, said: str
) -> None:
    text = refused(hub, route, body)
    assert text.startswith(said)
    assert pasted(text, " A body that is allowed: ") == good_body(route)


@pytest.mark.parametrize("route", STRICT, ids=lambda route: f"{route.verb} {route.path}")
def test_each_member_that_is_there_twice_is_named_and_nothing_has_changed(hub: KeptConnection, route: Route) -> None:
    before = [hub.hub.ok("GET", f"/_local/{each}") for each in ("certificates", "faults", "clock")]
    for name, value in good_body(route).items():
        rest = json.dumps(good_body(route))[:-1]
        text = refused(hub, route, f"{rest}, {json.dumps(name)}: {json.dumps(value)}}}".encode())
        assert text.startswith(f"{name}: It is there twice. A body that is allowed: ")
    after = [hub.hub.ok("GET", f"/_local/{each}") for each in ("certificates", "faults", "clock")]
    assert [before[:2], before[2]["offsetSeconds"]] == [after[:2], after[2]["offsetSeconds"]]


@pytest.mark.parametrize("route", STRICT, ids=lambda route: f"{route.verb} {route.path}")
def test_what_is_missing_is_named_and_null_is_as_if_it_were(hub: KeptConnection, route: Route) -> None:
    good = good_body(route)
    for name, member in members_of(route).items():
        if member.is_required:
            for body in ({each: good[each] for each in good if each != name}, {**good, name: None}):
                text = refused(hub, route, json.dumps(body).encode())
                assert text.startswith(f"{name}: It is missing. It is {member.advice}")
                assert pasted(text, " A body that is allowed: ") == good


@pytest.mark.parametrize(
    ("target", "members", "said"),
    [
        ("devices/{id}/messages", {"body": "no base64!"}, "body: 'no base64!' is not allowed. It is base64, such as"),
        ("devices/{id}/messages", {"properties": {"from": 7}}, "properties.from: 7, a number, is not allowed. It is"),
        ("devices/{id}/messages", {"properties": {"from": None}}, "properties.from: null is not allowed. It is a text"),
        ("devices/{id}/messages", {"expiryTimeUtc": "soon"}, "expiryTimeUtc: 'soon' is not allowed. The text is not"),
        ("devices/{id}/messages", {"expiryTimeUtc": "2020-01-01"}, "expiryTimeUtc: '2020-01-01' is not allowed. A mes"),
        ("certificates/{certificate}", {"certificate": "x"}, "certificate: The certificate cannot be read. It is the"),
        ("clock", {"advance": "soon"}, "advance: 'soon' is not allowed. The clock only goes ahead: give a duration"),
    ],
)
def test_a_text_that_means_nothing_is_shown_with_one_that_does(
    hub: KeptConnection, target: str, members: dict[str, Any], said: str
) -> None:
    route = next(each for each in STRICT if each.path == f"/_local/{target}")
    text = refused(hub, route, json.dumps(members).encode())
    assert text.startswith(said)
    assert re.search(r'"[^"]+"', text)


def test_the_instant_that_is_shown_in_the_place_of_another_is_allowed(hub: KeptConnection) -> None:
    route = next(each for each in STRICT if each.path.endswith("/messages"))
    text = refused(hub, route, b'{"expiryTimeUtc": "soon"}')
    body = json.dumps({"expiryTimeUtc": pasted(text, "By the hub's clock, ")}).encode()
    assert hub.request("POST", "/_local/devices/pump-1/messages", body=body).status == 201


def seed_members(shape: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The name of each member that a seed may have, and its path."""
    if isinstance(shape, list):
        yield from seed_members(shape[0], f"{path}[0]")
    elif shape:
        for name, inner in shape.items():
            yield name, f"{path}.{name}".strip(".")
            yield from seed_members(inner, f"{path}.{name}".strip("."))


def seed_with(path: str, value: Any) -> dict[str, Any]:
    """A seed that has a value at a path, and else what it needs."""
    document: dict[str, Any] = {}
    steps = path.replace("[0]", ".0").split(".")
    place: Any = document
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if following is None:
            place[step] = value
        elif following == "0":
            needed = {"devices": "deviceId", "modules": "moduleId", "certificates": "name", "configurations": "id"}
            place[step] = [{needed[step]: "a"}]
            place = place[step][0]
        elif step != "0":
            place[step] = {}
            place = place[step]
    return document


@pytest.mark.parametrize(("name", "path"), list(seed_members(SEED)), ids=lambda text: str(text))
def test_a_member_of_a_seed_that_is_of_a_wrong_kind_is_shown_with_its_path(
    hub: KeptConnection, name: str, path: str
) -> None:
    route = next(each for each in TAKING if each not in STRICT)
    read_seed(seed_with(path, EXAMPLES[name]))  # no mistake
    for value in (7.5, "seven", True, [7], {"x": 7}):
        if type(value) is type(EXAMPLES[name]):
            continue
        text = refused(hub, route, json.dumps(seed_with(path, value)).encode())
        assert text.startswith(f"The seed: {path}: It has to be ")
        assert pasted(text, ", such as ") == EXAMPLES[name]
    twice = json.dumps(seed_with(path, 7)).replace(f'"{name}": ', f'"{name}": 7, "{name}": ')
    assert f"'{name}' is there twice." in refused(hub, route, twice.encode())
