"""Files of results of shards: logs, odd ones, damaged ones, and those of different simulations."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.cli.simulate import shard_files
from azext_iotjobs.cli.simulate.merged_report import MergedResult
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.simulated_devices import Shard
from tests.cli.simulate.test_merged_report import DEVICES, answers, connects, refused, result_of

Change = Callable[[dict[str, Any]], Any]


def shard(number: int, total: int = 3) -> dict[str, Any]:
    ours = Shard(number, total)
    story = [each for device in DEVICES for each in (*connects(device), *answers(device, 5.0, 0.1))]
    return result_of(
        [*story, *refused(DEVICES[0], 20.0)], [each for each in DEVICES if ours.has(each)], ours, ["method * on 50%"]
    )


def text_of(document: Any) -> str:
    """As az prints it."""
    return json.dumps(document, indent=2) + "\n"


def written(folder: Path, *documents: Any) -> list[str]:
    paths = [folder / f"{number}.json" for number in range(len(documents))]
    for path, document in zip(paths, documents, strict=True):
        path.write_text(document if isinstance(document, str) else text_of(document))
    return [str(each) for each in paths]


def test_logs_of_pods_are_read_however_they_are_joined(tmp_path: Path) -> None:
    """kubectl logs -l …: what a pod wrote to stderr stands before its result, one pod's log after the other's."""
    noise = "WARNING: Hub: h (from IOTJOBS_CONNECTION_STRING)\n[30/s] {connected}\nTrue after 1.0 s: method * on 50%\n"
    log = "".join(noise + text_of(shard(each)) for each in (3, 1, 2))
    found = shard_files.read(written(tmp_path, log))
    assert [each.shard.number for each in found] == [1, 2, 3]
    assert [each.where.rpartition("line ")[2] for each in found if each.shard.number == 3] == ["4"]
    separate = shard_files.read(written(tmp_path, shard(1), shard(2), shard(3)))
    assert MergedResult(found).document() == MergedResult(separate).document()


def test_a_result_on_one_line_and_one_without_a_line_end_are_read(tmp_path: Path) -> None:
    text = json.dumps(shard(1)) + "\n" + json.dumps(shard(2), indent=1)
    assert len(shard_files.read(written(tmp_path, text))) == 2


def test_a_file_that_powershell_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "1.json"
    path.write_text(text_of(shard(1)), encoding="utf-16")
    assert len(shard_files.read([str(path)])) == 1


def test_a_shard_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConflictingChoice, match=r"shard 2 is there twice: .*1\.json, line 1, and .*2\.json, line 1"):
        shard_files.read(written(tmp_path, shard(1), shard(2), shard(2)))


OTHERS: tuple[tuple[str, Change], ...] = (
    ("the hub", lambda other: other.update(hub="another")),
    ("--seed", lambda other: other.update(seed="8")),
    ("the run", lambda other: other["shard"].update(run="b2")),
    ("the number of shards", lambda other: other["shard"].update(total=4)),
    ("--method-delay", lambda other: other["shard"]["options"].update({"--method-delay": "5"})),
    ("what is expected", lambda other: other["expectations"][0].update(expectation="method * on 60%")),
)


@pytest.mark.parametrize(("what", "change"), OTHERS, ids=[what for what, _ in OTHERS])
def test_results_of_different_simulations_are_refused(tmp_path: Path, what: str, change: Change) -> None:
    other = shard(2)
    change(other)
    with pytest.raises(ConflictingChoice, match=f"not shards of one simulation: {what} is .* in .*0.json, line 1, and"):
        shard_files.read(written(tmp_path, shard(1), other))


DAMAGED: tuple[tuple[str, Change], ...] = (
    ("seed is missing", lambda result: result.pop("seed")),
    ("count is not a count", lambda result: result["devices"].update(count=-1)),
    ("count is not a count", lambda result: result["devices"].update(count=True)),
    ("connects is not a count", lambda result: result.update(connects="3")),
    ("seconds is not a number", lambda result: result.update(seconds=float("nan"))),
    ("time", lambda result: result.update(startedAt="yesterday")),
    ("shard 4/3", lambda result: result["shard"].update(number=4)),
    ("shard 1/1000000000000", lambda result: result["shard"].update(total=10**12)),
    ("out of range", lambda result: result["devices"].update(allConnectedAfterSeconds=10**12)),
    ("firstReason is missing", lambda result: result["trouble"].append({"kind": "a", "count": 1, "firstDevices": []})),
    ("its format is 2", lambda result: result["shard"].update(format=2)),
    ("bucket '99999'", lambda result: result["shard"]["answers"]["buckets"].update({"99999": 1})),
    ("more answers were timed", lambda result: result["shard"]["answers"]["buckets"].update({"5": 10_000})),
    ("buckets", lambda result: result["shard"]["answers"].update(buckets=[1])),
    ("devicesTrue is not a count", lambda result: result["expectations"][0].update(devicesTrue=None)),
    ("missing", lambda result: result["expectations"][0].update(missing=[3])),
    ("", lambda result: result.update(shard=[])),
    ("", lambda result: result.update(methods=None)),
    ("", lambda result: result.update(trouble=[7])),
)


@pytest.mark.parametrize(("what", "change"), DAMAGED)
def test_a_damaged_result_is_refused(tmp_path: Path, what: str, change: Change) -> None:
    result = shard(1)
    change(result)
    with pytest.raises(BadValue, match=f"line 1: this result of a shard is damaged: .*{what}"):
        shard_files.read(written(tmp_path, result))


MEMBERS = [
    (*path, name)
    for path in ((), ("devices",), ("methods",), ("shard",), ("shard", "answers"), ("messages",), ("twins",))
    for name in ("count", "number", "buckets", "byName", "sent", "received", "expectations", "gaveUp", "startedAt")
]
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@given(st.sampled_from(MEMBERS), ANYTHING)
def test_whatever_a_member_is_it_is_merged_or_refused(path: tuple[str, ...], value: Any) -> None:
    result = copy.deepcopy(RESULT)
    holder = result
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    try:
        found = shard_files.check(result, "a.json")
    except BadValue as err:
        assert "damaged" in str(err)
    else:
        MergedResult([shard_files.ShardResult(shard=found, where="a.json", document=result)]).document()


RESULT = shard(1)


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    whole = text_of(shard(1))
    with pytest.raises(BadValue, match=r"0\.json is damaged: in line 1 a result begins that cannot be read \(line"):
        shard_files.read(written(tmp_path, whole[: len(whole) // 2]))


def test_two_that_wrote_into_one_file_at_once_are_refused(tmp_path: Path) -> None:
    lines = text_of(shard(1)).splitlines(keepends=True)
    mixed = "".join(lines[:5] + text_of(shard(2)).splitlines(keepends=True) + lines[5:])
    with pytest.raises(BadValue, match="is damaged: in line 1"):
        shard_files.read(written(tmp_path, mixed))


@pytest.mark.parametrize("text", ["", "\n\n", "nothing\n", "[pod/a] {\n", "null\n"])
def test_a_file_without_a_result_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadValue, match="there is no result of a shard"):
        shard_files.read(written(tmp_path, text))


def test_the_result_of_a_whole_simulation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="this is the result of a simulation without --shard"):
        shard_files.read(written(tmp_path, result_of([], DEVICES)))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="--merge"):
        shard_files.read([str(tmp_path / "absent")])
    (tmp_path / "binary").write_bytes(b"\x00\xff\xfe\x80" * 10)
    with pytest.raises(BadValue, match="--merge"):
        shard_files.read([str(tmp_path / "binary")])
