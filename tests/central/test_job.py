"""Jobs of IoT Central's become fleet jobs, member by member."""

from fractions import Fraction
from typing import Any

import pytest

from azext_iotjobs.central.job import job_of
from azext_iotjobs.central.report import MemberList, TranslatedMember, WantedJob
from azext_iotjobs.model.errors import BadValue, UserError
from azext_iotjobs.model.rollout import Scope
from azext_iotjobs.model.share import Share, Unit

MODEL = "dtmi:modelDefinition:zomtmdxh:eqod32zbyl"
PROPERTY = {"type": "property", "target": MODEL, "path": "targetTemperature", "value": 56}
COMMAND = {"type": "command", "target": MODEL, "path": "getMaxMinReport", "value": "2021-06-15T05:00:00.000Z"}
CLOUD = {"type": "cloudProperty", "target": MODEL, "path": "CustomerName", "value": "Contoso"}


def job(*data: Any, **more: Any) -> dict[str, Any]:
    return {"id": "job-014", "group": "g", "data": list(data) or [PROPERTY], **more}


def imported(document: dict[str, Any]) -> tuple[WantedJob, dict[str, TranslatedMember]]:
    members = MemberList()
    wanted = job_of(document, "Thermostats", members)
    return wanted, {each.name: each for each in members.all()}


def patch_of(*data: Any) -> Any:
    patch = imported(job(*data))[0].definition.action.patch
    assert patch is not None
    return patch.document


def method_of(*data: Any) -> Any:
    return imported(job(*data))[0].definition.action.method


# -- what it does ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelled", ["property", "PropertyJobData", "propertyjobdata"])
def test_a_property_is_a_desired_property(spelled: str) -> None:
    assert patch_of({**PROPERTY, "type": spelled}) == {"properties": {"desired": {"targetTemperature": 56}}}


@pytest.mark.parametrize("spelled", ["cloudProperty", "CloudPropertyJobData"])
def test_a_cloud_property_is_a_tag(spelled: str) -> None:
    assert patch_of({**CLOUD, "type": spelled}) == {"tags": {"CustomerName": "Contoso"}}


@pytest.mark.parametrize("spelled", ["command", "CommandJobData"])
def test_a_command_is_a_direct_method_with_the_value_as_payload(spelled: str) -> None:
    method = method_of({**COMMAND, "type": spelled})
    assert (method.name, method.payload) == ("getMaxMinReport", "2021-06-15T05:00:00.000Z")
    assert (method.connect_timeout_s, method.response_timeout_s) == (30, 30)


def test_several_properties_are_one_patch() -> None:
    fan = {**PROPERTY, "path": "fan", "value": {"speed": 2}}
    assert patch_of(PROPERTY, fan, CLOUD) == {
        "properties": {"desired": {"targetTemperature": 56, "fan": {"speed": 2}}},
        "tags": {"CustomerName": "Contoso"},
    }


def test_properties_of_a_component_stand_below_its_marker() -> None:
    two = [{**PROPERTY, "path": f"thermostat1.{name}", "value": 1} for name in ("low", "high")]
    component = {"__t": "c", "low": 1, "high": 1}
    assert patch_of(*two, PROPERTY)["properties"]["desired"] == {"thermostat1": component, "targetTemperature": 56}
    assert imported(job(*two))[1]["data[1].path"].note == "read as a component and a member of it"


def test_a_command_of_a_component_is_named_after_both() -> None:
    assert method_of({**COMMAND, "path": "thermostat1.getMaxMinReport"}).name == "thermostat1*getMaxMinReport"


def test_a_command_without_a_value_has_no_payload() -> None:
    document = job({"type": "command", "path": "reboot"})
    wanted, members = imported(document)
    assert wanted.definition.action.method is not None and wanted.definition.action.method.payload is None
    assert "data[0].value" not in members and "data[0].target" not in members


