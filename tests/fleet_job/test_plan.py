"""Devices in batches, samples and hub jobs: each in exactly one."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.fleet_job import plan
from azext_iotjobs.model.attempt import Attempt
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.query import MAX_CHARACTERS, in_list, quoted
from azext_iotjobs.model.rollout import BatchSizes, parse_batch_sizes
from azext_iotjobs.model.share import Share, Unit

counts = st.integers(1, 2000).map(lambda number: Share(Fraction(number), Unit.DEVICES))
percents = st.fractions(Fraction(1, 100), 100, max_denominator=100).map(lambda part: Share(part, Unit.PERCENT))
sizes = st.lists(counts | percents, min_size=1, max_size=6).map(lambda each: BatchSizes(tuple(each)))


@given(total=st.integers(0, 3000), each=sizes)
def test_each_device_is_in_exactly_one_batch(total: int, each: BatchSizes) -> None:
    batches = list(plan.batches(total, each))
    assert [number for batch in batches for number in range(batch.first, batch.last + 1)] == list(range(1, total + 1))
    assert [batch.ordinal for batch in batches] == list(range(1, len(batches) + 1))
    assert all(batch.size >= 1 for batch in batches)


@pytest.mark.parametrize(
    ("text", "total", "expected"),
    [
        ("10%", 103, [11] * 9 + [4]),
        ("1,5,20%", 40, [1, 5, 8, 8, 8, 8, 2]),
        ("100%", 7, [7]),
        ("50", 7, [7]),
        ("0.1%", 3, [1, 1, 1]),
        ("33%", 100, [33, 33, 33, 1]),
        ("1", 0, []),
    ],
)
def test_batches_have_the_sizes_that_were_given(text: str, total: int, expected: list[int]) -> None:
    assert [batch.size for batch in plan.batches(total, parse_batch_sizes(text, "--batch"))] == expected


ids = st.text("abcXYZ0129-:.+%_#*?!(),=@$';", min_size=1, max_size=128)
addresses = st.lists(st.tuples(ids, st.none() | st.sampled_from(["m1", "m'2"])), unique=True, max_size=400)


@given(addresses)
def test_each_device_is_in_exactly_one_hub_job_whose_condition_is_short_enough(
    devices: list[tuple[str, str | None]],
) -> None:
    attempts = [Attempt(seq=n, device_id=d, module_id=m, tries=0) for n, (d, m) in enumerate(devices)]
    jobs = list(plan.hub_jobs(attempts))
    assert [each for job in jobs for each in job.devices] == attempts
    for job in jobs:
        assert len(job.condition) <= MAX_CHARACTERS
        assert job.condition.endswith(in_list("deviceId", (each.device_id for each in job.devices)))
        (module,) = {each.module_id for each in job.devices}
        assert (module is not None) == job.condition.startswith("FROM devices.modules WHERE moduleId = ")


@pytest.mark.parametrize("name", ["device-{:04}", "it's-{:04}", "{:0128}"])
@pytest.mark.parametrize("module_id", [None, "m'1"])
def test_hub_jobs_are_as_full_as_they_can_be_and_no_fuller(name: str, module_id: str | None) -> None:
    attempts = [Attempt(seq=n, device_id=name.format(n), module_id=module_id, tries=0) for n in range(2000)]
    *full, last = plan.hub_jobs(attempts)
    one_more = len(", " + quoted(name.format(0)))
    assert len(full) > 2 and len(last.devices) <= len(full[0].devices)
    for each in full:
        assert MAX_CHARACTERS - one_more - 2 <= len(each.condition) <= MAX_CHARACTERS


def test_ids_of_hub_jobs_are_short_enough_and_tell_runs_apart() -> None:
    longest = plan.hub_job_id("j" * 40, plan.run_key(range(8)), 1_000_000, 1000)
    assert (plan.RUN_KEY_LENGTH, plan.run_key([0, 25, 26, 35, 36])) == (8, "az09a")
    assert len(longest) <= 64 and longest.endswith("-abcdefgh-b1000000-1000")
    assert plan.hub_job_id("fw", "k3", 2, 1) == "fw-k3-b2"


def test_a_sample_is_the_same_each_time_and_another_with_another_seed() -> None:
    def first(seed: int) -> set[int]:
        return set(sorted(range(1000), key=lambda number: plan.sample_rank(seed, f"d{number}", None))[:50])

    assert first(1) == first(1) and len(first(1) & first(2)) < 20
    assert plan.sample_rank(7, "d-000", None) == 4969504655615560651  # in every version of this tool
    assert len({plan.sample_rank(7, "d-000", module_id) for module_id in (None, "None", "m1", "m2")}) == 4
    assert all(0 <= plan.sample_rank(3, f"d{number}", "m") < 2**63 for number in range(100))
    assert [plan.sample_size(total, Fraction(5)) for total in (0, 1, 100, 101)] == [0, 1, 5, 6]


def test_words_that_choose_devices() -> None:
    assert plan.parse_words(" Failed, offline") == {"failed", "offline"}
    for text in ("", " ,", "asleep", "calling"):
        with pytest.raises(BadValue, match="^on .*uncertain"):
            plan.parse_words(text)
