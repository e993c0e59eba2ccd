"""Documents of IoT Central's: which kind each is, what refers to what, and that none is imported in half."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.central.documents import documents_in, has_next_page
from azext_iotjobs.central.filter_condition import FilterChoices
from azext_iotjobs.central.report import Kind, SourceDocument, Translated, WantedGroup, WantedJob
from azext_iotjobs.central.translation import translate
from azext_iotjobs.model.errors import BadValue

GROUP = {"id": "g1", "displayName": "North", "filter": 'SELECT * FROM devices WHERE $id = "pump-1"'}
DATA = [{"type": "property", "target": "dtmi:a:b;1", "path": "light", "value": 45}]
JOB = {"id": "light", "group": "g1", "data": DATA}
SCHEDULED = {**JOB, "id": "nightly", "schedule": {"start": "2030-01-01T02:00:00Z", "recurrence": "daily"}}


def translated(*documents: Any, saved: tuple[str, ...] = ()) -> list[Translated]:
    sources = [SourceDocument(f"f[{number}]", each) for number, each in enumerate(documents, start=1)]
    return translate(sources, FilterChoices(), saved)


def only(*documents: Any, **more: Any) -> Translated:
    (found,) = translated(*documents, **more)
    return found


@pytest.mark.parametrize("content", [JOB, [JOB], {"value": [JOB]}, {"value": [JOB], "nextLink": "https://x"}])
def test_a_file_has_one_document_a_list_or_a_page(content: Any) -> None:
    assert [each.content for each in documents_in(content, "jobs.json")] == [JOB]
    assert has_next_page(content) is ("nextLink" in content)


@pytest.mark.parametrize("content", ["text", 5, None, True])
def test_other_json_is_refused(content: Any) -> None:
    with pytest.raises(BadValue, match="no document of IoT Central's"):
        list(documents_in(content, "jobs.json"))


def test_kinds_are_told_by_their_members_and_groups_come_first() -> None:
    kinds = [
        (each.kind, each.central_id) for each in translated(SCHEDULED, JOB, GROUP, {"id": "t", "@type": ["Thing"]})
    ]
    assert kinds == [
        (Kind.DEVICE_GROUP, "g1"),
        (Kind.SCHEDULED_JOB, "nightly"),
        (Kind.JOB, "light"),
        (Kind.UNRECOGNISED, "t"),
    ]


def test_a_job_gets_the_group_that_has_its_id() -> None:
    group, job = translated(JOB, GROUP)
    assert group.wanted == WantedGroup("North", "deviceId = 'pump-1'")
    assert isinstance(job.wanted, WantedJob) and job.wanted.definition.targets.group == "North"


def test_a_group_without_a_name_is_named_after_its_id() -> None:
    group = only({"id": "g1", "filter": "SELECT * FROM devices"})
    assert group.wanted == WantedGroup("g1", "*")
    assert [(each.name, each.became) for each in group.members] == [("id", "device group g1"), ("filter", "*")]


def test_what_a_group_has_no_place_for_is_reported() -> None:
    members = {each.name: each for each in only({**GROUP, "description": "x", "organizations": ["seattle"]}).members}
    assert members["id"].became is None and members["displayName"].became == "device group North"
    assert members["description"].note == "a device group has a name alone"
    assert members["organizations"].note == "no counterpart: rights are those of the hub"


def test_a_group_that_was_saved_under_the_id_is_found() -> None:
    job = only(JOB, saved=("g1",))
    assert isinstance(job.wanted, WantedJob) and job.wanted.definition.targets.group == "g1"


def test_a_job_whose_group_is_in_no_file_is_refused() -> None:
    job = only(JOB, saved=("North",))
    assert job.wanted is None and "'g1' is in none of the files" in job.reason


def test_a_job_whose_group_is_refused_is_refused_too() -> None:
    group, job = translated({**GROUP, "filter": "SELECT * FROM devices WHERE $simulated = true"}, JOB)
    assert group.wanted is None and "$simulated" in group.reason
    assert job.wanted is None and job.reason == "its device group 'g1' is not imported."


def test_of_a_document_that_is_refused_no_member_became_anything() -> None:
    job = only({**JOB, "displayName": "Light", "data": [{"type": "deviceTemplateMigration"}]}, saved=("g1",))
    assert [(each.name, each.became) for each in job.members] == [
        ("id", None),
        ("group", None),
        ("data", None),
        ("displayName", None),
    ]
    assert "device template" in job.reason


def test_a_member_that_is_null_is_as_if_it_were_not_there() -> None:
    nothing = dict.fromkeys(
        ("description", "displayName", "batch", "cancellationThreshold", "status", "schedule", "scheduledJobId")
    )
    group, job = translated({**GROUP, "description": None, "organizations": None}, {**JOB, **nothing})
    plain = translated(GROUP, JOB)
    assert [group[1:], job[1:]] == [each[1:] for each in plain]


def test_equal_documents_are_one() -> None:
    group, job = translated(GROUP, JOB, dict(reversed(JOB.items())), GROUP)
    assert (group.place, job.place) == ("f[1]", "f[2]")


@pytest.mark.parametrize(
    "others",
    [
        ({**JOB, "id": "LIGHT"},),
        ({**SCHEDULED, "id": "light"},),
        ({**JOB, "description": "another"},),
        ({**JOB, "id": "-light"}, {**JOB, "id": "_light"}),
    ],
)
def test_documents_that_would_be_the_same_fleet_job_are_all_refused(others: tuple[Any, ...]) -> None:
    group, *jobs = translated(GROUP, JOB, *others)
    assert group.wanted is not None and len(jobs) == len(others) + 1
    assert all(each.wanted is None and f"{len(jobs)} documents would be 'light' here" in each.reason for each in jobs)


@pytest.mark.parametrize(("more", "member"), [({"id": "g2"}, "displayName"), ({"displayName": "South"}, "id")])
def test_groups_that_cannot_be_told_apart_are_refused_with_their_jobs(more: dict[str, Any], member: str) -> None:
    *groups, job = translated(GROUP, {**GROUP, "filter": "SELECT * FROM devices", **more}, JOB)
    assert all(each.wanted is None and f"change {member} in the files" in each.reason for each in groups)
    assert job.wanted is None


def test_a_run_of_a_scheduled_job_is_history() -> None:
    job = only({**JOB, "scheduledJobId": "nightly", "status": "complete"}, saved=("g1",))
    assert job.wanted is None and job.is_history
    assert job.reason == "it is a run of the scheduled job 'nightly'."


@pytest.mark.parametrize("status", ["complete", "cancelled", "failed", "pending", "running", "stopped", "new-word"])
def test_what_a_job_did_is_no_run_of_ours(status: str) -> None:
    members = {each.name: each for each in only({**JOB, "status": status}, saved=("g1",)).members}
    assert members["status"].became is None and "no run of a fleet job" in members["status"].note


def test_what_jobs_set_is_suggested_for_filters_and_not_taken() -> None:
    data = [
        {"type": "CloudPropertyJobData", "path": "Company", "value": "Contoso"},
        {"type": "property", "path": "light", "value": 45},
    ]
    filter_ = "SELECT * FROM devices WHERE Company = 'Contoso' AND light = 45 AND serial = 7"
    group, _ = translated({**GROUP, "filter": filter_}, {**JOB, "data": data})
    notes = {each.name: each.note for each in group.members if each.name.startswith("filter: ")}
    assert "Company=tags.Company" in notes["filter: Company"]
    assert "light=properties.reported.light.value" in notes["filter: light"]
    assert "a writable one" in notes["filter: serial"]
    assert isinstance(group.wanted, WantedGroup) and "properties.reported.Company = 'Contoso'" in group.wanted.condition


# -- any JSON ----------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    "id displayName description group batch cancellationThreshold data type target path value schedule start "
    "recurrence end date occurrences enabled completed filter status scheduledJobId organizations".split()
)
WORDS = st.sampled_from(
    [
        "property",
        "command",
        "CloudPropertyJobData",
        "percentage",
        "number",
        "daily",
        "2026-12-01T08:00:00Z",
        "g1",
        "a.b",
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
ANY_JSON = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=6),
    max_leaves=20,
)


@given(ANY_JSON)
def test_any_json_is_reported(content: Any) -> None:
    try:
        sources = list(documents_in(content, "f"))
    except BadValue:
        return
    _check_reported(translate(sources, FilterChoices(), ("g1",)), sources)


@given(st.dictionaries(NAMES, ANY_JSON, max_size=4), st.sampled_from([JOB, SCHEDULED, GROUP]))
def test_a_document_with_anything_in_its_members_is_reported(more: dict[str, Any], document: dict[str, Any]) -> None:
    sources = [SourceDocument("f", {**document, **more})]
    _check_reported(translate(sources, FilterChoices(), ("g1",)), sources)


def _check_reported(found: list[Translated], sources: list[SourceDocument]) -> None:
    assert len(found) == len({json.dumps(each.content, sort_keys=True) for each in sources})
    for each in found:
        assert (each.wanted is None) is bool(each.reason)
        assert each.wanted is not None or all(member.became is None for member in each.members)