@pytest.mark.parametrize("value", [56, "56"])
def test_a_value_keeps_its_type_and_a_number_in_quotes_is_noted(value: Any) -> None:
    entry = {**PROPERTY, "value": value}
    assert patch_of(entry) == {"properties": {"desired": {"targetTemperature": value}}}
    assert bool(imported(job(entry))[1]["data[0].value"].note) is isinstance(value, str)


def test_null_removes_a_property_and_says_so() -> None:
    entry = {**PROPERTY, "value": None}
    assert patch_of(entry) == {"properties": {"desired": {"targetTemperature": None}}}
    assert imported(job(entry))[1]["data[0].value"].became == "null, which removes it"


def test_values_are_not_shown() -> None:
    _, members = imported(job({**PROPERTY, "value": "s3cret"}, {**CLOUD, "value": "s3cret"}))
    assert "s3cret" not in repr(members)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([{"type": "deviceTemplateMigration", "template": MODEL}], "changes the device template, and a hub has none"),
        ([{"type": "DeviceTemplateMigrationJobData", "template": MODEL}], "changes the device template"),
        ([{"type": "deviceManifestMigration"}], "deployment manifest of edge devices"),
        ([PROPERTY, {"type": "deviceTemplateMigration"}], "changes the device template"),
        ([COMMAND, COMMAND], "a command and more"),
        ([COMMAND, PROPERTY], "a command and more"),
        ([{**PROPERTY, "type": "telemetry"}], r"data\[0\].type is none of"),
        ([{**PROPERTY, "type": 5}], r"data\[0\].type is none of"),
        ([{"type": "property", "path": "a"}], r"data\[0\].value is missing"),
        ([{**PROPERTY, "path": "a.b.c"}], r"data\[0\].path 'a.b.c' is neither a name nor"),
        ([{**PROPERTY, "path": "$version"}], "is neither a name nor"),
        ([{**PROPERTY, "path": None}], r"data\[0\].path is neither a name nor"),
        ([PROPERTY, {**PROPERTY, "value": 57}], "is given twice, with different values"),
        ([{**PROPERTY, "path": "a"}, {**PROPERTY, "path": "a.b"}], "is a property, and a component"),
        ([{**PROPERTY, "path": "a.b"}, {**PROPERTY, "path": "a"}], "is given twice"),
        (["property"], r"data\[0\] is text, and not an object"),
        ([], "data is not a list with 1 to"),
        ({}, "data is not a list with 1 to"),
        ([{**COMMAND, "value": "x" * 200_000}], "payload"),
    ],
)
def test_what_no_fleet_job_does_is_refused(data: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        imported({**job(), "data": data})


def test_the_same_property_twice_is_one() -> None:
    assert patch_of(PROPERTY, PROPERTY) == patch_of(PROPERTY)


# -- how ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "share"),
    [
        ({"type": "number", "value": 25}, Share(Fraction(25), Unit.DEVICES)),
        ({"type": "percentage", "value": 2.5}, Share(Fraction("2.5"), Unit.PERCENT)),
        ({"type": "percentage", "value": 100.0}, Share(Fraction(100), Unit.PERCENT)),
    ],
)
def test_batches_are_a_number_or_a_percentage(batch: dict[str, Any], share: Share) -> None:
    assert imported(job(batch=batch))[0].definition.rollout.sizes.sizes == (share,)


@pytest.mark.parametrize(
    ("more", "scope"), [({}, Scope.RUN), ({"batch": False}, Scope.RUN), ({"batch": True}, Scope.BATCH)]
)
def test_the_threshold_counts_the_run_or_each_batch(more: dict[str, Any], scope: Scope) -> None:
    threshold = imported(job(cancellationThreshold={"type": "percentage", "value": 10, **more}))[
        0
    ].definition.rollout.threshold
    assert threshold is not None and (threshold.share, threshold.scope) == (Share(Fraction(10), Unit.PERCENT), scope)


