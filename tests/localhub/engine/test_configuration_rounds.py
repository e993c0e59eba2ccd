"""Rounds of configurations over the hub's own tables: what changes between two parts of one, and after a crash."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.configuration_rounds import INTERVAL_S, ROWS_AT_ONCE, ConfigurationRounds
from azext_iotjobs.localhub.engine.configuration_targets import TargetEvaluator
from azext_iotjobs.localhub.engine.configurations import ConfigurationService
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.registry import Registry
from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.configuration import ConfigurationSpec, Kind
from azext_iotjobs.localhub.rules.identity import edge_module_spec
from azext_iotjobs.localhub.rules.twin import TwinState, new_twin, patch_by_service
from azext_iotjobs.localhub.store.configurations import Configurations
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities, Identity
from azext_iotjobs.localhub.store.twins import Twins

AT = "2026-05-01T08:00:00.0000000Z"


class FixedClock(HubClock):
    """A clock that tests move."""

    def __init__(self) -> None:
        self.at = datetime(2026, 5, 1, 9, tzinfo=timezone.utc)
        super().__init__()

    def machine_now(self) -> datetime:
        return self.at


class Hub:
    """The parts of a hub that do rounds, over one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FixedClock()
        self.twin_rows = Twins(database)
        self.identities = Identities(database, self.twin_rows)
        links, configurations = Links(), Configurations(database)
        self.twins = TwinService(self.twin_rows, links, self.clock)
        self.registry = Registry(database, self.identities, links, self.clock)
        evaluator = TargetEvaluator(database, configurations, self.twin_rows, self.twins, self.registry)
        selector = Selector(database, self.identities.presence)
        self.rounds = ConfigurationRounds(database, configurations, selector, evaluator, self.clock)
        self.service = ConfigurationService(database, configurations, self.clock, 100, self.rounds.wake)

    def add(self, device_id: str, **tags: Any) -> None:
        twin = patch_by_service(new_twin(AT), tags=tags, desired={}, now_text=AT)
        self.identities.create(Identity(device_id=device_id, generation_id="g", etag=7, sign_in="sas"), twin)

    def create(
        self,
        configuration_id: str,
        condition: str,
        priority: int = 0,
        metrics: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        content = {f"properties.desired.{name}": value for name, value in settings.items()}
        self.deploy(configuration_id, condition, content, kind=Kind.DEVICE, priority=priority, metrics=metrics)

    def deploy(
        self,
        configuration_id: str,
        condition: str,
        content: dict[str, Any],
        *,
        kind: Kind = Kind.EDGE,
        priority: int = 0,
        metrics: Mapping[str, str] | None = None,
    ) -> None:
        self.service.create(
            ConfigurationSpec(
                configuration_id=configuration_id,
                kind=kind,
                content=content,
                target_condition=condition,
                priority=priority,
                metric_queries=metrics or {},
            )
        )

    def step(self) -> float:
        return self.rounds._step()

    def finish(self) -> None:
        """Do what is due."""
        for _ in range(10_000):
            if self.step() > 0:
                return
        raise AssertionError("the rounds do not end")

    def twin(self, device_id: str) -> TwinState:
        twin = self.twin_rows.get(Address(device_id))
        assert twin is not None
        return twin

    def desired(self, device_id: str) -> dict[str, Any]:
        return self.twin(device_id).desired.data

    def status(self, device_id: str) -> dict[str, str]:
        return {name: shown["status"] for name, shown in self.twin(device_id).configurations.items()}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with closing(Database(None)) as database:
        yield Hub(database)


@pytest.fixture
def open_again(tmp_path: Path) -> Iterator[Callable[[], Hub]]:
    """Opens hubs on one file, one after the other; none is ended in an orderly way."""
    opened: list[Database] = []

    def open_hub() -> Hub:
        for each in opened:
            each.close()
        opened.append(Database(tmp_path / "hub.db"))
        return Hub(opened[-1])

    yield open_hub
    opened[-1].close()


def test_a_round_comes_when_the_hub_starts_after_each_change_and_every_five_minutes(hub: Hub) -> None:
    hub.add("a", site="x")
    hub.finish()
    assert hub.step() == INTERVAL_S
    hub.create("c", "tags.site = 'x'", fan=1)
    hub.finish()
    assert (hub.desired("a"), hub.status("a")) == ({"fan": 1}, {"c": "Applied"})
    hub.add("b", site="x")
    assert hub.step() > 0 and hub.desired("b") == {}
    hub.clock.at += timedelta(seconds=INTERVAL_S + 1)
    hub.finish()
    assert hub.desired("b") == {"fan": 1}


def test_a_clock_that_goes_back_does_not_put_a_round_off_for_longer(hub: Hub) -> None:
    hub.finish()
    hub.clock.at -= timedelta(days=1)
    assert hub.step() <= INTERVAL_S


def test_a_twin_that_is_as_it_should_be_is_not_written_again(hub: Hub) -> None:
    hub.add("a", site="x")
    hub.create("c", "tags.site = 'x'", fan=1)
    hub.finish()
    before = hub.twin("a")
    hub.rounds.wake()
    hub.finish()
    assert hub.twin("a") == before


def test_what_was_changed_by_hand_is_set_again(hub: Hub) -> None:
    hub.add("a", site="x")
    hub.create("c", "tags.site = 'x'", fan=1)
    hub.finish()
    hub.twins.patch(Address("a"), tags=None, desired={"fan": 2, "lamp": 3})
    hub.rounds.wake()
    hub.finish()
    assert hub.desired("a") == {"fan": 1, "lamp": 3}


def test_a_changed_priority_changes_what_wins(hub: Hub) -> None:
    hub.add("a")
    hub.create("low", "*", priority=1, fan=1)
    hub.create("high", "*", priority=2, fan=2)
    hub.finish()
    assert (hub.desired("a"), hub.status("a")) == ({"fan": 2}, {"low": "Targeted", "high": "Applied"})
    low = hub.service.get("low")
    hub.service.update(low, replace(low.spec, priority=3))
    hub.finish()
    assert (hub.desired("a"), hub.status("a")) == ({"fan": 1}, {"low": "Applied", "high": "Targeted"})


def test_settings_of_a_deleted_configuration_stay_until_another_one_sets_them(hub: Hub) -> None:
    hub.add("a")
    hub.create("low", "*", priority=1, fan=1)
    hub.create("high", "*", priority=2, fan=2, lamp=2)
    hub.finish()
    hub.service.delete(hub.service.get("high"))
    hub.finish()
    assert (hub.desired("a"), hub.status("a")) == ({"fan": 1, "lamp": 2}, {"low": "Applied"})


def test_one_that_is_made_anew_under_the_same_id_takes_nothing_of_the_old_one_back(hub: Hub) -> None:
    hub.add("a", site="x")
    hub.create("c", "tags.site = 'x'", fan=1)
    hub.finish()
    hub.service.delete(hub.service.get("c"))
    hub.create("c", "tags.site = 'y'", fan=5)
    hub.finish()
    assert (hub.desired("a"), hub.status("a")) == ({"fan": 1}, {})


def test_settings_that_do_not_fit_into_a_twin_leave_it_targeted_and_others_are_applied(hub: Hub) -> None:
    for device in ("full", "empty"):
        hub.add(device)
    much = {f"k{number}": "x" * 4000 for number in range(8)}
    hub.twins.patch(Address("full"), tags=None, desired=much)
    hub.create("c", "*", fan="x" * 1000)
    hub.finish()
    assert (hub.status("full"), hub.status("empty")) == ({"c": "Targeted"}, {"c": "Applied"})
    assert hub.desired("full") == much
    hub.twins.patch(Address("full"), tags=None, desired={"k0": None})
    hub.rounds.wake()
    hub.finish()
    assert hub.status("full") == {"c": "Applied"}


def test_a_configuration_that_is_deleted_in_the_middle_of_a_round_is_applied_no_further(hub: Hub) -> None:
    for number in range(2 * ROWS_AT_ONCE):
        hub.add(f"d{number}")
    hub.create("c", "*", fan=1)
    while not hub.desired("d0"):
        hub.step()
    hub.service.delete(hub.service.get("c"))
    at_deletion = sum(bool(hub.desired(f"d{number}")) for number in range(2 * ROWS_AT_ONCE))
    hub.finish()
    configured = [number for number in range(2 * ROWS_AT_ONCE) if hub.desired(f"d{number}")]
    assert len(configured) == at_deletion < 2 * ROWS_AT_ONCE
    assert not any(hub.status(f"d{number}") for number in range(2 * ROWS_AT_ONCE))


def test_metrics_are_counted_when_a_round_ends(hub: Hub) -> None:
    for number in range(7):
        hub.add(f"d{number}", n=number)
    hub.create("low", "tags.n < 5", priority=1, fan=1)
    assert hub.service.get("low").system_results == {}
    hub.create("high", "tags.n < 2", priority=2, fan=2)
    hub.finish()
    assert hub.service.get("low").system_results == {"targetedCount": 5, "appliedCount": 3}
    assert hub.service.get("high").system_results == {"targetedCount": 2, "appliedCount": 2}


@pytest.mark.parametrize(("code", "counts"), [(200, (1, 0)), (406, (0, 1)), (None, (0, 0))])
def test_what_edge_agents_report_of_the_newest_deployment_is_counted(
    hub: Hub, code: int | None, counts: tuple[int, int]
) -> None:
    hub.registry.create_device("edge", replace(edge_module_spec(), is_edge=True, managed_by=None))
    hub.deploy("base", "*", {"$edgeAgent": {"properties.desired": {"modules": {}}}})
    hub.finish()
    agent = Address("edge", "$edgeAgent")
    version = hub.twins.get(agent).desired.version
    newest = version if code else version - 1
    reported = {"lastDesiredVersion": newest, "lastDesiredStatus": {"code": code or 200}}
    hub.twins.patch_reported(agent, reported)
    hub.rounds.wake()
    hub.finish()
    results = hub.service.get("base").system_results
    assert (results["reportedSuccessfulCount"], results["reportedFailedCount"]) == counts


def test_a_deployment_makes_modules_and_takes_back_what_they_had(hub: Hub) -> None:
    hub.registry.create_device("edge", replace(edge_module_spec(), is_edge=True, managed_by=None))
    agent: dict[str, Any] = {"properties.desired": {"modules": {"m": {}}}}
    hub.deploy("base", "*", {"$edgeAgent": agent, "m": {"properties.desired": {"v": 1}}})
    hub.finish()
    module = Address("edge", "m")
    assert hub.twins.get(module).desired.data == {"v": 1}
    assert hub.twins.get(Address("edge", "$edgeAgent")).configurations == {"base": {"status": "Applied"}}
    base = hub.service.get("base")
    hub.service.update(base, replace(base.spec, target_condition=""))
    hub.finish()
    assert hub.twins.get(module).desired.data == {}
    assert hub.twins.get(Address("edge", "$edgeAgent")).configurations == {}


def test_an_agent_shows_deployments_beside_configurations_of_its_own(hub: Hub) -> None:
    hub.registry.create_device("edge", replace(edge_module_spec(), is_edge=True, managed_by=None))
    hub.deploy("base", "*", {"$edgeAgent": {"properties.desired": {"modules": {}}}})
    own = {"properties.desired.own": 1}
    hub.deploy("own", "from devices.modules where moduleId = '$edgeAgent'", own, kind=Kind.MODULE)
    for _ in range(2):
        hub.finish()
        agent = hub.twins.get(Address("edge", "$edgeAgent"))
        assert agent.configurations == {"base": {"status": "Applied"}, "own": {"status": "Applied"}}
        hub.rounds.wake()
    hub.service.delete(hub.service.get("base"))
    hub.finish()
    assert hub.twins.get(Address("edge", "$edgeAgent")).configurations == {"own": {"status": "Applied"}}


def test_each_part_of_a_round_and_of_a_metric_looks_at_some_twins_only(hub: Hub) -> None:
    for number in range(3 * ROWS_AT_ONCE):
        hub.add(f"d{number}")
    hub.finish()
    hub.create("c", "tags.none = 1", metrics={"all": "select * from devices"}, fan=1)
    parts = 0
    while hub.step() == 0:
        parts += 1
    assert parts >= 6
    assert hub.service.get("c").metric_results == {"all": 3 * ROWS_AT_ONCE}


@pytest.mark.parametrize(
    ("query", "result"),
    [
        ("select * from devices where tags.n > 1", 3),
        ("select top 2 * from devices", 2),
        ("select tags.odd, count() as n from devices group by tags.odd", 2),
        ("select moduleId from devices.modules", 0),
    ],
)
def test_a_metric_counts_the_results_of_its_query(hub: Hub, query: str, result: int) -> None:
    for number in range(5):
        hub.add(f"d{number}", n=number, odd=number % 2)
    hub.create("c", "", metrics={"mine": query}, fan=1)
    hub.finish()
    assert hub.service.get("c").metric_results == {"mine": result}


def test_twins_that_go_in_the_middle_of_a_round_do_not_end_it(hub: Hub) -> None:
    for number in range(50):
        hub.add(f"d{number}")
    hub.create("c", "*", fan=1)
    parts = hub.rounds._parts()
    next(parts)
    hub.registry.delete_device("d49", lambda _: None)
    hub.finish()
    assert hub.status("d48") == {"c": "Applied"}
    hub.rounds.wake()
    hub.finish()
    assert hub.service.get("c").system_results["appliedCount"] == 49


@pytest.mark.parametrize("steps", range(1, 6))
def test_a_round_that_a_crash_ended_is_done_when_the_hub_starts_again(
    open_again: Callable[[], Hub], steps: int
) -> None:
    first = open_again()
    for number in range(ROWS_AT_ONCE + 50):
        first.add(f"d{number}", site="x")
    first.create("low", "tags.site = 'x'", fan=1)
    first.finish()
    first.create("high", "tags.site = 'x'", priority=1, fan=2)
    for _ in range(steps):
        first.step()
    versions = {each: first.twin(each).desired.version for each in ("d0", f"d{ROWS_AT_ONCE + 49}")}
    second = open_again()
    second.finish()
    for device, version in versions.items():
        assert (second.desired(device), second.twin(device).desired.version) == ({"fan": 2}, 4)
        assert version in (3, 4), "each setting is written once, before the crash or after it"
    assert second.service.get("high").system_results["appliedCount"] == ROWS_AT_ONCE + 50
