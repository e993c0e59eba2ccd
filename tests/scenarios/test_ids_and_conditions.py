"""What a user types as an id, a list or a condition stays that: black-box, against the local hub.

Each test looks afterwards that nobody else was touched.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import Ran
from tests.helpers.fleet_job_scenario import FleetJobs

VICTIM = "steps-victim"
COMMA = "steps-x,y:z=w"
OTHERS = ("steps-t1", "steps-tw1")
ALL = "STARTSWITH(deviceId, 'steps-')"
TAGGED = '{"tags": {"hit": "%s"}}'


@pytest.fixture(scope="module")
def there(own_hub: ScenarioHub) -> Iterator[ScenarioHub]:
    """A hub with a device that has a module, one with a comma in its id, and two more."""
    for name in (VICTIM, COMMA, *OTHERS):
        own_hub.new_device(name)
    own_hub.az.json(f"iot hub module-identity create -n {own_hub.name} -m m1", "-d", VICTIM)
    yield own_hub


def everything(hub: ScenarioHub) -> list[Any]:
    def shown(*words: str) -> Any:
        return hub.az.json("iot hub", *words, "-n", hub.name)

    return [
        shown("query", "-q", "SELECT * FROM devices"),
        shown("query", "-q", "SELECT * FROM devices.modules"),
        shown("device-identity", "show", "-d", VICTIM),
        shown("module-identity", "show", "-d", VICTIM, "-m", "m1"),
    ]


def hit(hub: ScenarioHub, mark: str) -> list[str]:
    query = f"SELECT deviceId FROM devices WHERE tags.hit = '{mark}'"
    return sorted(each["deviceId"] for each in hub.az.json(f"iot hub query -n {hub.name}", "-q", query))


def create_job(hub: ScenarioHub, mark: str, *more: str) -> Ran:
    return hub.az.run(
        f"iot hub job create -n {hub.name} --job-id {mark} --job-type scheduleUpdateTwin --wait --poll-interval 1",
        "--twin-patch",
        TAGGED % mark,
        *more,
    )


def test_a_step_as_a_module_id_never_means_the_device(there: ScenarioHub) -> None:
    before = everything(there)
    for words in (
        ("module-identity", "delete", "-m", ".."),
        ("module-identity", "renew-key", "-m", "..", "--key-type", "primary"),
        ("module-identity", "connection-string", "show", "-m", ".."),
        ("module-identity", "update", "-m", ".", "--set", "managedBy=me"),
        ("module-twin", "update", "-m", "..", "--desired", "a=1"),
        ("module-twin", "replace", "-m", "..", "--json", '{"tags": {"a": 1}}'),
        ("module-twin", "show", "-m", ""),
        ("module-identity", "delete", "-m", "a/../.."),
        ("invoke-module-method", "-m", "..", "--method-name", "m"),
    ):
        ran = there.az.run("iot hub", *words, "-n", there.name, "-d", VICTIM)
        assert (ran.code, ran.stdout) == (1, "") and "--module-id" in ran.stderr, words
        assert "Traceback" not in ran.stderr
    assert everything(there) == before


def test_what_is_no_id_is_refused_by_the_options_name(there: ScenarioHub) -> None:
    before = everything(there)
    for words, option in (
        (("device-identity", "delete", "-d", ".."), "--device-id"),
        (("device-identity", "delete", "-d", VICTIM, "--etag", ""), "--etag"),
        (("device-identity", "delete", "-d", VICTIM, "--etag", "a\r\nX-Evil: 1"), "--etag"),
        (("device-twin", "update", "-d", VICTIM, "--tags", "a=1", "--etag", "🙂"), "--etag"),
        (("device-identity", "renew-key", "-d", VICTIM, "a b", "--key-type", "primary"), "--device-id"),
        (("device-identity", "parent", "set", "-d", VICTIM, "--parent-device-id", ".."), "--parent-device-id"),
        (("device-identity", "children", "add", "-d", VICTIM, "--child-list", OTHERS[0], "🙂"), "--child-list"),
        (("job", "cancel", "--job-id", "../devices/" + VICTIM), "--job-id"),
        (("job", "show", "--job-id", "query"), "--job-id"),
        (("job", "copy", "--job-id", "x", "--new-job-id", ".."), "--new-job-id"),
    ):
        ran = there.az.run("iot hub", *words, "-n", there.name)
        assert (ran.code, ran.stdout) == (1, "") and option in ran.stderr, words
        assert "Traceback" not in ran.stderr
    for verb, etag in (("complete", ".."), ("abandon", "a/b"), ("reject", " ")):
        ran = there.az.run("iot device c2d-message", verb, "-e", etag, "-n", there.name, "-d", VICTIM)
        assert (ran.code, ran.stdout) == (1, "") and "--etag" in ran.stderr, verb
    assert everything(there) == before


@pytest.mark.parametrize("device", ["...", "a..b", ".x", "a%2e", "%2e%2e%2e"])
def test_an_id_that_looks_like_a_step_is_a_device_of_its_own(there: ScenarioHub, device: str) -> None:
    words = ("-n", there.name, "-d", device)
    assert there.az.json("iot hub device-identity create", *words)["deviceId"] == device
    assert there.az.json("iot hub device-twin show", *words)["deviceId"] == device
    assert there.az.run("iot hub device-identity delete", *words).code == 0
    assert there.az.run("iot hub device-twin show", *words).code == 3


def test_an_id_with_a_comma_can_be_left_out(there: ScenarioHub) -> None:
    ran = create_job(there, "quoted", "-q", ALL, "--exclude", f'"{COMMA}",{OTHERS[0]}')
    assert ran.code == 0 and "--exclude" not in ran.stderr
    assert hit(there, "quoted") == sorted([VICTIM, OTHERS[1]])


def test_a_device_whose_id_was_taken_apart_is_not_operated(there: ScenarioHub) -> None:
    ran = create_job(there, "apart", "-q", ALL, "--exclude", f"{COMMA},{OTHERS[0]}")
    assert ran.code == 1 and f"'{COMMA}' is one device" in ran.stderr and f"--exclude '\"{COMMA}\"'" in ran.stderr
    named = create_job(there, "apart", "--device-ids", f'"{COMMA}",{OTHERS[0]}', "--exclude", COMMA)
    assert named.code == 1 and hit(there, "apart") == []


def test_an_exclusion_that_hits_nobody_is_said(there: ScenarioHub, jobs: FleetJobs) -> None:
    ran = create_job(there, "idle", "-q", ALL, "--exclude", f"steps-nobody,{OTHERS[0]}")
    assert ran.code == 0 and "--exclude: 1 id is not among the selected devices: steps-nobody." in ran.stderr
    assert hit(there, "idle") == sorted([VICTIM, COMMA, OTHERS[1]])
    again = there.az.run(
        f"iot hub job rerun -n {there.name} --job-id idle --on all --dry-run",
        "--exclude",
        f"gone,{VICTIM}",
    )
    assert "1 id is not among the selected devices: gone." in again.stderr and again.json["deviceCount"] == 2
    called = there.az.run(
        f"iot hub invoke-device-method -n {there.name} --method-name m --exclude gone --dry-run",
        "-q",
        ALL,
    )
    assert "1 id is not among the selected devices: gone." in called.stderr
    simulated = there.az.run(f"iot device simulate -n {there.name} --exclude gone --dry-run", "-q", ALL)
    assert "1 id is not among the selected devices: gone." in simulated.stderr
    fleet = jobs.run(f"create -n {there.name} -j idle --tags a=1 --exclude gone --dry-run", "-q", ALL)
    assert "1 id is not among the selected devices: gone." in fleet.stderr and fleet.json["deviceCount"] == 4


def test_a_fleet_job_refuses_an_id_that_was_taken_apart(there: ScenarioHub, jobs: FleetJobs) -> None:
    ran = jobs.run(f"create -n {there.name} -j apart --tags hit=fleet --run --yes", "-q", ALL, "--exclude", COMMA)
    assert ran.code == 1 and f"'{COMMA}' is one device" in ran.stderr
    assert hit(there, "fleet") == []


@pytest.mark.parametrize(
    "condition", ["deviceId = 'steps-t1') OR (deviceId = 'steps-tw1'", "deviceId = 'steps-tw1' --", "deviceId = 'a';"]
)
def test_a_condition_that_is_not_one_whole_condition_is_refused(there: ScenarioHub, condition: str) -> None:
    ran = create_job(there, "whole", "-q", condition, "--exclude", OTHERS[0])
    assert (ran.code, ran.stdout) == (1, "") and "--query-condition" in ran.stderr
    assert hit(there, "whole") == []
    shown = there.az.run(f"iot hub job show -n {there.name} --job-id whole")
    assert shown.code == 3, "nothing was sent, so that the id is free"
