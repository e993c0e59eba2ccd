"""Applies configurations to one device or module: what `rules.configuration_plan` says, in one transaction.

What is written depends on the stored rows alone: done once more, after a crash or without a reason, it changes nothing.
"""

import logging
from collections.abc import Mapping, Sequence

from azext_iotjobs.localhub.engine.registry import Registry
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.configuration import AGENT, TARGETED, Kind
from azext_iotjobs.localhub.rules.configuration_plan import (
    Candidate,
    Plan,
    desired_after,
    modules_of,
    plan,
    plan_edge,
)
from azext_iotjobs.localhub.rules.identity import edge_module_spec
from azext_iotjobs.localhub.rules.twin import Tree, TwinState
from azext_iotjobs.localhub.store.configurations import Configurations, Target
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.twins import Twins

logger = logging.getLogger(__name__)


class TargetEvaluator:
    """Applies configurations to twins."""

    def __init__(
        self,
        database: Database,
        configurations: Configurations,
        twin_rows: Twins,
        twins: TwinService,
        registry: Registry,
    ) -> None:
        self._database = database
        self._configurations = configurations
        self._twin_rows = twin_rows
        self._twins = twins
        self._registry = registry

    def evaluate(
        self, target: Target, matching: Sequence[Candidate], known: Mapping[int, Candidate]
    ) -> Mapping[str, str]:
        """Have a target's twin, and its modules' twins, show what the configurations set.

        matching: the configurations that match it.  known: every configuration, by its number.
        Gives the status of each that matches.
        Raises StoreUnavailable, StoreDamaged.
        """
        current = self._as_it_is(target)
        if current is None:
            return {}
        own = plan(each for each in matching if each.kind is not Kind.EDGE)
        edge = plan_edge(each for each in matching if each.kind is Kind.EDGE)
        statuses = {**own.statuses, **edge.statuses}
        shown = {**_statuses(current, known), **_shown(statuses)}
        numbers = [*own.numbers, *edge.numbers]
        if (numbers, shown, current.state) == (current.applied, current.statuses, current.evaluated_state):
            return statuses
        lost = [known[number] for number in current.applied if number in known and number not in numbers]
        try:
            with self._database.transaction():
                state = self._write(current, own, edge, lost)
                self._configurations.save_evaluated(current.row_id, shown, numbers, state)
        except HubError as err:  # what they set does not fit into the twin, or the device is disabled
            logger.info("%s cannot be configured: %s", current.address.shown, err.text)
            statuses = dict.fromkeys(statuses, TARGETED)
            self._configurations.save_statuses(current.address, {**shown, **_shown(statuses)})
        return statuses

    def _as_it_is(self, target: Target) -> Target | None:
        """A target, read once more where that matters; None when it is gone."""
        # With a device, what its agent shows may have been written since.
        return self._configurations.target(target.row_id) if target.address.module_id == AGENT else target

    def _write(self, target: Target, own: Plan, edge: Plan, lost: Sequence[Candidate]) -> int:
        """Write a target's twins; gives its new state."""
        own_lost = [each for each in lost if each.kind is not Kind.EDGE]
        twin = self._set_desired(target.address, own_lost, own.applied, "")
        edge_lost = [each for each in lost if each.kind is Kind.EDGE]
        if not target.has_modules and not edge_lost:
            return twin.desired.version
        for module in modules_of([*edge.applied, *edge_lost]):
            address = Address(target.address.device_id, module)
            if self._twin_rows.get(address) is None:
                if module not in modules_of(edge.applied):
                    continue
                self._registry.create_module(address, edge_module_spec())
            self._set_desired(address, edge_lost, edge.applied, module)
        self._show_on_agent(Address(target.address.device_id, AGENT), target, edge)
        written = self._configurations.target(target.row_id)
        assert written is not None  # in this transaction, nobody deletes it
        return written.state

    def _set_desired(
        self, address: Address, lost: Sequence[Candidate], applied: Sequence[Candidate], module: str
    ) -> TwinState:
        return self._twins.change_desired(address, lambda old: desired_after(old, lost, applied, module))

    def _show_on_agent(self, address: Address, target: Target, edge: Plan) -> None:
        """The agent's twin shows the deployments as the device's does, beside configurations of its own."""
        agent = self._twin_rows.get(address)
        if agent is not None:
            others = {name: shown for name, shown in agent.configurations.items() if name not in target.statuses}
            self._configurations.save_statuses(address, {**others, **_shown(edge.statuses)})


def _statuses(target: Target, known: Mapping[int, Candidate]) -> Tree:
    """The statuses that a module shows of deployments: they are written with its device."""
    if target.address.module_id is None:
        return {}
    deployments = {each.configuration_id for each in known.values() if each.kind is Kind.EDGE}
    return {name: shown for name, shown in target.statuses.items() if name in deployments}


def _shown(statuses: Mapping[str, str]) -> Tree:
    return {name: {"status": status} for name, status in statuses.items()}
