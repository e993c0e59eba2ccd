"""Shards of a simulation with the real az, and what is made of their results."""

from pathlib import Path

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import Ran

COUNT = 12
EXPECTED = ("--expect", "telemetry on all within 60s", "--expect", "method reboot on 50% within 1s")


@pytest.fixture(scope="module")
def shards(hub: ScenarioHub) -> list[Ran]:
    """What three shards have printed; no device is called."""
    for number in range(1, COUNT + 1):
        hub.new_device(f"sh-{number:02}")
    return [_run(hub, f"{number}/3", "--seed", "7") for number in (1, 2, 3)]


def _run(hub: ScenarioHub, shard: str, *more: str) -> Ran:
    return hub.az.run(
        f"iot device simulate -n {hub.name} --prefix sh- --count {COUNT} --msg-count 2 --msg-interval 1",
        *("--shard", shard, *EXPECTED, *more),
    )


def written(folder: Path, shards: list[Ran]) -> list[str]:
    paths = [folder / f"{number}.json" for number in range(len(shards))]
    for path, ran in zip(paths, shards, strict=True):
        path.write_text(ran.stdout)
    return [str(each) for each in paths]


def test_shards_are_merged_into_one_result_with_one_exit_code(
    hub: ScenarioHub, shards: list[Ran], tmp_path: Path
) -> None:
    ran = hub.az.run("iot device simulate --merge", *written(tmp_path, shards))
    assert ran.code == 4, ran.stderr
    result = ran.json
    assert (result["devices"]["count"], result["connects"]) == (COUNT, COUNT)
    assert result["messages"]["acknowledged"] == sum(each.json["messages"]["acknowledged"] for each in shards)
    assert [each["cameTrue"] for each in result["expectations"]] == [True, False]
    assert result["expectations"][1]["devicesNeeded"] == COUNT / 2
    assert result["shards"] == {"total": 3, "merged": 3, "missing": []}
    assert "NOT true (not in time): method reboot on 50% within 1s" in ran.stderr


def test_logs_are_merged_from_standard_input_and_reported(hub: ScenarioHub, shards: list[Ran], tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    logs = "".join(each.stderr + each.stdout for each in shards[:2])
    ran = hub.az.run("iot device simulate --merge - --report", str(report), stdin=logs)
    assert ran.code == 4, ran.stderr
    assert ran.json["shards"]["missing"] == [3]
    assert "The results of 1 shard of 3 are missing: 3." in ran.stderr
    assert "without the results of shards 3" in report.read_text()


def test_a_shard_without_a_seed_is_warned_of(hub: ScenarioHub, shards: list[Ran]) -> None:
    warned = "--shard without --seed: this shard's result cannot be merged"
    assert warned in _run(hub, "1/3").stderr
    assert not [each for each in shards if warned in each.stderr]


def test_shards_with_other_seeds_are_refused(hub: ScenarioHub, shards: list[Ran], tmp_path: Path) -> None:
    other = _run(hub, "2/3", "--seed", "8")
    ran = hub.az.run("iot device simulate --merge", *written(tmp_path, [shards[0], other]))
    assert ran.code == 1 and ran.stdout == ""
    assert 'these are not shards of one simulation: --seed is "7" in' in ran.stderr


def test_merging_asks_no_hub_and_takes_no_other_option(hub: ScenarioHub, shards: list[Ran], tmp_path: Path) -> None:
    for option in (("-n", "nowhere"), ("--count", "3"), ("-d", "a"), ("--seed", "7"), ("--msg-count", "3")):
        ran = hub.az.run("iot device simulate --merge", *written(tmp_path, shards), *option)
        assert ran.code == 1, option
        assert "--merge simulates nothing, and asks no hub" in ran.stderr, ran.stderr


def test_a_merged_result_has_a_table(hub: ScenarioHub, shards: list[Ran], tmp_path: Path) -> None:
    ran = hub.az.run("iot device simulate -o table --merge", *written(tmp_path, shards))
    assert ran.code == 4 and f"{COUNT} of {COUNT}" in ran.stdout and "NOT TRUE" in ran.stdout, ran.stderr
