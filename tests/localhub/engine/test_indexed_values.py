"""Values that are alike in one way or another are found by an index as without one, whatever has changed: generated."""

import json
from contextlib import closing
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.store.database import Database
from tests.localhub.engine.indexed_hub import Hub
from tests.localhub.query.generated import EXAMPLES

# Values that are alike in one way or another.
VALUES: list[Any] = [
    *("1", "", "a", "A", "ü", "a\0", "a\0b", "true", "x" * 300, "x" * 299 + "y", "'", '"', "?", "😀"),
    *(0, 1, 1.0, -0.0, 0.1, 2**53, 2**53 + 1, float(2**53), 2**63 - 1, -(2**63), 2**63, 2**70 + 1, 1e300),
    *(True, False, None, [1], {}, {"b": 1}, ...),
]
SCALARS = [value for value in VALUES if not isinstance(value, list | dict) and value is not ...]


def literal(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return repr(float(value))
    return json.dumps(value)


CHANGES = st.lists(
    st.tuples(st.sampled_from(["patch", "patch", "delete", "create", "query"]), st.integers(0, 5), st.integers(0, 60)),
    max_size=8,
)


@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(st.lists(st.sampled_from(VALUES), min_size=1, max_size=6), CHANGES, st.sampled_from(["a", 'q"q', "ü", "it's?"]))
def test_any_values_after_any_changes(values: list[Any], changes: list[tuple[str, int, int]], name: str) -> None:
    def tags(value: Any) -> dict[str, Any]:
        return {} if value is ... else {name: value}

    with closing(Database(None)) as database:
        hub = Hub(database)
        for number, value in enumerate(values):
            hub.add(f"d{number}", tags(value))
        asked = [value for value in values if value in SCALARS] + SCALARS[:3]
        member = "tags.[[" + name + "]]"
        hub.found(f"SELECT * FROM devices WHERE {member} = 1", is_indexed=True)
        for kind, device, at in changes:
            address, value = Address(f"d{device}"), VALUES[at % len(VALUES)]
            is_there = hub.identities.get(address) is not None
            if kind == "patch" and is_there:
                hub.tag(f"d{device}", **{name: value})
            elif kind == "delete":
                hub.identities.delete(address)
            elif kind == "create" and not is_there:
                hub.add(f"d{device}", tags(value))
            elif kind == "query":
                hub.found(f"SELECT * FROM devices WHERE {member} = 1")
            asked += [value] if value in SCALARS else []
        for value in asked:
            for condition in (f"{member} = {literal(value)}", f"{member} IN [{literal(value)}, 'a', 0]"):
                text = f"SELECT * FROM devices WHERE {condition}"
                assert hub.found(text) == hub.expected(text), condition
        hub.assert_exact()
