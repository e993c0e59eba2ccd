"""What a hub is to begin with: ranges, parents before children, and mistakes that say where they are."""

from typing import Any

import pytest

from azext_iotjobs.localhub.rules.seed import MAX_DEVICES, Seed, SeedMistake, read_seed


def ids(seed: Seed) -> list[str]:
    return [device_id for each in seed.devices for device_id in each.ids]


@pytest.mark.parametrize(
    ("written", "first", "last", "count"),
    [
        ("pump-{1..3}", "pump-1", "pump-3", 3),
        ("pump-{001..100}", "pump-001", "pump-100", 100),
        ("pump-{8..11}-north", "pump-8-north", "pump-11-north", 4),
        ("{99..99}", "99", "99", 1),
        ("pump", "pump", "pump", 1),
        ("pump-{a..c}", "pump-{a..c}", "pump-{a..c}", 1),  # no range; the registry refuses the id
    ],
)
def test_a_range_stands_for_devices_that_are_alike(written: str, first: str, last: str, count: int) -> None:
    seed = read_seed({"devices": [{"deviceId": written, "tags": {"site": "north"}}]})
    (devices,) = seed.devices
    assert (ids(seed)[0], ids(seed)[-1], len(ids(seed)), len(devices.ids)) == (first, last, count, count)
    assert devices.document == {"tags": {"site": "north"}}


def test_a_parent_comes_before_its_children_wherever_it_is_written() -> None:
    devices = [
        {"deviceId": "leaf", "parentDeviceId": "inner"},
        {"deviceId": "alone"},
        {"deviceId": "inner", "parentDeviceId": "outer"},
        {"deviceId": "outer", "parentDeviceId": "in the hub already"},
    ]
    order = ids(read_seed({"devices": devices}))
    assert sorted(order) == ["alone", "inner", "leaf", "outer"]
    assert order.index("outer") < order.index("inner") < order.index("leaf")


def test_what_is_ours_is_not_in_the_document_that_the_registry_takes() -> None:
    (device,) = read_seed(
        {"devices": [{"deviceId": "a", "modules": [{"moduleId": "m"}], "parentDeviceId": "p"}]}
    ).devices
    assert device.document == {} and device.parent == "p"
    assert [each.identifier for each in device.modules] == ["m"]


def test_a_chain_of_parents_may_be_as_long_as_a_seed() -> None:
    devices = [{"deviceId": str(number), "parentDeviceId": str(number + 1)} for number in range(3000)]
    assert ids(read_seed({"devices": devices})) == [str(number) for number in reversed(range(3000))]


def test_null_is_as_if_it_were_not_there() -> None:
    assert read_seed({"devices": None}) == Seed()
    assert ids(read_seed({"devices": [{"deviceId": "a", "tags": None, "modules": None}]})) == ["a"]


