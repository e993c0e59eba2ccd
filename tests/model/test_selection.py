"""Which devices are meant, and the condition that says it."""

import pytest

from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.selection import Selection, device_ids


@pytest.mark.parametrize(
    ("selection", "condition"),
    [
        (Selection(condition="*"), "*"),
        (Selection(condition="tags.a = 1 OR tags.b = 2"), "tags.a = 1 OR tags.b = 2"),
        (Selection(condition="*", excluded=("a",)), "deviceId NIN ['a']"),
        (
            Selection(condition="tags.a = 1 OR tags.b = 2", excluded=("a", "b")),
            "(tags.a = 1 OR tags.b = 2) AND deviceId NIN ['a', 'b']",
        ),
        (Selection(device_ids=("a", "o'b", "c"), excluded=("c", "x")), "deviceId IN ['a', 'o\\'b']"),
        (Selection(condition="FROM devices.modules WHERE moduleId = 'm'"), "FROM devices.modules WHERE moduleId = 'm'"),
    ],
)
def test_one_condition_selects_what_is_meant(selection: Selection, condition: str) -> None:
    assert selection.as_condition() == condition


@pytest.mark.parametrize("condition", ["", " ", "\t\n"])
def test_a_blank_condition_is_never_all_devices(condition: str) -> None:
    with pytest.raises(MissingChoice, match="blank"):
        Selection(condition=condition)


def test_nothing_or_two_things_meant_is_an_error() -> None:
    with pytest.raises(MissingChoice, match="No devices are named"):
        Selection(excluded=("a",))
    with pytest.raises(ConflictingChoice):
        Selection(condition="*", device_ids=("a",))
    with pytest.raises(BadValue, match="takes away every device"):
        Selection(device_ids=("a", "b"), excluded=("b", "a"))
    with pytest.raises(ConflictingChoice, match="modules"):
        Selection(condition=" from devices.modules", excluded=("a",))


def test_more_than_a_hub_takes_is_refused_with_both_numbers() -> None:
    most = Selection(device_ids=tuple(f"device-{number:04}" for number in range(512)))
    assert len(most.as_condition()) == 512 * 15 + 12  # 'device-0000', and the frame
    with pytest.raises(BadValue, match="600 devices.*9012 characters.*8192"):
        Selection(device_ids=tuple(f"device-{number:04}" for number in range(600))).as_condition()
    with pytest.raises(BadValue, match="with exclude has"):
        Selection(condition="tags.a = 1", excluded=("x" * 128,) * 1 + tuple(map(str, range(9000)))).as_condition()


def test_ids_are_taken_once_and_in_their_order() -> None:
    assert device_ids(["b", "a", "b", "urn:x:1;y,=@$'"], "there") == ("b", "a", "urn:x:1;y,=@$'")


@pytest.mark.parametrize("text", ["", "a b", 'a"b', "a\x1b", "a/b", "x" * 129, "ä"])
def test_what_no_device_can_be_called_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="--devices-file f"):
        device_ids(["fine", text], "--devices-file f")


def test_more_ids_than_one_job_takes_are_what_a_fleet_job_is_for() -> None:
    many = Selection(device_ids=tuple(f"device-number-{number}" for number in range(600)))
    with pytest.raises(BadValue, match="600 devices") as raised:
        many.as_condition()
    assert "az iot hub fleet-job create fleet_job_id=FLEET-JOB run" in str(raised.value.hint)


@pytest.mark.parametrize("condition", ["FROM devices WHERE tags.a = 1", "from devices", "FROM devices.jobs"])
def test_a_condition_with_its_collection_is_not_put_beside_an_exclusion(condition: str) -> None:
    with pytest.raises(ConflictingChoice, match="begins with FROM"):
        Selection(condition=condition, excluded=("a",))
