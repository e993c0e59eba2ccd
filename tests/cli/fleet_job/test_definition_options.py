"""What is typed about a fleet job, as a definition: new, and as changes of a stored one."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.commands import options_of
from azext_iotjobs.cli.fleet_job.context import STORE_OPTIONS
from azext_iotjobs.cli.fleet_job.definition_options import DefinitionOptions, RunDeliveryOptions
from azext_iotjobs.cli.fleet_job.target_options import LimitOptions
from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.cli.input.option_groups import fields_of, taken_from
from azext_iotjobs.cli.input.verification_options import VerificationOptions
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, UserError
from azext_iotjobs.model.fleet_job import Action, ActionKind, Definition, Delivery, DevicesOfRun, Driver, Targets
from azext_iotjobs.model.gates import CommandGate, Gates, QueryGate
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import BatchSizes, Retry, RetryWhen, Scope, Threshold, ThresholdAction
from azext_iotjobs.model.run import Narrowed
from azext_iotjobs.model.share import Share, Unit
from azext_iotjobs.model.verification import Verification

SOME: dict[str, Any] = {"our_method_name": "reboot", "our_device_ids": "a,b"}


def options(**typed: Any) -> DefinitionOptions:
    made = taken_from(typed, DefinitionOptions)
    assert not typed, "all are options of a definition"
    return made


def new(**typed: Any) -> Definition:
    return options(**{**SOME, **typed}).new()


def edited(old: Definition, **typed: Any) -> Definition:
    return options(**typed).onto(old)


def delivery_of_run(old: Delivery, action: Action, **typed: Any) -> Delivery:
    return taken_from(typed, RunDeliveryOptions).onto(old, action)


def percent(number: int) -> Share:
    return Share(Fraction(number), Unit.PERCENT)


def devices(number: int) -> Share:
    return Share(Fraction(number), Unit.DEVICES)


@pytest.mark.parametrize(
    ("typed", "sizes"),
    [
        ({"batch": "10", "batch_type": "percentage"}, (percent(10),)),
        ({"batch": "10%"}, (percent(10),)),
        ({"batch": "11"}, (devices(11),)),
        ({"batch": "1,5,20%"}, (devices(1), devices(5), percent(20))),
        ({}, (percent(100),)),
    ],
)
def test_batches_as_central_types_them_and_as_lists(typed: dict[str, Any], sizes: tuple[Share, ...]) -> None:
    assert new(**typed).rollout.sizes == BatchSizes(sizes)


def test_a_threshold_is_changed_part_by_part_and_taken_away() -> None:
    first = new(
        cancellation_threshold="5",
        cancellation_threshold_type="percentage",
        cancellation_threshold_batch=True,
        cancellation_threshold_min_sample=20,
    )
    assert first.rollout.threshold == Threshold(share=percent(5), scope=Scope.BATCH, min_sample=20)
    second = edited(
        first, cancellation_threshold_action="stop", cancellation_threshold_error_class="rejected, uncertain"
    )
    assert second.rollout.threshold == Threshold(
        share=percent(5),
        scope=Scope.BATCH,
        min_sample=20,
        action=ThresholdAction.STOP,
        classes=frozenset({"rejected", "uncertain"}),
    )
    assert edited(second, cancellation_threshold="7").rollout.threshold == Threshold(
        share=devices(7),
        scope=Scope.BATCH,
        min_sample=20,
        action=ThresholdAction.STOP,
        classes=frozenset({"rejected", "uncertain"}),
    )
    assert edited(second, cancellation_threshold="none").rollout.threshold is None


def test_gates_are_changed_part_by_part_and_taken_away() -> None:
    first = new(
        batch="10%",
        gate_success="95",
        bake="30m",
        gate="manual",
        gate_query="tags.alarm = true",
        gate_query_max="1%",
        gate_command="check --strict 'site north'",
        gate_command_timeout="10m",
    )
    query = QueryGate(condition="tags.alarm = true", most=percent(1))
    command = CommandGate(line="check --strict 'site north'", timeout_s=600)
    assert first.rollout.gates == Gates(bake_s=1800, success=percent(95), query=query, command=command, is_manual=True)
    second = edited(first, gate_query_max="none", gate_query_min="3", gate_command_shell=True, gate="none")
    assert second.rollout.gates == Gates(
        bake_s=1800,
        success=percent(95),
        query=replace(query, least=devices(3), most=None),
        command=replace(command, through_shell=True),
    )
    none = edited(second, gate_query="none", gate_command="none", gate_success="none", bake="none")
    assert none.rollout.gates == Gates()


@pytest.mark.parametrize(
    ("typed", "kind", "text"),
    [
        ({"gate": "manual"}, ConflictingChoice, "A gate stands between two batches, and all devices are one batch"),
        ({"batch": "5", "bake": "5m"}, ConflictingChoice, "bake alone is a pause"),
        ({"batch": "5", "bake": "31d", "gate": "manual"}, BadValue, "bake 31d: give 0 to 30d"),
        ({"batch": "5", "gate_success": "0"}, BadValue, "gate_success: give more than 0% and at most 100%"),
        ({"batch": "5", "gate_success": "101%"}, BadValue, "--gate-success 101%"),
        ({"batch": "5", "gate_success": "0.95"}, BadValue, "--gate-success 0.95 is less than 1%: write 95%."),
        ({"batch": "5", "gate_query": " "}, MissingChoice, "gate_query is blank"),
        ({"batch": "5", "gate_query": "tags.a = 1"}, MissingChoice, "gate_query has no bound"),
        ({"batch": "5", "gate_query": "(tags.a = 1", "gate_query_max": "1"}, BadValue, "is not closed"),
        (
            {"batch": "5", "gate_query": "tags.a = 1", "gate_query_max": "1", "gate_query_min": "2"},
            ConflictingChoice,
            "gate_query_min 2 is more than gate_query_max 1: no count is within both",
        ),
        ({"batch": "5", "gate_query_min": "1"}, MissingChoice, "go with --gate-query"),
        (
            {"batch": "5", "gate_query": "none", "gate_query_min": "1"},
            MissingChoice,
            "--gate-query-max and --gate-query-min go with --gate-query",
        ),
        ({"batch": "5", "gate_command_shell": True}, MissingChoice, "go with --gate-command"),
        ({"batch": "5", "gate_command": "  "}, MissingChoice, "gate_command is blank"),
        ({"batch": "5", "gate_command": "check 'x"}, BadValue, "No closing quotation"),
        ({"batch": "5", "gate_command": "x" * 8001}, BadValue, "give at most 8000 characters"),
        ({"batch": "5", "gate_command": "x", "gate_command_timeout": "25h"}, BadValue, "give 1s to 24h"),
    ],
)
def test_what_makes_no_gate_is_refused(typed: dict[str, Any], kind: type[UserError], text: str) -> None:
    with pytest.raises(kind, match=text):
        new(**typed)


def test_a_share_below_one_percent_is_one_where_the_sign_says_so() -> None:
    assert new(batch="5", gate_success="0.5%").rollout.gates.success == Share(Fraction(1, 2), Unit.PERCENT)
    assert new(batch="5", gate_success="1").rollout.gates.success == percent(1)


def test_retries_are_changed_part_by_part_and_taken_away() -> None:
    first = new(retry="offline=3,timeout", retry_pause="1m", retry_when="at-end")
    retry = Retry(tries={"offline": 3, "timeout": 1}, pause_s=60, when=RetryWhen.AT_END)
    assert first.rollout.retry == retry
    second = edited(first, retry="throttled", retry_growth=1.5, retry_max_pause="2h")
    assert second.rollout.retry == Retry(
        tries={"throttled": 1}, pause_s=60, when=RetryWhen.AT_END, growth=1.5, longest_s=7200
    )
    assert edited(second, retry="none").rollout.retry is None


def test_an_edit_keeps_what_it_does_not_name() -> None:
    old = new(
        our_method_payload="{}",
        our_method_response_timeout=60,
        success_status="200",
        exclude="b",
        limit=5,
        batch="2",
        batch_pause="30s",
        driver="calls",
        concurrency=7,
        our_labels=["ring=1", "owner="],
        display_name="Reboot",
        max_devices=9,
    )
    assert edited(old) == old and not DefinitionOptions().is_typed
    other = edited(old, our_method_response_timeout=20, our_method_connect_timeout=5)
    assert (
        other.action.method == MethodCall(name="reboot", payload={}, response_timeout_s=20, connect_timeout_s=5)
        and other.action.success == old.action.success
    )
    assert edited(old, our_labels=[""]).labels == {} and old.labels == {"ring": "1", "owner": ""}
    moved = edited(old, our_query_condition="tags.a = 1")
    assert moved.targets.selection is not None
    assert (moved.targets.selection.condition, moved.targets.selection.excluded, moved.targets.limit) == (
        "tags.a = 1",
        (),
        5,
    )
    sampled = edited(old, sample="5", seed=3).targets
    assert sampled.sample_percent == 5
    assert (sampled.seed, sampled.limit, sampled.max_devices) == (3, None, 9)
    assert edited(old, limit=0).targets.limit is None
    assert edited(old, group="north").targets == Targets(group="north", limit=5, max_devices=9)
    assert edited(old, our_desired=["light=5"]).action.kind is ActionKind.TWIN
    assert edited(old, driver="jobs").delivery.driver is Driver.JOBS


def test_a_rerun_may_be_pointed_elsewhere_by_a_copy() -> None:
    of_run = Targets(of_run=DevicesOfRun(fleet_job_id="a", run_number=1, words=frozenset({"failed"})))
    old = Definition(action=new().action, targets=of_run)
    assert edited(old, our_device_ids="x").targets.of_run is None


def test_a_seed_needs_a_sample() -> None:
    with pytest.raises(MissingChoice, match="--seed needs --sample"):
        new(seed=7)
    sampled = new(sample="5%")
    assert edited(sampled, seed=7).targets.seed == 7


def test_devices_are_left_out_of_a_run_or_a_group_as_of_a_condition() -> None:
    of_run = Targets(of_run=DevicesOfRun(fleet_job_id="a", run_number=1, words=frozenset({"failed"})))
    of_group = Targets(group="north")
    for targets in (of_run, of_group):
        old = Definition(action=new().action, targets=targets)
        left = edited(old, exclude="x,y", limit=3).targets
        assert left == replace(targets, excluded=("x", "y"), limit=3)
        assert edited(replace(old, targets=left), our_device_ids="x").targets.excluded == ()
        assert edited(replace(old, targets=left), group="south").targets.excluded == ()
    there = edited(Definition(action=new().action, targets=of_run), our_query_condition="*", exclude="x").targets
    assert there.selection is not None and there.selection.excluded == ("x",) and there.excluded == ()


def test_a_deployment_file_may_hold_its_content_one_level_down(tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    file.write_text('{"id": "x", "content": {"modulesContent": {"$edgeAgent": {}}}}')
    found = options(our_content=str(file), our_device_ids="a").new()
    assert found.action.content == {"modulesContent": {"$edgeAgent": {}}}


@pytest.mark.parametrize(
    ("typed", "kind", "said"),
    [
        ({"our_method_name": None}, MissingChoice, "No action is given"),
        ({"our_device_ids": None}, MissingChoice, "No devices are named"),
        ({"group": "g"}, ConflictingChoice, "in two ways"),
        ({"our_twin_patch": "{}", "our_tags": "{}"}, ConflictingChoice, "--twin-patch"),
        ({"our_desired": '{"a": 1}'}, ConflictingChoice, "one thing"),
        ({"batch_type": "number"}, MissingChoice, "--batch-type"),
        ({"batch": "0"}, BadValue, "--batch"),
        ({"batch": "5%", "batch_type": "number"}, BadValue, "--batch"),
        ({"batch_pause": "soon"}, BadValue, "--batch-pause 'soon'"),
        ({"cancellation_threshold_type": "number"}, MissingChoice, "--cancellation-threshold-type"),
        (
            {"cancellation_threshold": "none", "cancellation_threshold_batch": True},
            MissingChoice,
            "--cancellation-threshold-batch",
        ),
        (
            {"cancellation_threshold": "5", "cancellation_threshold_error_class": "of-line"},
            BadValue,
            "--cancellation-threshold-error-class",
        ),
        ({"retry_pause": "5s"}, MissingChoice, "--retry"),
        ({"retry": "uncertain"}, BadValue, "--retry 'uncertain'"),
        ({"retry": "offline", "retry_pause": "30m"}, ConflictingChoice, "--retry-max-pause 600s"),
        ({"our_method_name": None, "our_desired": "{}"}, BadValue, "--desired"),
        ({"our_device_ids": None, "group": " "}, BadValue, "--group"),
        ({"display_name": "a\x1b[2J"}, BadValue, "--display-name"),
        ({"sample": "5", "limit": 3}, ConflictingChoice, "limit and sample_percent"),
        ({"our_labels": ["a"]}, BadValue, "--labels"),
        ({"our_labels": ["a=1", "a=2"]}, BadValue, "twice"),
        ({"concurrency": 0}, BadValue, "concurrency"),
    ],
)
def test_what_does_not_fit_names_the_option(typed: dict[str, Any], kind: type[UserError], said: str) -> None:
    with pytest.raises(kind) as caught:
        new(**typed)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("500ms", 0.5), ("5m", 300), ("5 min", 300), (" 12h", 43_200), ("30d", 2_592_000)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert duration_s(text, "--since") == seconds


@pytest.mark.parametrize("text", ["", "5x", "-5s", "1-2", "99999d"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="--since"):
        duration_s(text, "--since")


def test_every_option_of_a_definition_has_its_field() -> None:
    names = {option.dest for group in options_of("iot hub fleet-job update") for option in group}
    around = {"our_hub_name", "our_login", "resource_group", "auth_type", "state_dir", "fleet_job_id"}
    assert names - around - set(STORE_OPTIONS) == set(fields_of(DefinitionOptions))


def test_the_timeouts_of_one_run_are_its_deliverys_and_the_definition_keeps_its_own() -> None:
    saved = new(our_method_connect_timeout=40, our_method_response_timeout=60)
    delivery = delivery_of_run(saved.delivery, saved.action, our_method_response_timeout=90, our_ttl=200)
    assert (delivery.connect_timeout_s, delivery.response_timeout_s, delivery.job_limit_s) == (None, 90, 200)
    used = saved.action.within(delivery).method
    assert used is not None and (used.connect_timeout_s, used.response_timeout_s) == (40, 90)
    later = delivery_of_run(delivery, saved.action, our_method_connect_timeout=5)
    assert (later.connect_timeout_s, later.response_timeout_s) == (5, 90), "a resume keeps what the run had"
    assert delivery_of_run(delivery, saved.action, our_ttl=0).job_limit_s is None
    assert saved.action.method is not None and saved.action.method.response_timeout_s == 60


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"our_method_response_timeout": 301}, "response_timeout_s 301"),
        ({"our_method_response_timeout": 10}, "longer than response_timeout_s 10"),
        ({"our_method_connect_timeout": -1}, "connect_timeout_s -1"),
        ({"our_method_connect_timeout": 31}, "longer than response_timeout_s 30"),
        ({"our_ttl": -1}, "max_execution_s -1"),
    ],
)
def test_timeouts_of_a_run_that_do_not_fit_are_refused_before_anything_is_made(
    typed: dict[str, Any], said: str
) -> None:
    saved = new()
    with pytest.raises(UserError, match=said):
        delivery_of_run(saved.delivery, saved.action, **typed)


def test_timeouts_need_a_method() -> None:
    twins = options(our_desired=["a=1"], our_device_ids="a").new()
    for name in ("our_method_response_timeout", "our_method_connect_timeout"):
        with pytest.raises(ConflictingChoice, match="apply to a method"):
            delivery_of_run(twins.delivery, twins.action, **{name: 30})
        with pytest.raises(ConflictingChoice, match="apply to a method"):
            edited(twins, **{name: 30})
    assert edited(twins, our_method_name="reboot", our_method_response_timeout=40).action.kind is ActionKind.METHOD


@pytest.mark.parametrize(
    ("saved", "typed", "narrowed"),
    [
        ({}, {}, None),
        ({"limit": 5}, {}, None),
        ({}, {"limit": 3}, Narrowed(limit=3)),
        ({"limit": 5}, {"sample": "5%"}, Narrowed(sample_percent=Fraction(5))),
        ({"sample": "5%", "seed": 3}, {"limit": 2}, Narrowed(limit=2, seed=3)),
        ({"sample": "5%"}, {"seed": 9}, Narrowed(sample_percent=Fraction(5), seed=9)),
        ({"limit": 5}, {"limit": 0}, Narrowed()),
    ],
)
def test_one_run_may_have_fewer_devices_or_all(
    saved: dict[str, Any], typed: dict[str, Any], narrowed: Narrowed | None
) -> None:
    assert LimitOptions(**typed).narrowed(new(**saved).targets) == narrowed


@pytest.mark.parametrize(
    "typed",
    [
        {"seed": 1},
        {"limit": -1},
        {"sample": "0"},
        {"limit": 1, "sample": "5%"},
    ],
)
def test_fewer_devices_of_one_run_are_checked_as_those_of_a_definition(typed: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        LimitOptions(**typed).narrowed(new().targets)


def test_a_time_limit_that_was_typed_is_taken_away() -> None:
    assert new().delivery.job_limit_s is None
    assert edited(new(our_ttl=90), description="x").delivery.job_limit_s == 90
    assert edited(new(our_ttl=90), our_ttl=0).delivery.job_limit_s is None


VERIFIED: dict[str, Any] = {"verify": "tags.a = 1", "verify_within": "2m", "verify_failed": "tags.a = 2"}


def test_verification_is_typed_kept_changed_and_taken_away() -> None:
    made = new(**VERIFIED)
    assert made.verification == Verification(condition="tags.a = 1", within_s=120, failed_condition="tags.a = 2")
    assert edited(made, batch="5").verification == made.verification
    changed = edited(made, verify="tags.a = 3", verify_failed="none").verification
    assert changed == Verification(condition="tags.a = 3", within_s=120)
    assert edited(made, verify="none").verification is None and new().verification is None


@pytest.mark.parametrize("typed", [{"verify_within": "5m"}, {"verify": "none", "verify_failed": "tags.a = 2"}])
def test_what_goes_with_verify_is_refused_without_it(typed: dict[str, Any]) -> None:
    with pytest.raises(MissingChoice, match="go with --verify"):
        new(**typed)


PATCH: dict[str, Any] = {"our_method_name": None, "our_desired": ["light=5"]}


def test_what_a_hub_keeps_for_offline_devices_waits_only_to_be_verified() -> None:
    with pytest.raises(
        ConflictingChoice, match="when_online has nothing to wait for: the hub keeps a twin patch"
    ) as no:
        new(**PATCH, when_online="7d")
    assert str(no.value.hint) == "Give verify, or leave it out."
    made = new(**PATCH, when_online="7d", verify="properties.reported.light = 5")
    assert made.delivery.when_online_s == 7 * 86_400
    with pytest.raises(ConflictingChoice, match="has nothing to wait for"):
        edited(made, verify="none")
    assert new(when_online="7d").verification is None, "a method is called when the device connects"


@pytest.mark.parametrize("typed", [{"verify": "none"}, {"verify": "tags.a = 1", "verify_failed": "none"}])
def test_none_is_an_error_where_no_verification_is_saved(typed: dict[str, str]) -> None:
    with pytest.raises(BadValue, match="none: nothing is saved here that it could remove"):
        VerificationOptions(**typed).read()
    assert VerificationOptions().read() is None