KEY = "MDEyMzQ1Njc4OWFiY2RlZg=="


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            None,
            'It may have devices, certificates and configurations, such as {"devices": [{"deviceId": "pump-1"}]}.',
        ),
        ([], 'It has to be an object, such as {"devices": [{"deviceId": "pump-1"}]}, and is a list.'),
        ({"device": []}, "device: This is not known here. There may be devices, certificates and configurations."),
        ({"devices": {}}, 'devices: It has to be a list, such as [{"deviceId": "pump-1"}], and is an object.'),
        ({"devices": [7]}, 'devices[0]: It has to be an object, such as {"deviceId": "pump-1"}, and is a number.'),
        ({"devices": [{}]}, 'devices[0].deviceId: It is missing. It has to be a text, such as "pump-1".'),
        (
            {"devices": [{"deviceId": 12}]},
            'devices[0].deviceId: It has to be a text, such as "pump-1", and is a number: put it in quotes.',
        ),
        (
            {"devices": [{"deviceId": "a"}, {"deviceId": "a"}]},
            "devices[1]: The device 'a' is there twice; also at devices[0].",
        ),
        ({"devices": [{"deviceId": "a{1..3}"}, {"deviceId": "a2"}]}, "The device 'a2' is there twice"),
        ({"devices": [{"deviceId": "a", "desired": {}}]}, "devices[0].desired: This is not known here."),
        ({"devices": [{"deviceId": "a", "properties": {"tags": {}}}]}, "devices[0].properties.tags: This is not known"),
        (
            {"devices": [{"deviceId": "a", "authentication": {"symmetricKey": {"primary": KEY}}}]},
            "symmetricKey.primary:",
        ),
        (
            {"devices": [{"deviceId": "a", "authentication": KEY}]},
            'devices[0].authentication: It has to be an object, such as {"type": "sas"}, and is a text.',
        ),
        (
            {"devices": [{"deviceId": "a", "modules": [{"deviceId": "m"}]}]},
            "devices[0].modules[0].deviceId: This is not",
        ),
        (
            {"devices": [{"deviceId": "a", "modules": [{"moduleId": "m"}, {"moduleId": "m"}]}]},
            "The module 'm' is there twice",
        ),
        ({"devices": [{"deviceId": "a", "parentDeviceId": 5}]}, "devices[0].parentDeviceId: It has to be a text"),
        ({"devices": [{"deviceId": "a", "parentDeviceId": "a"}]}, "Devices are each other's parents: 'a' -> 'a'."),
        ({"devices": [{"deviceId": "a-{3..1}"}]}, "{3..1} has to go from a number to the same or a higher one"),
        ({"devices": [{"deviceId": "a-{1..999999999}"}]}, f"with at most {MAX_DEVICES:,} devices"),
        ({"devices": [{"deviceId": f"{x}-{{1..600000}}"} for x in "ab"]}, "devices: There are more than"),
        (
            {"certificates": [{"certificate": "x"}]},
            'certificates[0].name: It is missing. It has to be a text, such as "our-ca".',
        ),
        (
            {"devices": [{"deviceId": "a", "statusReason": 7}]},
            'statusReason: It has to be a text, such as "not delivered yet", and is a number: put it in quotes.',
        ),
        (
            {"devices": [{"deviceId": "a", "capabilities": {"iotEdge": "yes"}}]},
            "devices[0].capabilities.iotEdge: It has to be true or false, such as true, and is a text.",
        ),
        (
            {"configurations": [{"id": "a", "priority": "1"}]},
            "configurations[0].priority: It has to be a whole number, such as 10, and is a text.",
        ),
        (
            {"configurations": [{"id": "a", "priority": True}]},
            "configurations[0].priority: It has to be a whole number, such as 10, and is true.",
        ),
        ({"configurations": [{"id": "a", "priorty": 1}]}, "configurations[0].priorty: This is not known here."),
    ],
)
def test_a_mistake_says_where_it_is_and_what_may_be_there(document: Any, said: str) -> None:
    with pytest.raises(SeedMistake) as caught:
        read_seed(document)
    assert said in str(caught.value)
    assert KEY not in str(caught.value)


def test_keys_are_not_in_the_repr() -> None:
    authentication = {"symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY}}
    assert KEY not in repr(read_seed({"devices": [{"deviceId": "a", "authentication": authentication}]}))


def test_ranges_that_are_more_than_a_seed_may_have_are_not_counted_out() -> None:
    devices = [{"deviceId": f"{each}-{{1..{MAX_DEVICES}}}"} for each in range(10_000)]  # they would fill any memory
    with pytest.raises(SeedMistake, match=f"devices: There are more than the {MAX_DEVICES:,} that a seed may have."):
        read_seed({"devices": devices})


def test_an_error_shows_ids_in_one_line_and_not_all_of_a_long_circle() -> None:
    names = [f"\n::error::{number}\x1b[2J" for number in range(100)]
    devices = [
        {"deviceId": each, "parentDeviceId": after} for each, after in zip(names, [*names[1:], names[0]], strict=True)
    ]
    with pytest.raises(SeedMistake, match="each other's parents") as caught:
        read_seed({"devices": devices})
    assert str(caught.value).isprintable() and len(str(caught.value)) < 500
    assert str(caught.value).endswith(r" -> … -> '\n::error::0\x1b[2J'.")
