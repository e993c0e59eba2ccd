"""Rounds over all twins, in which configurations are applied and their metrics are counted.

Strategy: a round goes through the twins by their rows, some at a time: which of them match, then one after the other,
until the time for one step is used. The hub serves everything else between two steps. When configurations are changed
in the middle, the round goes on with the changed ones, and another one follows.
Source: IoT Hub devguide "automatic device management": a run comes soon after a change, then every five minutes.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.configuration_targets import TargetEvaluator
from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.errors import QueryError, StoreDamaged
from azext_iotjobs.localhub.process.background import run_by_clock
from azext_iotjobs.localhub.query.nodes import And, Compare, Condition, Constant, Operator, Path, Query
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.query.target_condition import parse_target
from azext_iotjobs.localhub.rules.configuration import (
    APPLIED,
    APPLIED_COUNT,
    REPORTED,
    TARGETED_COUNT,
    Kind,
    read_content,
    system_queries,
)
from azext_iotjobs.localhub.rules.configuration_plan import Candidate
from azext_iotjobs.localhub.store.configurations import Configuration, Configurations, Target
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.row_reader import log_once

INTERVAL_S = 300.0  # from the start of one round to that of the next
ROWS_AT_ONCE = 500  # that one query looks at
STEP_S = 0.005  # for the twins of one step
MAX_GROUPS = 10_000  # of a metric query with GROUP BY

logger = logging.getLogger(__name__)


IS_EDGE = Compare(Operator.EQ, Path(("capabilities", "iotEdge")), Constant(True))


class Rule(NamedTuple):
    """A configuration, ready to be applied."""

    stored: Configuration
    candidate: Candidate
    condition: Condition | None  # None: it targets nothing


Matching = deque[tuple[Target, list[Rule]]]


class ConfigurationRounds:
    """Does the rounds."""

    def __init__(
        self,
        database: Database,
        configurations: Configurations,
        selector: Selector,
        evaluator: TargetEvaluator,
        clock: HubClock,
    ) -> None:
        self._database = database
        self._configurations = configurations
        self._selector = selector
        self._evaluator = evaluator
        self._clock = clock
        self._interval = timedelta(seconds=INTERVAL_S)
        self._due_at = clock.now()  # a hub that starts goes on where it ended
        self._has_changed = False  # another round is due
        self._is_stale = False  # the one that is under way does not know the change yet
        self._wake = asyncio.Event()
        self._round: Iterator[None] | None = None

    def wake(self) -> None:
        """Configurations were changed: the next round begins now, or after the one that is under way."""
        self._has_changed = self._is_stale = True
        self._wake.set()

    def restart(self) -> None:
        """Configurations and twins are others now: a round begins now."""
        self._round = None
        self.wake()

    async def run(self) -> None:
        """Do the rounds until cancelled."""
        await run_by_clock("the round of configurations", self._step, self._database.outages, self._clock, self._wake)

    def _step(self) -> float:
        """Do a part of the round; gives the seconds until the next part."""
        now = self._clock.now()
        if self._round is None:
            if now < self._due_at <= now + self._interval and not self._has_changed:
                return (self._due_at - now).total_seconds()
            self._due_at = now + self._interval
            self._has_changed = False
            if not self._configurations.is_there_work():
                return self._interval.total_seconds()
            self._round = self._parts()
        try:
            next(self._round)
        except StopIteration:
            self._round = None
        except BaseException:
            self._round = None  # it is begun anew, after a pause
            self._due_at = now
            raise
        return 0.0

    def _parts(self) -> Iterator[None]:
        """A round; what else the hub has to do is done at each yield."""
        rules, is_whole = self._rules(), True
        counts: Counter[tuple[str, str]] = Counter()  # configuration and metric -> targets
        after, last = 0, self._configurations.last_twin()
        while after < last:
            if self._is_stale:
                rules, is_whole = self._rules(), False
            until = after + ROWS_AT_ONCE
            matching = yield from self._matching(rules, after, until)
            yield from self._evaluate(rules, matching, counts)
            after = after if self._is_stale else until
        for rule in rules if is_whole else ():
            yield from self._count_metrics(rule, counts)

    def _rules(self) -> list[Rule]:
        self._is_stale = False
        rules: list[Rule] = []
        for each in self._configurations.all():
            try:
                rules.append(_rule(each))
            except QueryError as err:  # it was stored by another version, or a row is damaged
                logger.error("the configuration %a is left out: %s", each.spec.configuration_id, err)
        return rules

    def _matching(self, rules: Sequence[Rule], after: int, until: int) -> Generator[None, None, Matching]:
        """The twins in a range of rows that match a configuration or show one, with those that match."""
        found: dict[int, list[Rule]] = {row_id: [] for row_id in self._configurations.with_status(after, until)}
        end_s = time.perf_counter() + STEP_S
        for rule in rules:
            if rule.condition is not None:
                collection, where = rule.condition.collection, rule.condition.where
                for row_id in self._selector.rows_between(collection, where, after=after, until=until):
                    found.setdefault(row_id, []).append(rule)
            if time.perf_counter() > end_s:
                yield
                end_s = time.perf_counter() + STEP_S
        return deque((target, found[target.row_id]) for target in self._configurations.targets(found))

    def _evaluate(self, rules: Sequence[Rule], left: Matching, counts: Counter[tuple[str, str]]) -> Iterator[None]:
        """Apply configurations to some twins; it ends early when there are changed ones."""
        known = {rule.candidate.number: rule.candidate for rule in rules}
        while True:
            end_s = time.perf_counter() + STEP_S
            while left and time.perf_counter() < end_s:
                target, matching = left.popleft()
                try:
                    statuses = self._evaluator.evaluate(target, [rule.candidate for rule in matching], known)
                except StoreDamaged as err:  # concerns this twin only
                    log_once(err)
                    continue
                for name, status in statuses.items():
                    counts[name, TARGETED_COUNT] += 1
                    counts[name, APPLIED_COUNT] += status == APPLIED
            yield
            if not left or self._is_stale:
                return

    def _count_metrics(self, rule: Rule, counts: Counter[tuple[str, str]]) -> Iterator[None]:
        spec = rule.stored.spec
        queries = system_queries(spec.configuration_id, spec.kind, spec.target_condition)
        system = {name: counts[spec.configuration_id, name] for name in (TARGETED_COUNT, APPLIED_COUNT)}
        reported = {name: text for name, text in queries.items() if name in REPORTED}
        system |= yield from self._results(reported)
        metrics = yield from self._results(spec.metric_queries)
        if not self._is_stale:
            self._configurations.save_results(rule.stored.row_id, system=system, metrics=metrics)

    def _results(self, queries: Mapping[str, str]) -> Generator[None, None, dict[str, int]]:
        """The results of metric queries; one that takes too long has none."""
        results: dict[str, int] = {}
        for name, text in queries.items():
            try:
                results[name] = yield from self._count(parse_query(text))
            except QueryError as err:
                logger.warning("the metric %a has no result: %s", name, err)
        return results

    def _count(self, query: Query) -> Generator[None, None, int]:
        """How many results a query has."""
        count, after, last = 0, 0, self._configurations.last_twin()
        if query.is_grouped:
            count = len(self._selector.groups(query, after="", count=MAX_GROUPS))
            after = last
        while after < last:
            until = after + ROWS_AT_ONCE
            count += len(self._selector.rows_between(query.collection, query.where, after=after, until=until))
            after = until
            yield
        return count if query.top is None else min(count, query.top)


def _rule(stored: Configuration) -> Rule:
    spec = stored.spec
    candidate = Candidate(
        number=stored.row_id,
        configuration_id=spec.configuration_id,
        kind=spec.kind,
        priority=spec.priority,
        content=read_content(spec.kind, spec.content),
    )
    condition = parse_target(spec.target_condition)
    if condition is not None and spec.kind is Kind.EDGE:
        condition = replace(condition, where=And((IS_EDGE, *([condition.where] if condition.where else []))))
    return Rule(stored, candidate, condition)
