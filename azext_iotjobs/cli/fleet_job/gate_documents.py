"""Gates between batches, under the names that commands and event files show."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from azext_iotjobs.model.clock import render_millis
from azext_iotjobs.model.definition_document import gates_document
from azext_iotjobs.model.gates import BatchGates, GateAnswer, Gates, GateVerdict

Document = dict[str, Any]


def render_gates(gates: Gates) -> Document | None:
    """What has to hold between batches; None: nothing."""
    if not gates.kinds:
        return None
    document = gates_document(gates)
    query, command = document["query"], document["command"]
    return {
        "bakeSeconds": document["bake_s"] or None,
        "success": _share_or_none(document["success"]),
        "query": None if query is None else _query(query),
        "command": None if command is None else _command(command),
        "manual": document["is_manual"],
    }


def render_batch_gates(standing: BatchGates, gates: Gates) -> Document:
    """Where a batch stands with its gates. gates: of the definition that its run executes."""
    kind = gates.next_kind(standing)
    return {
        "since": render_millis(standing.since),
        "awaits": None if kind is None else kind.value,
        "awaitsSince": None if kind is None else render_millis(standing.last_at),
        "bakesUntil": render_millis(gates.bakes_until(standing)),
        "verdicts": [render_verdict(each) for each in standing.verdicts],
        "answer": None if standing.answer is None else _answer(standing.answer),
    }


def render_verdict(verdict: GateVerdict) -> Document:
    """What a gate said of a batch."""
    return {
        "gate": verdict.kind.value,
        "verdict": verdict.decision.value,
        "reason": verdict.reason,
        "judged": render_millis(verdict.at),
        "accepted": render_millis(verdict.accepted_at),
    }


def render_share(document: Sequence[str]) -> Document:
    """A share, of its document."""
    value = Fraction(document[0])
    return {"type": document[1], "value": float(value) if value.denominator != 1 else int(value)}


def _query(document: Document) -> Document:
    return {
        "condition": document["condition"],
        "min": _share_or_none(document["least"]),
        "max": _share_or_none(document["most"]),
    }


def _command(document: Document) -> Document:
    return {"line": document["line"], "timeoutSeconds": document["timeout_s"], "shell": document["through_shell"]}


def _answer(answer: GateAnswer) -> Document:
    return {
        "approved": answer.is_approved,
        "by": answer.by,
        "reason": answer.reason,
        "at": render_millis(answer.at),
    }


def _share_or_none(document: Sequence[str] | None) -> Document | None:
    return None if document is None else render_share(document)
