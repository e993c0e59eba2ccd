"""The names that a query may call a member by: with and without prefix, in any case, they are the same member.

In the plain meaning and in SQL, over tables that hold devices and modules.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.http.queries import queried_twin
from azext_iotjobs.localhub.query.evaluate import answer, matches, project
from azext_iotjobs.localhub.query.grouped_sql import grouped_result
from azext_iotjobs.localhub.query.nodes import Collection
from azext_iotjobs.localhub.query.parser import parse_condition, parse_query
from azext_iotjobs.localhub.rules.twin import new_twin, patch_by_service
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities, Identity
from azext_iotjobs.localhub.store.twins import Twins
from tests.localhub.query.generated import EXAMPLES

AT = "2026-05-01T08:00:00.0000000Z"
PREFIXES = {
    Collection.DEVICES: ["", "devices.", "d."],
    Collection.MODULES: ["", "devices.modules.", "devices.", "d."],
}
SYSTEM = [  # in upper and lower case as one likes
    "deviceId",
    "moduleId",
    "etag",
    "deviceEtag",
    "status",
    "statusReason",
    "statusUpdateTime",
    "connectionState",
    "lastActivityTime",
    "cloudToDeviceMessageCount",
    "authenticationType",
    "x509Thumbprint.primaryThumbprint",
    "modelId",
    "version",
    "tags",
    "properties",
    "properties.desired",
    "properties.desired.$version",
    "properties.reported.$version",
    "properties.desired.$metadata.$lastUpdated",
    "properties.desired.$metadata.$lastUpdatedVersion",
    "capabilities.iotEdge",
    "deviceScope",
    "parentScopes",
]
OWN = ["tags.site", "tags.deep.er", "properties.desired.fan.speed", "tags.none", "properties.reported.none"]
CASES: st.SearchStrategy[Callable[[str], str]] = st.sampled_from([str, str.lower, str.upper, str.title])


@st.composite
def names(draw: st.DrawFn) -> tuple[Collection, str, str]:
    """A collection, a name as it is documented, and the same name in another form."""
    collection = draw(st.sampled_from(list(PREFIXES)))
    prefix = draw(CASES)(draw(st.sampled_from(PREFIXES[collection])))
    if draw(st.booleans()):
        name = draw(st.sampled_from(SYSTEM))
        return collection, name, prefix + draw(CASES)(name)
    name = draw(st.sampled_from(OWN))
    root, _, rest = name.partition(".")
    return collection, name, f"{prefix}{draw(CASES)(root)}.{rest}"


class Tables:
    """Devices and modules, as tables and as documents."""

    def __init__(self, database: Database) -> None:
        identities = Identities(database, Twins(database))
        self.selector = Selector(database)
        for device, module in (("a", None), ("a", "m"), ("a", "n"), ("b", None), ("b", "m"), ("modules", "tags")):
            tags = {"site": device.upper(), "deep": {"er": 1}} if module != "n" else {}
            twin = patch_by_service(new_twin(AT), tags=tags, desired={"fan": {"speed": 2}}, now_text=AT)
            identity = Identity(device_id=device, module_id=module, generation_id="g", etag=7, sign_in="sas")
            identities.create(identity, twin)
        self.documents = {
            each: [queried_twin(row) for row in self.selector.page(each, None, after=0, count=100)] for each in PREFIXES
        }

    def selected(self, text: str) -> list[dict[str, Any]]:
        """What the tables give for a query."""
        query = parse_query(text)
        if query.is_grouped:
            return [grouped_result(query, row) for row in self.selector.groups(query, after="", count=100)]
        rows = self.selector.page(query.collection, query.where, after=0, count=100)
        return [project(query, queried_twin(row)) for row in rows]


@pytest.fixture(scope="module")
def tables() -> Iterator[Tables]:
    with closing(Database(None)) as database:
        yield Tables(database)


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    named=names(), value=st.sampled_from(["'a'", "'A'", "1", "2", "false", "null"]), alias=st.sampled_from(["d", "D"])
)
def test_every_form_of_a_name_is_the_same_member_in_both_meanings(
    tables: Tables, named: tuple[Collection, str, str], value: str, alias: str
) -> None:
    collection, plain, form = named
    documents = tables.documents[collection]
    source = f"{collection.value} AS {alias}"
    for before, behind in (("", f" = {value}"), ("IS_DEFINED(", ")"), ("NOT ", f" != {value}"), ("", f" IN [{value}]")):
        text, expected = (f"SELECT {name} AS x FROM {source} WHERE {before}{name}{behind}" for name in (form, plain))
        query = parse_query(text)
        assert query == parse_query(expected)
        assert tables.selected(text) == answer(query, documents)
        where = parse_condition(f"FROM {source} WHERE {before}{form}{behind}").where
        assert where == query.where
        assert where is not None and [each for each in documents if matches(where, each)] == [
            each
            for each in documents
            if matches(query.where, each)  # type: ignore[arg-type]
        ]


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(named=names().filter(lambda each: each[0] is Collection.DEVICES))
def test_groups_and_aggregates_know_every_form_too(tables: Tables, named: tuple[Collection, str, str]) -> None:
    _, plain, form = named
    text = "SELECT {0} AS x, COUNT() AS n, MAX({0}) AS m FROM devices AS d GROUP BY {0}"
    query = parse_query(text.format(form))
    assert query == parse_query(text.format(plain))
    found = tables.selected(text.format(form))
    assert sorted(map(str, found)) == sorted(map(str, answer(query, tables.documents[Collection.DEVICES])))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM devices.modules WHERE devices.deviceId = 'a'", ["a/m", "a/n"]),
        ("FROM devices.modules WHERE DEVICES.ModuleId = 'm'", ["a/m", "b/m"]),
        ("FROM devices.modules WHERE devices.modules.deviceId = 'a' AND devices.moduleId = 'n'", ["a/n"]),
        ("FROM devices.modules WHERE devices.tags.site = 'B'", ["b/m"]),
        ("FROM devices.modules AS Mod WHERE mod.moduleId IN ['n']", ["a/n"]),
        ("FROM devices.modules WHERE STARTSWITH(devices.deviceId, 'b')", ["b/m"]),
        ("FROM devices.modules WHERE NOT IS_DEFINED(devices.tags)", ["a/n"]),
        ("FROM devices.modules WHERE devices.deviceId = 'modules'", ["modules/tags"]),
        ("FROM devices.modules WHERE devices.modules.deviceId = 'modules'", ["modules/tags"]),
        ("devices.deviceId = 'a'", ["a"]),
        ("FROM devices WHERE Devices.deviceId = 'a'", ["a"]),
    ],
)
def test_a_job_s_condition_selects_by_the_documented_names(tables: Tables, text: str, found: list[str]) -> None:
    addresses = tables.selector.devices(text)
    assert ["/".join(filter(None, (each.device_id, each.module_id))) for each in addresses] == found


@pytest.mark.parametrize("form", ["jobId", "devices.jobs.jobId", "Devices.Jobs.JOBID", "j.jobId", "J.JobId"])
def test_device_jobs_are_named_in_every_form(form: str) -> None:
    plain = parse_query("SELECT * FROM devices.jobs AS j WHERE jobId = 'x'")
    assert parse_query(f"SELECT * FROM devices.jobs AS j WHERE {form} = 'x'") == plain


@pytest.mark.parametrize("form", ["devices.jobId", "jobs.jobId", "x.jobId"])
def test_a_name_that_device_jobs_have_not_is_no_silent_nothing(form: str) -> None:
    with pytest.raises(QueryError, match=r"devices\.jobs has no"):
        parse_query(f"SELECT * FROM devices.jobs AS j WHERE {form} = 'x'")
