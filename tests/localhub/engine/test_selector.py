"""Queries over the hub's own tables: every name, pages while rows come and go, and what a query may cost."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.http.queries import queried_twin
from azext_iotjobs.localhub.query.evaluate import answer
from azext_iotjobs.localhub.query.grouped_sql import SORT_KEY, grouped_result
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.twin import new_twin, patch_by_device, patch_by_service
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities, Identity
from azext_iotjobs.localhub.store.twins import Twins
from tests.localhub.query.generated import EXAMPLES

AT = "2026-05-01T08:00:00.0000000Z"
ALL = 1000


class Registry:
    """A database with devices, and queries over it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.identities = Identities(database, Twins(database))
        self.selector = Selector(database)

    def add(self, device_id: str, tags: dict[str, Any] | None = None, **other: Any) -> None:
        twin = patch_by_service(new_twin(AT), tags=tags or {}, desired={"fan": {"speed": 2}}, now_text=AT)
        twin = patch_by_device(twin, {"temp": 21.5, "on": True}, AT)
        self.identities.create(Identity(device_id=device_id, generation_id="g", etag=7, sign_in="sas", **other), twin)

    def found(self, text: str) -> list[str]:
        query = parse_query(text)
        rows = self.selector.page(query.collection, query.where, after=0, count=ALL)
        return ["/".join(filter(None, (row["device_id"], row["module_id"]))) for row in rows]

    def groups(self, text: str, after: str = "", count: int = ALL) -> list[tuple[str, dict[str, Any]]]:
        query = parse_query(text)
        return [
            (row[SORT_KEY], grouped_result(query, row)) for row in self.selector.groups(query, after=after, count=count)
        ]

    def twins(self) -> list[dict[str, Any]]:
        query = parse_query("SELECT * FROM devices")
        rows = self.selector.page(query.collection, query.where, after=0, count=ALL)
        return [queried_twin(row) for row in rows]


@contextmanager
def registry() -> Iterator[Registry]:
    with closing(Database(None)) as database:
        yield Registry(database)


@pytest.fixture
def two() -> Iterator[Registry]:
    """A device that has everything, and one that has as little as may be."""
    with registry() as both:
        both.add(
            "full",
            {"site": "A", "list": [1, "x"], "deep": {"er": 0.1}},
            status="disabled",
            status_reason="worn",
            status_updated_at=AT,
            connection_state="Connected",
            last_activity_at=AT,
            primary_thumbprint="AB12",
            secondary_thumbprint="CD34",
            is_edge=True,
            device_scope="ms-azure-iot-edge://full-1",
            parent_scopes=("ms-azure-iot-edge://p-1", "ms-azure-iot-edge://p-2"),
        )
        both.add("bare")
        yield both


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, (*path, key))


def spelled(path: tuple[str, ...]) -> str:
    return ".".join([path[0], *(f"[[{part}]]" for part in path[1:])])


def test_every_member_of_a_twin_can_be_queried_and_has_the_value_that_the_twin_shows(two: Registry) -> None:
    full, bare = two.twins()
    paths = dict(leaves(full))
    assert len(paths) > 40 and set(dict(leaves(bare))) - set(paths) == set()
    for path, value in paths.items():
        conditions = [f"IS_DEFINED({spelled(path)})", f"NOT IS_DEFINED({spelled(path)})"]
        if not isinstance(value, dict | list):
            conditions += [f"{spelled(path)} {sign} {json.dumps(value)}" for sign in ("=", "!=", "<", ">=")]
        for condition in conditions:
            query = parse_query(f"SELECT * FROM devices WHERE {condition}")
            assert two.found(f"SELECT * FROM devices WHERE {condition}") == [
                twin["deviceId"] for twin in answer(query, [full, bare])
            ], condition


