"""The hub's own routes, all of the table: what they do not know they refuse with 400, and nothing has changed."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azext_iotjobs.localhub.http.own_request import JSON
from azext_iotjobs.localhub.http.route import Caller, Route
from azext_iotjobs.localhub.http.routes import ROUTES
from azext_iotjobs.localhub.rules.own_document import Member
from tests.helpers.hub_process import HubProcess
from tests.helpers.kept_connection import KeptConnection, Seen
from tests.helpers.short_form import examples

OWN = [route for route in ROUTES if route.form is not None]
PARTS = {"id": "pump-1", "certificate": "root", "fault": "1"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptConnection]:
    with HubProcess(tmp_path_factory.mktemp("own"), "--in-memory") as process:
        process.new_device("pump-1")
        process.local.fault("no-ack", device="pump-1")
        connection = KeptConnection(process)
        yield connection
        connection.close()


def state_of(hub: KeptConnection) -> Any:
    """All that a request to an own route could have changed."""
    paths = ("/_local/seed?keys=true", "/_local/faults", "/_local/certificates", "/_local/events", "/devices/pump-1")
    return [hub.hub.ok("GET", path) for path in paths]


def ask(
    hub: KeptConnection, route: Route, query: list[tuple[str, str]] | None = None, body: bytes | None = None
) -> Seen:
    path = route.path.format_map(PARTS)
    parameters = urlencode(query or [], quote_via=quote, errors="surrogatepass")
    return hub.request(route.verb, f"{path}?{parameters}", body=body or b"")


def refused(hub: KeptConnection, route: Route, *, query: list[tuple[str, str]] | None = None, body: Any = None) -> str:
    """What the hub says of a request that it refuses."""
    seen = ask(hub, route, query, None if body is None else json.dumps(body).encode())
    assert seen.status == 400, (route.path, query, body, seen)
    if route.verb == "HEAD":
        return ""
    message = json.loads(seen.body)["Message"]
    assert message.startswith("ErrorCode:ArgumentInvalid;")
    return str(message)


def wrong_values(member: Member) -> list[Any]:
    """Values that a member may not have: of other kinds, and outside of its range."""
    if member.kind is object:
        return []
    values: list[Any] = ["x", 1, 1.5, True, {}, [], "\ud800"]
    odd = [value for value in values if not member.holds(value)]
    if member.kind in (int, float):
        odd += [limit for limit in (_below(member.least), _above(member.most)) if limit is not None]
    if member.kind is str and not member.one_of and member.most is not None:
        odd.append("x" * (int(member.most) + 1))
    return odd


def _below(limit: float | None) -> float | None:
    return None if limit is None else limit - 1


def _above(limit: float | None) -> float | None:
    return None if limit is None else limit + 1


def a_good_one(members: dict[str, Member]) -> dict[str, Any]:
    """A body that has what it must have."""
    return {name: member.one_of[0] if member.one_of else "x" for name, member in members.items() if member.is_required}


def test_each_own_route_has_a_form_and_the_services_routes_have_none() -> None:
    assert {route.path for route in OWN} == {route.path for route in ROUTES if route.path.startswith("/_local/")}
    assert len(OWN) > 20
    with pytest.raises(ValueError, match="GET /_local/new: the hub's own routes have a form"):
        Route("GET", "/_local/new", Caller.OWNER, None, OWN[0].handler, "something new")


@pytest.mark.parametrize("route", OWN, ids=lambda route: f"{route.verb} {route.path}")
def test_what_a_route_does_not_know_it_refuses_and_does_nothing(hub: KeptConnection, route: Route) -> None:
    assert route.form is not None
    before = state_of(hub)
    assert "'valve': There is no such parameter. There may be" in refused(hub, route, query=[("valve", "1")]) or (
        route.verb == "HEAD"
    )
    for name, member in route.form.query.items():
        for value in wrong_values(member):
            if isinstance(value, (str, int, float)) and not (member.kind is str and not isinstance(value, str)):
                assert f";{name}: " in refused(hub, route, query=[(name, str(value))])
        assert f";{name}: It is there twice." in refused(hub, route, query=[(name, "1"), (name, "1")])
    if route.form.file_type is not None:
        assert "This is not a snapshot" in refused(hub, route, body={"valve": 1})
    elif route.form.body is None:
        assert route.verb == "HEAD" or ";The body must be empty, and has 12 bytes." in refused(
            hub, route, body={"valve": 1}
        )
    else:
        refused_bodies(hub, route, dict(route.form.body), is_in_words=route.form.body_types == (JSON,))
    assert state_of(hub) == before


def refused_bodies(hub: KeptConnection, route: Route, members: dict[str, Member], *, is_in_words: bool) -> None:
    """Have bodies refused: unknown members, wrong values, required ones that are missing, what is no object."""
    good = a_good_one(members)
    assert "valve: " in refused(hub, route, body={**good, "valve": 1}).replace("'", "")
    for name, member in members.items():
        for value in wrong_values(member):
            text = refused(hub, route, body={**good, name: value})
            assert not is_in_words or (f";{name}: " in text and "is not allowed. It is " in text)
        if member.is_required:
            assert f";{name}: It is missing. It is " in refused(hub, route, body={**good, name: None})
    wholes: list[Any] = [[], "x", 1, True]
    for whole in wholes:
        refused(hub, route, body=whole)


KNOWN = sorted({name for route in OWN if route.form for name in (*route.form.query, *(route.form.body or ()))})
NAMES = st.one_of(st.sampled_from([*KNOWN, "Wait", "wait ", "", "\ud800"]), st.text(max_size=8))
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.lists(st.none(), max_size=2))
TEXTS = st.one_of(st.sampled_from(["", "0", "-1", "1.5", "true", "9" * 2000, "x"]), st.text(max_size=8))


def test_whatever_the_parameters_are_the_answer_is_400_unless_all_are_known(hub: KeptConnection) -> None:
    routes = [route for route in OWN if route.verb != "HEAD"]
    before = state_of(hub)

    @settings(examples(80, 3_000))
    @given(st.sampled_from(routes), st.lists(st.tuples(NAMES, TEXTS), min_size=1, max_size=3))
    def any_request(route: Route, query: list[tuple[str, str]]) -> None:
        assert route.form is not None
        if all(name in (*route.form.query, "api-version") for name, _ in query):
            return
        seen = ask(hub, route, query)
        text = seen.body.decode()
        is_said = "There may be" in text or "It is there twice." in text  # whichever it comes upon first
        assert seen.status == 400 and is_said, (route, query, seen)

    any_request()
    assert state_of(hub) == before


def test_whatever_the_members_are_the_answer_is_400_unless_all_are_known(hub: KeptConnection) -> None:
    before = state_of(hub)

    @settings(examples(80, 3_000))
    @given(st.sampled_from(OWN), st.dictionaries(NAMES, VALUES, min_size=1, max_size=3))
    def any_request(route: Route, members: dict[str, Any]) -> None:
        assert route.form is not None
        if set(members) <= set(route.form.body or ()):
            return
        seen = ask(hub, route, body=json.dumps(members).encode())
        assert seen.status == 400, (route, members, seen)

    any_request()
    assert state_of(hub) == before
