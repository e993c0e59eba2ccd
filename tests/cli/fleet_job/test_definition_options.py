"""What is typed about a fleet job, as a definition: new, and as changes of a stored one."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.commands import options_of
from azext_iotjobs.cli.fleet_job.definition_options import TypedDefinition
from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, UserError
from azext_iotjobs.model.fleet import ActionKind, Definition, Driver, OfRun, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import BatchSizes, Retry, RetryWhen, Scope, Share, Threshold, ThresholdAction, Unit
from azext_iotjobs.model.run import Narrowed

SOME: dict[str, Any] = {"method": "reboot", "named_devices": "a,b"}


def new(**typed: Any) -> Definition:
    return TypedDefinition(**{**SOME, **typed}).onto(None)


def edited(old: Definition, **typed: Any) -> Definition:
    return TypedDefinition(**typed).onto(old)


def percent(number: int) -> Share:
    return Share(Fraction(number), Unit.PERCENT)


def devices(number: int) -> Share:
    return Share(Fraction(number), Unit.DEVICES)


@pytest.mark.parametrize(
    ("typed", "sizes"),
    [
        ({"batch_text": "10", "batch_kind": "percentage"}, (percent(10),)),
        ({"batch_text": "10%"}, (percent(10),)),
        ({"batch_text": "11"}, (devices(11),)),
        ({"batch_text": "1,5,20%"}, (devices(1), devices(5), percent(20))),
        ({}, (percent(100),)),
    ],
)
def test_batches_as_central_types_them_and_as_lists(typed: dict[str, Any], sizes: tuple[Share, ...]) -> None:
    assert new(**typed).rollout.sizes == BatchSizes(sizes)


def test_a_threshold_is_changed_part_by_part_and_taken_away() -> None:
    first = new(threshold_text="5", threshold_kind="percentage", threshold_per_batch=True, threshold_least=20)
    assert first.rollout.threshold == Threshold(share=percent(5), scope=Scope.BATCH, min_sample=20)
    second = edited(first, threshold_does="stop", threshold_classes="rejected, uncertain")
    assert second.rollout.threshold == Threshold(
        share=percent(5), scope=Scope.BATCH, min_sample=20, action=ThresholdAction.STOP,
        classes=frozenset({"rejected", "uncertain"}),
    )  # fmt: skip
    assert edited(second, threshold_text="7").rollout.threshold == Threshold(
        share=devices(7), scope=Scope.BATCH, min_sample=20, action=ThresholdAction.STOP,
        classes=frozenset({"rejected", "uncertain"}),
    )  # fmt: skip
    assert edited(second, threshold_text="none").rollout.threshold is None


def test_retries_are_changed_part_by_part_and_taken_away() -> None:
    first = new(retry_text="offline=3,timeout", retry_pause="1m", retry_when="at-end")
    retry = Retry(tries={"offline": 3, "timeout": 1}, pause_s=60, when=RetryWhen.AT_END)
    assert first.rollout.retry == retry
    second = edited(first, retry_text="throttled", retry_growth=1.5, retry_longest="2h")
    assert second.rollout.retry == Retry(
        tries={"throttled": 1}, pause_s=60, when=RetryWhen.AT_END, growth=1.5, longest_s=7200
    )
    assert edited(second, retry_text="none").rollout.retry is None


def test_an_edit_keeps_what_it_does_not_name() -> None:
    old = new(
        method_json="{}", response_timeout=60, success="200", condition=None, left_out="b", first_devices=5,
        batch_text="2", batch_pause="30s", driver_word="calls", concurrency=7, label_pairs=["ring=1", "owner="],
        display_as="Reboot", devices_at_most=9,
    )  # fmt: skip
    assert edited(old) == old and not TypedDefinition().is_typed
    other = edited(old, response_timeout=20, connect_timeout=5)
    assert other.action.method == MethodCall(
        name="reboot", payload={}, response_timeout_s=20, connect_timeout_s=5
    ) and other.action.success == old.action.success  # fmt: skip
    assert edited(old, label_pairs=[""]).labels == {} and old.labels == {"ring": "1", "owner": ""}
    moved = edited(old, condition="tags.a = 1")
    assert moved.targets.selection is not None
    assert (moved.targets.selection.condition, moved.targets.selection.excluded, moved.targets.limit) == (
        "tags.a = 1", (), 5,
    )  # fmt: skip
    sampled = edited(old, share_of_devices="5", sample_seed=3).targets
    assert (sampled.sample_percent, sampled.seed, sampled.limit, sampled.max_devices) == (5, 3, None, 9)
    assert edited(old, first_devices=0).targets.limit is None
    assert edited(old, device_group="north").targets == Targets(group="north", limit=5, max_devices=9)
    assert edited(old, desired_json=["light=5"]).action.kind is ActionKind.TWIN
    assert edited(old, driver_word="jobs").delivery.driver is Driver.JOBS


def test_a_rerun_may_be_pointed_elsewhere_by_a_copy() -> None:
    of_run = Targets(of_run=OfRun(fleet_job_id="a", run_number=1, words=frozenset({"failed"})))
    old = Definition(action=new().action, targets=of_run)
    assert edited(old, named_devices="x").targets.of_run is None


def test_a_seed_goes_with_a_sample() -> None:
    with pytest.raises(MissingChoice, match="--seed goes with --sample"):
        new(sample_seed=7)
    sampled = new(share_of_devices="5%")
    assert edited(sampled, sample_seed=7).targets.seed == 7


def test_devices_are_left_out_of_a_run_or_a_group_as_of_a_condition() -> None:
    of_run = Targets(of_run=OfRun(fleet_job_id="a", run_number=1, words=frozenset({"failed"})))
    of_group = Targets(group="north")
    for targets in (of_run, of_group):
        old = Definition(action=new().action, targets=targets)
        left = edited(old, left_out="x,y", first_devices=3).targets
        assert left == replace(targets, excluded=("x", "y"), limit=3)
        assert edited(replace(old, targets=left), named_devices="x").targets.excluded == ()
        assert edited(replace(old, targets=left), device_group="south").targets.excluded == ()
    there = edited(Definition(action=new().action, targets=of_run), condition="*", left_out="x").targets
    assert there.selection is not None and there.selection.excluded == ("x",) and there.excluded == ()


def test_a_deployment_file_may_hold_its_content_one_level_down(tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    file.write_text('{"id": "x", "content": {"modulesContent": {"$edgeAgent": {}}}}')
    found = TypedDefinition(edge_content=str(file), named_devices="a").onto(None)
    assert found.action.content == {"modulesContent": {"$edgeAgent": {}}}


@pytest.mark.parametrize(
    ("typed", "kind", "said"),
    [
        ({"method": None}, MissingChoice, "Nothing is to be done"),
        ({"named_devices": None}, MissingChoice, "No devices are named"),
        ({"device_group": "g"}, ConflictingChoice, "which devices"),
        ({"patch": "{}", "tags_json": "{}"}, ConflictingChoice, "--twin-patch"),
        ({"desired_json": '{"a": 1}'}, ConflictingChoice, "one thing"),
        ({"batch_kind": "number"}, MissingChoice, "--batch-type"),
        ({"batch_text": "0"}, BadValue, "--batch"),
        ({"batch_text": "5%", "batch_kind": "number"}, BadValue, "--batch"),
        ({"batch_pause": "soon"}, BadValue, "--batch-pause 'soon'"),
        ({"threshold_kind": "number"}, MissingChoice, "--cancellation-threshold-type"),
        ({"threshold_text": "none", "threshold_per_batch": True}, MissingChoice, "--cancellation-threshold-batch"),
        ({"threshold_text": "5", "threshold_classes": "of-line"}, BadValue, "--cancellation-threshold-error-class"),
        ({"retry_pause": "5s"}, MissingChoice, "--retry"),
        ({"retry_text": "uncertain"}, BadValue, "--retry 'uncertain'"),
        ({"retry_text": "offline", "retry_pause": "30m"}, ConflictingChoice, "--retry-max-pause 600s"),
        ({"method": None, "desired_json": "{}"}, BadValue, "--desired"),
        ({"named_devices": None, "device_group": " "}, BadValue, "--group"),
        ({"display_as": "a\x1b[2J"}, BadValue, "--display-name"),
        ({"share_of_devices": "5", "first_devices": 3}, ConflictingChoice, "--limit and --sample"),
        ({"label_pairs": ["a"]}, BadValue, "--labels"),
        ({"label_pairs": ["a=1", "a=2"]}, BadValue, "twice"),
        ({"concurrency": 0}, BadValue, "--concurrency"),
    ],
)
def test_what_does_not_fit_names_the_option(typed: dict[str, Any], kind: type[UserError], said: str) -> None:
    with pytest.raises(kind) as caught:
        new(**typed)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("500ms", 0.5), ("5m", 300), (" 12h", 43_200), ("30d", 2_592_000)]
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert duration_s(text, "--since") == seconds


@pytest.mark.parametrize("text", ["", "5x", "-5s", "1-2", "99999d"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(BadValue, match="--since"):
        duration_s(text, "--since")


def test_every_option_of_a_definition_has_its_field() -> None:
    names = {option.dest for group in options_of("iot hub fleet-job update") for option in group}
    fields = set(TypedDefinition.__dataclass_fields__)
    around = {"our_hub_name", "our_login", "resource_group", "auth_type", "state_path", "fleet_job"}
    assert names - around == fields


def test_the_timeouts_of_one_run_are_its_deliverys_and_the_definition_keeps_its_own() -> None:
    saved = new(connect_timeout=40, response_timeout=60)
    typed = TypedDefinition(response_timeout=90, ttl_s=200)
    delivery = typed.delivery_of_run(saved.delivery, saved.action)
    assert (delivery.connect_timeout_s, delivery.response_timeout_s, delivery.job_limit_s) == (None, 90, 200)
    used = saved.action.within(delivery).method
    assert used is not None and (used.connect_timeout_s, used.response_timeout_s) == (40, 90)
    later = TypedDefinition(connect_timeout=5).delivery_of_run(delivery, saved.action)
    assert (later.connect_timeout_s, later.response_timeout_s) == (5, 90), "a resume keeps what the run had"
    assert TypedDefinition(ttl_s=0).delivery_of_run(delivery, saved.action).job_limit_s is None
    assert saved.action.method is not None and saved.action.method.response_timeout_s == 60


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"response_timeout": 301}, "response_timeout_s 301"),
        ({"response_timeout": 10}, "longer than response_timeout_s 10"),
        ({"connect_timeout": -1}, "connect_timeout_s -1"),
        ({"connect_timeout": 31}, "longer than response_timeout_s 30"),
        ({"ttl_s": -1}, "max_execution_s -1"),
    ],
)
def test_timeouts_of_a_run_that_do_not_fit_are_refused_before_anything_is_made(
    typed: dict[str, Any], said: str
) -> None:
    saved = new()
    with pytest.raises(UserError, match=said):
        TypedDefinition(**typed).delivery_of_run(saved.delivery, saved.action)


def test_timeouts_go_with_a_method() -> None:
    twins = TypedDefinition(desired_json=["a=1"], named_devices="a").onto(None)
    for typed in (TypedDefinition(response_timeout=30), TypedDefinition(connect_timeout=3)):
        with pytest.raises(ConflictingChoice, match="go with a method"):
            typed.delivery_of_run(twins.delivery, twins.action)
        with pytest.raises(ConflictingChoice, match="go with a method"):
            typed.onto(twins)
    assert edited(twins, method="reboot", response_timeout=40).action.kind is ActionKind.METHOD


@pytest.mark.parametrize(
    ("saved", "typed", "narrowed"),
    [
        ({}, {}, None),
        ({"first_devices": 5}, {}, None),
        ({}, {"first_devices": 3}, Narrowed(limit=3)),
        ({"first_devices": 5}, {"share_of_devices": "5%"}, Narrowed(sample_percent=Fraction(5))),
        ({"share_of_devices": "5%", "sample_seed": 3}, {"first_devices": 2}, Narrowed(limit=2, seed=3)),
        ({"share_of_devices": "5%"}, {"sample_seed": 9}, Narrowed(sample_percent=Fraction(5), seed=9)),
        ({"first_devices": 5}, {"first_devices": 0}, Narrowed()),
    ],
)
def test_one_run_may_have_fewer_devices_or_all(
    saved: dict[str, Any], typed: dict[str, Any], narrowed: Narrowed | None
) -> None:
    assert TypedDefinition(**typed).narrowed(new(**saved).targets) == narrowed


@pytest.mark.parametrize(
    "typed",
    [
        {"sample_seed": 1},
        {"first_devices": -1},
        {"share_of_devices": "0"},
        {"first_devices": 1, "share_of_devices": "5%"},
    ],
)
def test_fewer_devices_of_one_run_are_checked_as_those_of_a_definition(typed: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        TypedDefinition(**typed).narrowed(new().targets)


def test_a_time_limit_that_was_typed_is_taken_away() -> None:
    assert new().delivery.job_limit_s is None
    assert edited(new(ttl_s=90), described="x").delivery.job_limit_s == 90
    assert edited(new(ttl_s=90), ttl_s=0).delivery.job_limit_s is None