@pytest.mark.parametrize(
    "condition",
    [
        "ARRAY_CONTAINS(parentScopes, 'ms-azure-iot-edge://p-2')",
        "array_contains(devices.ParentScopes, 'ms-azure-iot-edge://p-1')",
        "IS_DEFINED(parentScopes)",
        "ARRAY_CONTAINS(tags.list, 1.0)",
        "X509THUMBPRINT.PRIMARYTHUMBPRINT = 'AB12'",
        "x509Thumbprint.secondaryThumbprint != null OR x509Thumbprint.secondaryThumbprint = 'CD34'",
        "capabilities.iotEdge AND deviceScope = 'ms-azure-iot-edge://full-1'",
        "properties.desired.fan.speed / 4 = 0.5 AND tags.site = 'A'",
        "properties.reported.$metadata.temp.$lastUpdated >= '2026' AND tags.deep.er * 3 > 0.3",
        "properties.desired.$version + properties.reported.$version = version - 1 AND statusReason = 'worn'",
        "lastActivityTime > '2026' AND statusUpdateTime > '2026' AND connectionState = 'Connected'",
        "status != 'enabled' AND status = 'disabled' AND cloudToDeviceMessageCount = 0 AND modelId = ''",
    ],
)
def test_the_full_device_is_told_from_the_bare_one(two: Registry, condition: str) -> None:
    assert two.found(f"SELECT * FROM devices WHERE {condition}") == ["full"]


def test_what_a_device_does_not_have_is_null_or_undefined_as_its_twin_shows(two: Registry) -> None:
    for condition in (
        "x509Thumbprint.primaryThumbprint = null",
        "NOT IS_DEFINED(parentScopes) AND NOT IS_DEFINED(deviceScope) AND NOT IS_DEFINED(statusReason)",
    ):
        assert two.found(f"SELECT * FROM devices WHERE {condition}") == ["bare"]
    assert two.found("SELECT * FROM devices WHERE NOT ARRAY_CONTAINS(parentScopes, 'x')") == ["full"]


def test_modules_are_a_collection_of_their_own(two: Registry) -> None:
    two.add("full", module_id="lamp")
    two.add("bare", module_id="lamp")
    assert two.found("SELECT * FROM devices") == ["full", "bare"]
    assert two.found("SELECT * FROM devices.modules WHERE devices.modules.ModuleId = 'lamp'") == [
        "full/lamp",
        "bare/lamp",
    ]
    assert two.found("SELECT * FROM devices.modules m WHERE m.deviceId = 'bare' AND properties.reported.on") == [
        "bare/lamp"
    ]
    assert [result for _, result in two.groups("SELECT COUNT() AS n FROM devices")] == [{"n": 2}]


CHANGES = st.lists(
    st.tuples(st.sampled_from(["add", "delete", "move"]), st.integers(0, 9), st.sampled_from("pqrstuv")), max_size=3
)
ROUNDS = st.lists(CHANGES, min_size=12, max_size=12)


def change(hub: Registry, kind: str, number: int, site: str) -> None:
    device = f"d{number}"
    if kind == "delete":
        hub.identities.delete(Address(device))
    elif kind == "add" and hub.identities.get(Address(device)) is None:
        hub.add(device, {"site": site})
    elif kind == "move":
        hub.database.change("UPDATE twins SET tags = ? WHERE device_id = ?", (json.dumps({"site": site}), device))


def paged(
    hub: Registry, rounds: list[Any], size: int, look: Callable[[], set[Any]], ask: Callable[[Any], list[Any]]
) -> tuple[Counter[Any], set[Any]]:
    """Ask for pages while the registry changes between them: what was given how often, and what was there all along."""
    stayed, seen, place = look(), Counter[Any](), None
    for changes in rounds:
        page = ask(place)[:size]
        if not page:
            break
        seen.update(item for _, item in page)
        place = page[-1][0]
        for each in changes:
            change(hub, *each)
        stayed &= look()
    seen.update(item for _, item in ask(place))
    return seen, stayed


