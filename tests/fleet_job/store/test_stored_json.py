"""A definition comes back as it was written, whatever is in it."""

import json
from datetime import datetime, timedelta, timezone
from fractions import Fraction

import pytest

from azext_iotjobs.fleet_job.store.stored_json import (
    parse_answer,
    parse_definition,
    parse_delivery,
    parse_origin,
    parse_verdicts,
    render_answer,
    render_definition,
    render_delivery,
    render_origin,
    render_verdicts,
)
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, DevicesOfRun, Driver, Origin, Targets
from azext_iotjobs.model.gates import CommandGate, GateAnswer, GateDecision, GateKind, Gates, GateVerdict, QueryGate
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import parse_success_status
from azext_iotjobs.model.rollout import Retry, RetryWhen, Rollout, Scope, Threshold, ThresholdAction, parse_batch_sizes
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.share import parse_share
from azext_iotjobs.model.twin import TwinPatch

METHOD = Action(
    method=MethodCall(name="m", payload={"é": [1, None, "\ud800"]}, response_timeout_s=60, connect_timeout_s=5),
    success=parse_success_status("200-299,404"),
)
FULL = Rollout(
    sizes=parse_batch_sizes("1,2.5%", "--batch"),
    pause_s=90,
    threshold=Threshold(
        share=parse_share("1.5%", "--cth"),
        scope=Scope.BATCH,
        min_sample=7,
        action=ThresholdAction.STOP,
        classes=frozenset({"offline", "uncertain"}),
    ),
    retry=Retry(tries={"offline": 3}, pause_s=1.5, growth=1.1, longest_s=9, when=RetryWhen.AT_END),
    gates=Gates(
        bake_s=90,
        success=parse_share("99.5%", "success"),
        query=QueryGate(condition="tags.a = 'é'", least=parse_share("1", "min"), most=parse_share("2.5%", "max")),
        command=CommandGate(line="check 'a b'", timeout_s=1.5, through_shell=True),
        is_manual=True,
    ),
)
SELECTED = Targets(
    selection=Selection(condition="tags.a = 'b'", excluded=("x",)), sample_percent=Fraction(1, 3), seed=9, max_devices=5
)
OF_RUN = Targets(of_run=DevicesOfRun(fleet_job_id="p", run_number=2, words=frozenset({"failed", "offline"})), limit=3)


@pytest.mark.parametrize(
    "definition",
    [
        Definition(action=METHOD, targets=SELECTED, rollout=FULL, display_name="N", description="d", labels={"a": "b"}),
        Definition(action=Action(patch=TwinPatch(document={"tags": {"a": None}})), targets=OF_RUN),
        Definition(
            action=Action(content={"modulesContent": {"m": {}}}),
            targets=Targets(group="north", excluded=("x", "y")),
            delivery=Delivery(driver=Driver.CALLS, concurrency=3, rate=0.5, job_limit_s=9),
        ),
    ],
)
def test_a_definition_is_read_back_as_it_was_stored(definition: Definition) -> None:
    text = render_definition(definition)
    assert parse_definition(text) == definition
    assert text.isascii() and render_definition(parse_definition(text)) == text
    assert parse_delivery(render_delivery(definition.delivery)) == definition.delivery


def test_a_definition_of_a_version_that_knew_no_gates_has_none() -> None:
    definition = Definition(action=METHOD, targets=SELECTED)
    document = json.loads(render_definition(definition))
    del document["rollout"]["gates"]
    assert parse_definition(json.dumps(document)) == definition and not definition.rollout.gates.kinds


def test_what_gates_said_and_what_somebody_answered() -> None:
    at = datetime(2026, 5, 1, 12, 30, 0, 123456, tzinfo=timezone.utc)
    verdicts = tuple(
        GateVerdict(kind=kind, decision=decision, reason="é", at=at, accepted_at=accepted_at)
        for kind in GateKind
        for decision in GateDecision
        for accepted_at in (None, at + timedelta(days=1))
    )
    assert parse_verdicts(render_verdicts(verdicts)) == verdicts and parse_verdicts(None) == ()
    for is_approved, reason in ((True, None), (False, "alarms")):
        answer = GateAnswer(is_approved=is_approved, by="ann", reason=reason, at=at)
        assert parse_answer(render_answer(answer)) == answer
    assert parse_answer(None) is None


def test_an_origin_is_read_back_as_it_was_stored() -> None:
    for origin in (None, Origin(fleet_job_id="a", run_number=3, how="rerun")):
        assert parse_origin(render_origin(origin)) == origin


def test_the_time_limit_that_an_older_version_wrote_for_everybody_was_typed_by_nobody() -> None:
    old = {"driver": "jobs", "concurrency": 10, "rate": None}
    assert parse_delivery(json.dumps({**old, "job_limit_s": 3600})).job_limit_s is None
    assert parse_delivery(json.dumps({**old, "job_limit_s": 120})).job_limit_s == 120
    typed = Delivery(job_limit_s=3600)
    assert parse_delivery(render_delivery(typed)) == typed