@pytest.mark.parametrize("member", ["batch", "cancellationThreshold"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"type": "percentage", "value": "25"}, "value is text, and not a number"),
        ({"type": "percentage", "value": True}, "value is true or false, and not a number"),
        ({"type": "percentage", "value": 101}, "at most 100%"),
        ({"type": "number", "value": 2.5}, "a whole number"),
        ({"type": "number", "value": -1}, "a whole number"),
        ({"type": "number", "value": 1e300}, "value: "),
        ({"type": "percent", "value": 1}, "type is none of number, percentage"),
        ({"value": 1}, "type is none of"),
        ({"type": "number"}, "value is null"),
        ({"type": "number", "value": 1, "of": "x"}, "a member that is not known: 'of'"),
        (5, "is a number, and not an object"),
    ],
)
def test_a_share_that_is_none_is_refused(member: str, value: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        imported(job(**{member: value}))


def test_whom_a_threshold_counts_is_true_or_false() -> None:
    with pytest.raises(BadValue, match="batch is a number, and not true or false"):
        imported(job(cancellationThreshold={"type": "number", "value": 1, "batch": 1}))


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(BadValue, match="0 is not a size"):
        imported(job(batch={"type": "number", "value": 0}))


def test_names_are_kept() -> None:
    definition = imported(job(displayName="Set target", description="Line 1\nLine 2"))[0].definition
    assert (definition.display_name, definition.description) == ("Set target", "Line 1\nLine 2")
    assert definition.targets.group == "Thermostats"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"displayName": "x" * 149}, "displayName has 149 characters"),
        ({"displayName": "a\x1b[2J"}, "displayName has control characters"),
        ({"displayName": ["a"]}, "displayName is a list, and not text"),
        ({"description": "x" * 2049}, "description has 2049 characters"),
        ({"description": "\ud800"}, "half of a character"),
        ({"id": None}, "id is missing"),
        ({"id": 7}, "id is a number, and not text"),
        ({"id": "-_-"}, "has no letter or digit"),
        ({"id": "x" * 256}, "id has 256 characters"),
    ],
)
def test_a_name_that_no_fleet_job_can_have_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        imported({**job(), **more})


@pytest.mark.parametrize(
    ("central_id", "fleet_job_id"),
    [
        ("job-014", "job-014"),
        ("46480dff-dc22-4542-924e-a5d45bf347aa", "46480dff-dc22-4542-924e-a5d45bf347aa"),
        ("Scheduled_Job-001", "scheduled_job-001"),
        ("__x", "x"),
        ("set light", "set-light"),
        ("a" * 41, "a" * 40),
    ],
)
def test_ids_are_made_ids_of_fleet_jobs_and_a_change_is_noted(central_id: str, fleet_job_id: str) -> None:
    wanted, members = imported(job() | {"id": central_id})
    assert wanted.fleet_job_id == fleet_job_id and members["id"].became == f"fleet job {fleet_job_id}"
    assert members["id"].note.startswith("ids of fleet jobs have") is (central_id != fleet_job_id)


# -- what has no counterpart -------------------------------------------------------------------------------------------


def test_each_member_is_reported_with_what_it_became_or_why_not() -> None:
    _, members = imported(
        job(
            displayName="Set target",
            batch={"type": "percentage", "value": 25},
            cancellationThreshold={"type": "number", "value": 5, "batch": True},
            status="complete",
            progress={"total": 3},
            start="2021-06-15T05:00:00Z",
            organizations=["seattle"],
            colour="red",
            scheduledJobId=None,
        )
    )
    assert {name: each.became for name, each in members.items()} == {
        "id": "fleet job job-014",
        "displayName": "display name",
        "group": "device group Thermostats",
        "data[0].type": "a desired property",
        "data[0].target": None,
        "data[0].path": "properties.desired.targetTemperature",
        "data[0].value": "its value",
        "batch": "batches of 25%",
        "cancellationThreshold": "canceled by more than 5 of each batch",
        "status": None,
        "progress": None,
        "start": None,
        "organizations": None,
        "colour": None,
    }
    assert "no run of a fleet job" in members["status"].note
    assert members["organizations"].note == "no counterpart: rights are those of the hub"
    assert members["colour"].note == "not known"