@settings(max_examples=EXAMPLES // 3)
@given(ROUNDS, st.integers(1, 3))
def test_no_group_is_given_twice_or_passed_over_whatever_changes_between_pages(rounds: list[Any], size: int) -> None:
    text = "SELECT tags.site FROM devices GROUP BY tags.site"
    with registry() as hub:
        for number, site in enumerate("pqrst"):
            hub.add(f"d{number}", {"site": site})
        seen, stayed = paged(
            hub,
            rounds,
            size,
            lambda: {result["site"] for _, result in hub.groups(text)},
            lambda place: [(each, result["site"]) for each, result in hub.groups(text, after=place or "")],
        )
    assert set(seen.values()) <= {1}
    assert stayed <= set(seen)


@settings(max_examples=EXAMPLES // 3)
@given(ROUNDS, st.integers(1, 3))
def test_no_row_is_given_twice_or_passed_over_whatever_changes_between_pages(rounds: list[Any], size: int) -> None:
    query = parse_query("SELECT * FROM devices WHERE tags.site < 't'")

    def rows(place: int | None) -> list[tuple[int, int]]:
        found = hub.selector.page(query.collection, query.where, after=place or 0, count=ALL)
        return [(row["row_key"], row["row_key"]) for row in found]

    with registry() as hub:
        for number, site in enumerate("pqrst"):
            hub.add(f"d{number}", {"site": site})
        seen, stayed = paged(hub, rounds, size, lambda: {row for row, _ in rows(None)}, rows)
    assert set(seen.values()) <= {1}
    assert stayed <= set(seen)


# What may stand in what; {} is the place of the next.
SHAPES = [
    "tags.a = 1 AND ({} OR tags.b)",
    "NOT ({})",
    "tags.b = ({})",
    "({}) = tags.b",
    "({}) IN [true, 1, 'x']",
    "1 + ({}) > 2",
    "tags.a * -({}) / 2",
    "(tags.a OR {}) != (tags.b % 2 = 1)",
    "-({})",
]


@pytest.mark.parametrize("outer", SHAPES)
@pytest.mark.parametrize("inner", SHAPES)
def test_whatever_stands_in_whatever_can_be_run_as_deep_as_it_is_parsed(two: Registry, outer: str, inner: str) -> None:
    text = deepest = 'tags.[[q"q]] = tags.a'
    for level in range(40):
        text = (outer if level % 2 else inner).format(text)
        asked = f"SELECT tags.site, COUNT() AS n FROM devices WHERE {text} GROUP BY tags.site"
        try:
            parse_query(asked)
        except QueryError as err:
            assert "nested deeper" in err.text
            break
        deepest = asked
    else:
        raise AssertionError("nothing bounds the depth")
    two.groups(deepest)


def test_a_query_that_takes_too_long_is_ended(two: Registry) -> None:
    for number in range(300):
        two.add(f"d{number}", {"site": "A"})
    text = "SELECT COUNT() FROM devices WHERE " + " OR ".join(["tags.site='B'"] * 400)
    hasty = Selector(two.database, limit_s=0)
    with pytest.raises(QueryError, match="more than 0 s"):
        hasty.groups(parse_query(text), after="", count=1)
    assert two.groups(text)[0][1] == {"$1": 0}


@pytest.mark.parametrize("site", ["3", "a b", "a/b", 'a"b', "a\\b", "\u00e9", "", "it's", "%", "null", "\t", "x" * 300])
def test_a_text_is_found_however_it_is_written_in_the_document(site: str) -> None:
    with registry() as some:
        some.add("same", {"site": site})
        some.add("other", {"site": f"{site}."})
        some.add("elsewhere", {"city": site})
        some.add("none")
        some.add("number", {"site": 3})
        text = json.dumps(site)
        assert some.found(f"SELECT * FROM devices WHERE tags.site = {text}") == ["same"]
        assert some.found(f"SELECT * FROM devices WHERE {text} = tags.site AND status = 'enabled'") == ["same"]
        assert some.found(f"SELECT * FROM devices WHERE NOT tags.site = {text}") == ["other"]
        assert some.found(f"SELECT * FROM devices WHERE tags.site = {text} OR deviceId = 'none'") == ["same", "none"]
        assert some.found(f"SELECT * FROM devices WHERE tags.site <> {text}") == ["other"]
