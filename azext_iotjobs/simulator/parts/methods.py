"""Direct methods: what is answered, when, and what the device does then. Pure.

An answer goes out on the connection that the call came over, or not at all: the hub forgets its calls with it. What
follows the answer is done even so: the device was told.
"""

from functools import partial
from typing import Any

from azext_iotjobs.simulator.behaviour import Behaviour, MethodRule
from azext_iotjobs.simulator.events import Action, AnswerMethod, MethodCalled, Moment, Seen, What
from azext_iotjobs.simulator.expressions import Scope
from azext_iotjobs.simulator.parts.context import Core
from azext_iotjobs.simulator.parts.step_runner import Walker
from azext_iotjobs.simulator.rng import Dice, salt

METHOD_SALT = salt("method")


class Methods:
    """One device's; counts the calls of each rule."""

    __slots__ = ("_behaviour", "_core", "_counts", "_walker")

    def __init__(self, behaviour: Behaviour, core: Core, walker: Walker) -> None:
        self._behaviour = behaviour
        self._core = core
        self._walker = walker
        self._counts: dict[str, int] = {}  # by rule; those that are not named share one, so that it stays small

    def called(self, call: MethodCalled, now: Moment) -> list[Action]:
        """The hub calls a method."""
        told = Seen(what=What.METHOD, details={"rid": call.rid, "name": call.name, "payload": call.payload})
        rule = self._behaviour.methods.get(call.name)
        key = call.name if rule is not None else ""
        rule = rule or self._behaviour.any_method
        count = self._counts[key] = self._counts.get(key, 0) + 1
        dice = self._core.dice.fork(METHOD_SALT ^ salt(key), count)
        if rule.no_answer and dice.throw() < rule.no_answer:
            return [told, _unanswered(call, "its behaviour says so")]
        names = {"request": call.payload, "method": call.name, "count": count}
        answer = partial(self._answer, rule, call, names, dice, self._core.connection)
        latency_s = rule.latency.draw(dice)
        if latency_s > 0:
            self._core.agenda.add(now.at + latency_s, answer)
            return [told]
        return [told, *answer(now)]

    def _answer(
        self, rule: MethodRule, call: MethodCalled, names: dict[str, Any], dice: Dice, connection: int, now: Moment
    ) -> list[Action]:
        failure = rule.failure
        outcome = failure if failure.rate and dice.throw() < failure.rate else rule
        walk_dice = dice.fork(1) if outcome.then else dice  # taken before the payload throws
        if connection != self._core.connection:
            actions: list[Action] = [_unanswered(call, "its connection is gone")]
        else:
            payload = _told_back(call)
            if outcome.payload is not None:
                payload = outcome.payload.render(Scope(self._core.who, now.wall, dice, names))
            details = {"rid": call.rid, "name": call.name, "status": outcome.status, "payload": payload}
            actions = [
                AnswerMethod(rid=call.rid, status=outcome.status, payload=payload),
                Seen(what=What.ANSWER, details=details),
            ]
        return actions + self._walker.begin(outcome.then, walk_dice, names, now)


def _told_back(call: MethodCalled) -> dict[str, Any]:
    return {"methodName": call.name, "methodRequestId": call.rid, "methodRequestPayload": call.payload}


def _unanswered(call: MethodCalled, reason: str) -> Seen:
    return Seen(what=What.UNANSWERED, details={"rid": call.rid, "name": call.name, "reason": reason})
