"""Direct methods: the response, its delay, and the steps that follow it. Pure.

A response is sent on the connection over which the call came, or not at all: the hub forgets its calls with the
connection. The steps after it run even so, because the device has received the call.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from azext_iotjobs.simulator.behaviour import Behaviour, Failure, MethodRule
from azext_iotjobs.simulator.events import Action, Activity, ActivityKind, AnswerMethod, MethodCalled, Moment
from azext_iotjobs.simulator.expressions import Scope
from azext_iotjobs.simulator.parts.context import SessionContext
from azext_iotjobs.simulator.parts.step_runner import StepRunner
from azext_iotjobs.simulator.rng import Rng, stream_key

METHOD_STREAM = stream_key("method")


class MethodHandler:
    """Answers one device's method calls, and counts the calls of each rule."""

    __slots__ = ("_behaviour", "_context", "_counts", "_steps")

    def __init__(self, behaviour: Behaviour, context: SessionContext, steps: StepRunner) -> None:
        self._behaviour = behaviour
        self._context = context
        self._steps = steps
        self._counts: dict[str, int] = {}  # by rule; methods without a rule of their own share one count

    def on_call(self, call: MethodCalled, now: Moment) -> list[Action]:
        """The hub calls a method."""
        received = Activity(
            kind=ActivityKind.METHOD, details={"rid": call.rid, "name": call.name, "payload": call.payload}
        )
        rule = self._behaviour.methods.get(call.name)
        key = call.name if rule is not None else ""
        rule = rule or self._behaviour.any_method
        count = self._counts[key] = self._counts.get(key, 0) + 1
        rng = self._context.rng.fork(METHOD_STREAM ^ stream_key(key), count)
        if rule.no_answer and rng.random() < rule.no_answer:
            return [received, _unanswered(call, "its behaviour says so")]
        names = {"request": call.payload, "method": call.name, "count": count}
        answer = partial(self._answer, rule, call, names, rng, self._context.connection)
        latency_s = rule.latency.draw(rng)
        if latency_s > 0:
            self._context.tasks.add(now.at + latency_s, answer)
            return [received]
        return [received, *answer(now)]

    def _answer(
        self, rule: MethodRule, call: MethodCalled, names: Mapping[str, Any], rng: Rng, connection: int, now: Moment
    ) -> list[Action]:
        outcome = rule.failure if rule.failure.rate and rng.random() < rule.failure.rate else rule
        steps_rng = rng.fork(1) if outcome.then else rng  # forked before the payload draws numbers
        if connection != self._context.connection:
            actions: list[Action] = [_unanswered(call, "its connection is gone")]
        else:
            actions = _response(outcome, call, Scope(self._context.device, now.wall, rng, names))
        return actions + self._steps.start(outcome.then, steps_rng, names, now)


def _response(outcome: MethodRule | Failure, call: MethodCalled, scope: Scope) -> list[Action]:
    payload = _echo(call) if outcome.payload is None else outcome.payload.render(scope)
    details = {"rid": call.rid, "name": call.name, "status": outcome.status, "payload": payload}
    return [
        AnswerMethod(rid=call.rid, status=outcome.status, payload=payload),
        Activity(kind=ActivityKind.ANSWER, details=details),
    ]


def _echo(call: MethodCalled) -> dict[str, Any]:
    return {"methodName": call.name, "methodRequestId": call.rid, "methodRequestPayload": call.payload}


def _unanswered(call: MethodCalled, reason: str) -> Activity:
    return Activity(kind=ActivityKind.UNANSWERED, details={"rid": call.rid, "name": call.name, "reason": reason})
