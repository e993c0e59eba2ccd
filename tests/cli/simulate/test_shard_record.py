"""What a shard says of the simulation that it is a part of: the same on each machine, whatever it has of its own."""

from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.simulate.shard_record import RUN_VARIABLE, options_of, record
from azext_iotjobs.model.simulated_devices import Shard
from azext_iotjobs.simulator.histogram import Histogram
from tests.cli.simulate.test_export_kubernetes import typed

BEHAVIOUR = "methods:\n  reboot:\n    status: 204\n"


def options(many: dict[str, Any], **groups: Any) -> Any:
    return options_of(typed(many, {"export": None, "image": None}, **groups))


def test_what_each_machine_has_of_its_own_is_not_in_it() -> None:
    own = {
        "shard": "1/2",
        "events": "e.jsonl",
        "report": ["r.xml"],
        "metrics_port": 1,
        "ramp": "5/s",
        "take_over": True,
    }
    shared = {"prefix": "p", "count": 3, "expect": ["connected on all"]}
    assert options({**shared, **own}) == options({**shared, "shard": "2/2"})
    assert options(shared) == {"--prefix": "p", "--count": 3, "--expect": ["connected on all"]}


def test_files_count_by_what_is_in_them(tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml"))
    first.write_text(BEHAVIOUR)
    second.write_text(BEHAVIOUR)
    other.write_text(BEHAVIOUR.replace("204", "500"))
    found = [options({"prefix": "p", "count": 3}, behaviour={"behaviour_file": str(each)}) for each in (first, second)]
    assert found[0] == found[1]
    assert options({"prefix": "p", "count": 3}, behaviour={"behaviour_file": str(other)}) != found[0]


def test_long_texts_are_digests_and_still_told_apart() -> None:
    long, other = ({"our_device_ids": ",".join(f"{start}-{each}" for each in range(500))} for start in "ab")
    found = options(long)
    assert len(str(found)) < 200 and found != options(other)


def test_the_run_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    assert record(Shard(1, 2), {}, Histogram())["run"] is None
    monkeypatch.setenv(RUN_VARIABLE, "2c5e")
    assert record(Shard(1, 2), {}, Histogram())["run"] == "2c5e"
