"""What a user types as a value, a path or a file of devices, by the real az against the local hub."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import Ran

DEVICES = ("table-1", "table-2", "table,3")
SEMICOLON = "table;4"


@pytest.fixture(scope="module")
def there(own_hub: ScenarioHub) -> Iterator[ScenarioHub]:
    for name in (*DEVICES, SEMICOLON):
        own_hub.new_device(name)
    yield own_hub


def update(hub: ScenarioHub, *more: str) -> Ran:
    return hub.az.run(f"iot hub device-twin update -n {hub.name}", "-d", DEVICES[0], *more)


def twin(hub: ScenarioHub) -> dict[str, Any]:
    return dict(hub.az.json(f"iot hub device-twin show -n {hub.name}", "-d", DEVICES[0]))


def test_a_version_never_becomes_a_shorter_number(there: ScenarioHub, tmp_path: Path) -> None:
    (tmp_path / "v").write_text("4.10\n")
    before = twin(there)
    for words in (
        ("--desired", "fw=4.10"),
        ("--tags", "serial=1e5"),
        ("--desired", f"fw=@{tmp_path / 'v'}"),
        ("--set", "properties.desired.fw=4.10"),
        ("--desired", "a.b.fw=4.10", "n=1"),
    ):
        ran = update(there, *words)
        assert (ran.code, ran.stdout) == (1, "") and "would be stored as the number" in ran.stderr, words
        assert "as text" in ran.stderr and "As that number" in ran.stderr
    assert twin(there) == before
    update(there, "--desired", "fw='4.10'", "--set", "properties.desired.other='4.10'", "--tags", "serial=007")
    update(there, "--set", "properties.desired.third=1e5", "--force-string")
    after = twin(there)
    desired = after["properties"]["desired"]
    assert (desired["fw"], desired["other"], desired["third"]) == ("4.10", "4.10", "1e5")
    assert after["tags"]["serial"] == "007"


def test_edits_that_a_twin_does_not_take_are_said_in_our_own_words(there: ScenarioHub) -> None:
    update(there, "--tags", "loc=a", "ids=[1]")
    before = twin(there)
    for words, said in (
        (("--remove", "tags.loc", "tags.ids"), "--remove tags.loc --remove tags.ids"),
        (("--set", "properties.desired.['a-b']=1"), "properties.desired.a-b"),
        (("--set", "tags.a.b=1"), "--tags a.b=1"),
        (("--set", "tags.ids.x=1"), "tags.ids[0]"),
        (("--remove", "tags.ids", "7"), "it has 1 item"),
        (("--add", "tags.ids"), "--add tags.ids VALUE"),
    ):
        ran = update(there, *words)
        assert (ran.code, ran.stdout) == (1, "") and said in ran.stderr, words
        assert "invalid literal" not in ran.stderr and "Traceback" not in ran.stderr
    assert twin(there) == before
    removed = update(there, "--remove", "tags.loc", "--remove", "tags.ids", "0")
    assert removed.json["tags"]["ids"] == [] and "loc" not in removed.json["tags"]


@pytest.mark.parametrize(
    "content",
    [
        b'IOTC_DEVICEID,IOTC_DEVICENAME\r\ntable-1,One\r\ntable-2,Two\r\n"table,3",Three\r\n',
        "\ufeffsep=;\r\nDevice ID;Name\r\ntable-1;Ö\r\ntable-2;b\r\ntable,3;c\r\n".encode(),
        "Device ID\tName\r\ntable-1\tÖ\r\ntable-2\tb\r\ntable,3\tc\r\n".encode("utf-16"),
        b'table-1\ntable-2\n"table,3"\n',
    ],
)
def test_a_table_names_its_devices_and_no_others(there: ScenarioHub, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "devices.csv").write_bytes(content)
    plan = there.az.json(
        f"iot hub invoke-device-method -n {there.name} --method-name m --dry-run",
        "--devices-file",
        str(tmp_path / "devices.csv"),
    )
    assert (plan["sample"], plan["notRegistered"]) == (list(DEVICES), [])


def test_what_only_looks_like_a_table_is_an_error_with_the_line(there: ScenarioHub, tmp_path: Path) -> None:
    path = tmp_path / "devices.csv"
    for content, line in (("name,serial\ntable-1,17\ntable-2,18\n", 1), ("deviceId,n\ntable-1,a\ntable-2,b,c\n", 3)):
        path.write_text(content)
        for words in (
            ("invoke-device-method", "--method-name", "m", "--devices-file"),
            (*"job create --job-id t --job-type scheduleUpdateTwin --twin-patch tags.a=1 --devices-file".split(),),
        ):
            ran = there.az.run("iot hub", *words, str(path), "-n", there.name)
            assert (ran.code, ran.stdout) == (1, "") and f"devices.csv, line {line}:" in ran.stderr
            assert "Traceback" not in ran.stderr


def test_a_connection_string_that_nobody_can_read_back_is_said(there: ScenarioHub) -> None:
    words = ("iot", "hub", "device-identity", "connection-string", "show", "-n", there.name, "-d")
    ran = there.az.run(*words, SEMICOLON)
    assert ran.code == 0 and f";DeviceId={SEMICOLON};" in ran.json["connectionString"]
    assert "cannot be read back" in ran.stderr and SEMICOLON in ran.stderr
    assert there.az.run(*words, DEVICES[2]).stderr == ""
