"""What is typed about batches, thresholds and retries -> values, or an error that names the option."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, DevicesOfRun, Targets, check_id, id_with
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import (
    BatchSizes,
    Retry,
    RetryWhen,
    Rollout,
    Scope,
    Threshold,
    ThresholdAction,
    parse_batch_sizes,
    parse_retry_classes,
)
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.share import Share, Unit, parse_share
from azext_iotjobs.model.twin import TwinPatch

TEN_PERCENT = Share(Fraction(10), Unit.PERCENT)
METHOD = Action(method=MethodCall(name="m"))
A_MONTH_S = 30 * 24 * 3600.0
SOME = Targets(selection=Selection(device_ids=("a",)))


def test_shares_are_numbers_or_percent() -> None:
    assert parse_share("11", "--batch") == Share(Fraction(11), Unit.DEVICES)
    assert parse_share(" 10 % ", "--batch") == parse_share("10", "--batch", Unit.PERCENT) == TEN_PERCENT
    assert parse_share("11", "--batch", Unit.DEVICES) == Share(Fraction(11), Unit.DEVICES)
    assert parse_share("0.1%", "--cth").of(3000) == 3 and str(parse_share("2.50%", "--cth")) == "2.5%"


def test_a_list_of_sizes_may_mix_numbers_and_percent() -> None:
    sizes = parse_batch_sizes("1, 5,20%", "--batch")
    assert str(sizes) == "1,5,20%" and [each.unit for each in sizes.sizes] == [Unit.DEVICES] * 2 + [Unit.PERCENT]


WRONG: list[tuple[str, Callable[[], Any]]] = [
    ("--batch 'x'", lambda: parse_batch_sizes("x", "--batch")),
    ("--batch '1,,2'|--batch ''", lambda: parse_batch_sizes("1,,2", "--batch")),
    ("--batch.*0 is not a size", lambda: parse_batch_sizes("0", "--batch")),
    ("--batch.*at most 100%", lambda: parse_batch_sizes("101%", "--batch")),
    ("--batch.*whole number", lambda: parse_batch_sizes("1.5", "--batch")),
    ("--batch.*type says number", lambda: parse_batch_sizes("5%", "--batch", Unit.DEVICES)),
    ("--cth", lambda: parse_share("-1", "--cth")),
    ("--cth", lambda: parse_share("1e3", "--cth")),
    ("^--batch 1000001 devices: give", lambda: parse_batch_sizes("1000001", "--batch")),
    ("1 to 100", lambda: BatchSizes(())),
    ("1 to 100", lambda: BatchSizes((TEN_PERCENT,) * 101)),
    ("--retry.*not a number", lambda: parse_retry_classes("offline=x", "--retry")),
    ("not a class of failure", lambda: parse_retry_classes("asleep", "--retry")),
    ("not a class of failure", lambda: parse_retry_classes("uncertain=1", "--retry")),
    ("1 to 10 times", lambda: Retry(tries={"offline": 11})),
    ("1 to 10 times", lambda: Retry(tries={"offline": 0})),
    ("No class of failure is given", lambda: Retry(tries={})),
    ("pause", lambda: Retry(tries={"offline": 1}, pause_s=0)),
    ("retry_growth is 1 or more", lambda: Retry(tries={"offline": 1}, growth=0.99)),
    ("pause", lambda: Retry(tries={"offline": 1}, longest_s=0)),
    ("pause", lambda: Retry(tries={"offline": 1}, longest_s=A_MONTH_S + 1)),
    ("pause", lambda: Rollout(pause_s=-1)),
    ("batch_pause_s.*give 0 to 30d", lambda: Rollout(pause_s=A_MONTH_S + 1)),
    ("1 to 1000000 devices", lambda: Threshold(share=TEN_PERCENT, min_sample=1_000_001)),
    ("concurrency 0", lambda: Delivery(concurrency=0)),
    ("rate", lambda: Delivery(rate=float("nan"))),
    ("limit 0", lambda: Targets(group="g", limit=0)),
    ("sample_percent", lambda: Targets(group="g", sample_percent=Fraction(0))),
    ("fleet_job_id", lambda: check_id("Night")),
    ("fleet_job_id", lambda: check_id("-x")),
    ("fleet_job_id", lambda: check_id("x" * 41)),
    ("display_name has 149", lambda: Definition(action=METHOD, targets=SOME, display_name="x" * 149)),
    ("modulesContent", lambda: Action(content={"modules": {}})),
]


@pytest.mark.parametrize(("said", "make"), WRONG, ids=[str(number) for number in range(len(WRONG))])
def test_what_cannot_be_meant_is_refused(said: str, make: Callable[[], Any]) -> None:
    with pytest.raises(BadValue, match=said):
        make()


def test_the_largest_of_everything_is_allowed_and_defaults_are_what_help_says() -> None:
    assert Retry(tries={"offline": 1}, pause_s=0.5, longest_s=0.5).pause_after_s(9) == 0.5
    month = Retry(tries={"offline": 10}, pause_s=A_MONTH_S, longest_s=A_MONTH_S, growth=1)
    threshold = Threshold(share=parse_share("1000000", "--cth"), min_sample=1_000_000)
    assert Rollout(sizes=BatchSizes((TEN_PERCENT,) * 100), pause_s=A_MONTH_S, threshold=threshold, retry=month)
    assert (threshold.scope, threshold.action, threshold.classes) == (Scope.RUN, ThresholdAction.CANCEL, frozenset())
    assert (Threshold(share=TEN_PERCENT).min_sample, Rollout().pause_s, str(Rollout().sizes)) == (1, 0, "100%")
    retry = Retry(tries={"offline": 1})
    assert (retry.pause_s, retry.growth, retry.longest_s, retry.when) == (10, 2, 600, RetryWhen.AT_ONCE)


def test_one_action_and_one_way_to_name_devices() -> None:
    with pytest.raises(MissingChoice):
        Action()
    with pytest.raises(ConflictingChoice):
        Action(method=MethodCall(name="m"), patch=TwinPatch(document={"tags": {"a": 1}}))
    with pytest.raises(MissingChoice):
        Targets()
    with pytest.raises(ConflictingChoice):
        Targets(group="g", of_run=DevicesOfRun(fleet_job_id="j", run_number=1, words=frozenset({"failed"})))
    with pytest.raises(ConflictingChoice):
        Targets(group="g", limit=1, sample_percent=Fraction(1))


def test_pauses_grow_up_to_the_longest() -> None:
    retry = Retry(tries=parse_retry_classes("offline=3, timeout", "--retry"), pause_s=10, growth=3, longest_s=60)
    assert [retry.pause_after_s(tries) for tries in (1, 2, 3, 1000)] == [10, 30, 60, 60]
    due = {tries: retry.is_due_again("offline", tries) for tries in (1, 3, 4)}
    assert due == {1: True, 3: True, 4: False} and retry.is_due_again("timeout", 1)
    assert not retry.is_due_again("other", 1) and not retry.is_due_again(None, 1)


def test_ids_made_of_ids_are_short_enough() -> None:
    assert id_with("a", "-copy") == "a-copy" and check_id(id_with("a" * 40, "-r12")) == "a" * 36 + "-r12"
