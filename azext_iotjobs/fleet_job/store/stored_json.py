"""What the store keeps of fleet jobs and runs as JSON. What older versions wrote is read; the names are ours."""

import json
from collections.abc import Iterable
from datetime import datetime, timezone
from fractions import Fraction
from typing import Any

from azext_iotjobs.fleet_job.store.shapes import BadField, shown
from azext_iotjobs.model import definition_document
from azext_iotjobs.model.fleet_job import Definition, Delivery, Origin
from azext_iotjobs.model.gates import GateAnswer, GateDecision, GateKind, GateVerdict
from azext_iotjobs.model.run import Narrowed
from azext_iotjobs.model.tier import TierFacts


def render_definition(definition: Definition) -> str:
    """As text, the same for equal definitions."""
    return json.dumps(definition_document.definition_document(definition), sort_keys=True)


def parse_definition(text: str) -> Definition:
    """What `render_definition` gave."""
    return definition_document.parse_definition(read_json(text))


def render_delivery(delivery: Delivery) -> str:
    """How devices are reached, as text."""
    return json.dumps(definition_document.delivery_document(delivery))


def parse_delivery(text: str) -> Delivery:
    """What `render_delivery` gave."""
    return definition_document.parse_delivery(read_json(text))


def render_tier(tier: TierFacts | None) -> str | None:
    """The tier of a hub, as text."""
    return None if tier is None else json.dumps([tier.sku, tier.units])


def parse_tier(text: str | None) -> TierFacts | None:
    """What `render_tier` gave."""
    return None if text is None else TierFacts(*read_json(text))


def render_narrowed(narrowed: Narrowed | None) -> str | None:
    """Which fewer devices a run has, as text."""
    if narrowed is None:
        return None
    percent = narrowed.sample_percent
    return json.dumps([narrowed.limit, None if percent is None else str(percent), narrowed.seed])


def parse_narrowed(text: str | None) -> Narrowed | None:
    """What `render_narrowed` gave."""
    if text is None:
        return None
    limit, percent, seed = read_json(text)
    return Narrowed(limit=limit, sample_percent=None if percent is None else Fraction(percent), seed=seed)


def render_verdicts(verdicts: Iterable[GateVerdict]) -> str:
    """What gates said of a batch, as text; instants are Unix seconds."""
    return json.dumps(
        [
            [each.kind.value, each.decision.value, each.reason, each.at.timestamp(), _seconds(each.accepted_at)]
            for each in verdicts
        ]
    )


def parse_verdicts(text: str | None) -> tuple[GateVerdict, ...]:
    """What `render_verdicts` gave."""
    return () if text is None else tuple(_parse_verdict(*each) for each in read_json(text))


def _parse_verdict(kind: str, decision: str, reason: str, at: float, accepted_at: float | None) -> GateVerdict:
    return GateVerdict(
        kind=GateKind(kind),
        decision=GateDecision(decision),
        reason=reason,
        at=_instant(at),
        accepted_at=None if accepted_at is None else _instant(accepted_at),
    )


def render_answer(answer: GateAnswer) -> str:
    """What somebody said of a batch, as text."""
    return json.dumps([answer.is_approved, answer.by, answer.reason, answer.at.timestamp()])


def parse_answer(text: str | None) -> GateAnswer | None:
    """What `render_answer` gave."""
    if text is None:
        return None
    is_approved, by, reason, at = read_json(text)
    return GateAnswer(is_approved=is_approved, by=by, reason=reason, at=_instant(at))


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def render_origin(origin: Origin | None) -> str | None:
    """What a fleet job was made from, as text."""
    return None if origin is None else json.dumps([origin.fleet_job_id, origin.run_number, origin.how])


def parse_origin(text: str | None) -> Origin | None:
    """What `render_origin` gave."""
    if text is None:
        return None
    fleet_job_id, run_number, how = read_json(text)
    return Origin(fleet_job_id=fleet_job_id, run_number=run_number, how=how)


def read_json(text: str) -> Any:
    """What was stored as JSON. Raises BadField for what is not JSON."""
    if not isinstance(text, str):
        raise BadField(f"a document is {shown(text)}")
    try:
        return json.loads(text)
    except ValueError as err:
        raise BadField(f"{shown(text)} is not JSON") from err
