"""Which devices of a job are meant, and the jobs that reach each of them once."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.rerun import conditions, new_job_id, parse_chosen, part_ids


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("failed", {"offline", "rejected"}),
        ("offline", {"offline"}),
        (" Offline , rejected ", {"offline", "rejected"}),
        ("pending", {"waiting", "running"}),
        ("pending,rejected", {"waiting", "running", "rejected"}),
        ("all", {"fine", "offline", "rejected", "waiting", "running", "cancelled"}),
    ],
)
def test_words_choose_devices(words: str, kept: set[str]) -> None:
    rows = {
        "fine": ("completed", None),
        "offline": ("failed", "offline"),
        "rejected": ("completed", "rejected"),
        "waiting": ("pending", None),
        "running": ("Running", None),
        "cancelled": ("canceled", None),
    }
    assert {name for name, (status, why) in rows.items() if parse_chosen(words).holds(status, why)} == kept


@pytest.mark.parametrize("words", ["", " , ", "offline,asleep", "*"])
def test_other_words_are_refused(words: str) -> None:
    with pytest.raises(BadValue, match="^on .*pending, all, offline"):
        parse_chosen(words)


names = st.text("abcXYZ0129-'_", min_size=1, max_size=128)


@given(st.lists(st.tuples(names, st.none() | st.sampled_from(["m", "o'm"])), max_size=400))
def test_each_target_is_in_one_condition_and_none_is_too_long(targets: list[tuple[str, str | None]]) -> None:
    found: list[tuple[str, str | None]] = []
    for condition in conditions(Address(*each) for each in targets):
        assert len(condition) <= 8192
        of_module = re.match(r"FROM devices\.modules WHERE moduleId = '((?:[^'\\]|\\.)*)' AND ", condition)
        module = of_module[1].replace("\\'", "'") if of_module else None
        rest = condition[of_module.end() :] if of_module else condition
        assert rest.startswith("deviceId IN [") and rest.endswith("]")
        found += [(each.replace("\\'", "'"), module) for each in re.findall(r"'((?:[^'\\]|\\.)*)'", rest)]
    assert len(found) == len(set(found))
    assert set(found) == set(targets)


def test_ids_of_new_jobs_are_short_enough_and_apart() -> None:
    assert new_job_id("reboot", "-r1") == "reboot-r1"
    assert part_ids("reboot-r1", 1) == ["reboot-r1"]
    long = part_ids(new_job_id("x" * 64, "-r12"), 3)
    assert [len(each) for each in long] == [64, 64, 64] and len(set(long)) == 3
