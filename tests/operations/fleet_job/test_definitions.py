"""What is kept of fleet jobs: reruns, copies, lists, previews; and which devices a run has."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, NotFound, WrongState
from azext_iotjobs.model.fleet_job import Definition, DevicesOfRun, Driver, Origin, Targets
from azext_iotjobs.model.rollout import parse_batch_sizes
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.operations.fleet_job import definitions, planning, run_loop
from tests.helpers.fleet_job_hub_double import StopDouble, Wire, definition_of, rows_of
from tests.helpers.fleet_job_setup import METHOD, FleetJobSetup, by_both, failing, ids
from tests.helpers.transport_double import response


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[FleetJobSetup]:
    setup = FleetJobSetup(tmp_path)
    yield setup
    setup.store.close()


@by_both
def test_a_rerun_touches_exactly_the_failed_ones(setup: FleetJobSetup, driver: Driver) -> None:
    setup.world.hub.fails = failing("d003", "d007")
    run = setup.run(driver, ids(20), sizes="5")
    setup.world.hub.fails, before = failing(), setup.world.hub.operated.copy()
    at = setup.world.clock.now()
    again = definitions.rerun(setup.store, run, frozenset({"failed"}), None, by="ann", at=at)
    assert (again.fleet_job_id, again.origin) == ("job-r1", Origin(fleet_job_id="job", run_number=1, how="rerun"))
    second = planning.new_run(setup.store, setup.world.client, again, by="ann", at=at)
    done = run_loop.execute(second, setup.world.context(setup.store))
    assert (done.state, done.tally.completed, done.device_count) == (RunState.COMPLETED, 2, 2)
    assert setup.world.hub.operated - before == {"d003": 1, "d007": 1}
    assert setup.store.runs.get("job").tally.failed == 2
    fewer = Targets(
        of_run=DevicesOfRun(fleet_job_id="job", run_number=1, words=frozenset({"all"})), excluded=("d000",), limit=3
    )
    some = definitions.rerun(setup.store, run, frozenset({"all"}), "some", by="ann", at=at, targets=fewer)
    third = planning.new_run(setup.store, setup.world.client, some, by="ann", at=at)
    assert [row.device_id for page in setup.store.results.pages(third, ResultFilter()) for row in page.rows] == [
        "d001",
        "d002",
        "d003",
    ]
    assert definitions.rerun(setup.store, run, frozenset({"offline"}), None, by="a", at=at).fleet_job_id == "job-r2"
    definitions.delete(setup.store, "job")
    with pytest.raises(NotFound, match="run 1 of fleet job job, which is deleted"):
        planning.new_run(setup.store, setup.world.client, again, by="ann", at=at)


def test_another_run_begins_when_the_one_before_has_ended(setup: FleetJobSetup) -> None:
    run = setup.run(Driver.CALLS, ids(3), stop=StopDouble(after=1))
    job = setup.store.definitions.get("job")
    with pytest.raises(WrongState, match="stopped; another can begin when it has ended"):
        setup.world.new_run(setup.store, job)
    with pytest.raises(ConflictingChoice, match=r"belongs to h\.example"):
        planning.check_host(replace(job, host="h.example"), _other_client(setup))
    run_loop.cancel(run, setup.world.context(setup.store), by="a", reason=None)
    assert setup.world.new_run(setup.store, job).number == 2


def _other_client(setup: FleetJobSetup) -> Any:
    from azext_iotjobs.clients.hub import HubClient
    from azext_iotjobs.model.target import HubTarget

    return HubClient(HubTarget(host="other.example"), Wire(setup.world.hub, setup.world.points))


def test_copies_have_free_ids_names_and_what_was_changed(setup: FleetJobSetup) -> None:
    at = setup.world.clock.now()
    definition = replace(definition_of(METHOD, ids(3), Driver.CALLS), display_name="Night")
    setup.world.save(setup.store, definition)
    first = definitions.copy(setup.store, "job", None, "h.example", by="ann", at=at)
    second = definitions.copy(setup.store, "job", None, "h.example", by="ann", at=at, description="other")
    assert [first.fleet_job_id, second.fleet_job_id] == ["job-copy", "job-copy2"]
    assert (first.display_name, second.definition.description) == ("Night Copy", "other")
    assert first.definition.action == definition.action and first.origin is not None and first.origin.how == "copy"
    long = definitions.create(setup.store, "j" * 40, "h.example", definition, by="ann", at=at)
    assert definitions.copy(setup.store, long.fleet_job_id, None, "h", by="a", at=at).fleet_job_id == "j" * 35 + "-copy"


def test_lists_by_state_time_and_saved(setup: FleetJobSetup) -> None:
    start = setup.world.clock.now()
    setup.run(Driver.CALLS, ids(2))
    setup.world.clock.passed_s += 3600
    later = setup.world.clock.now()
    setup.world.save(setup.store, definition_of(METHOD, ids(1), Driver.CALLS), "saved")

    def listed(**wanted: Any) -> list[str]:
        return [each.job.fleet_job_id for each in definitions.list_saved(setup.store, definitions.ListFilter(**wanted))]

    assert listed() == ["saved", "job"] and listed(state=RunState.COMPLETED) == ["job"]
    assert listed(state=RunState.PENDING) == ["saved"] and listed(only_saved=True) == ["saved"]
    assert listed(since=later) == ["saved"] and listed(since=start) == ["saved", "job"] and listed(host="x") == []
    with pytest.raises(BadValue, match="for 30 days at least"):
        definitions.prune(setup.store, 29, later)


def test_a_preview_sends_and_stores_nothing(setup: FleetJobSetup) -> None:
    definition = definition_of(METHOD, ids(103), Driver.AUTO, sizes=parse_batch_sizes("10%", "--batch"), pause_s=60)
    job = setup.world.save(setup.store, definition)
    found = planning.preview(setup.store, setup.world.client, job, None)
    assert (found.device_count, found.batch_count, found.batch_sizes[-2:]) == (103, 10, [11, 4])
    assert (found.driver, found.pauses_s, setup.store.runs.last("job")) == ("calls", 540, None)
    assert not setup.world.hub.operated


def test_targets_are_limited_sampled_or_a_saved_group(setup: FleetJobSetup) -> None:
    rows = [{"deviceId": each} for each in reversed(ids(40))]
    total = [{"total": 40}]
    setup.world.hub.refuses = lambda request: response(total if "COUNT" in request.body["query"] else rows)
    setup.store.groups.save("h.example", "north", "tags.site = 'n'")
    base = Definition(action=METHOD, targets=Targets(group="north"))

    def chosen(name: str, **more: Any) -> list[str]:
        targets = Targets(group="north", **more)
        job = setup.world.save(setup.store, replace(base, targets=targets), name)
        run = setup.world.new_run(setup.store, job)
        return list(rows_of(setup.store, run))

    counted: list[int] = []
    whole = replace(base, targets=Targets(group="north"))
    job = setup.world.save(setup.store, whole, "many")
    rows += [{"deviceId": f"e{number}"} for number in range(200)]
    assert (
        planning.preview(
            setup.store, setup.world.client, job, None, planning.SelectionObserver(counted.append)
        ).device_count
        == 240
    )
    assert counted == [100, 200]
    del rows[40:]
    assert chosen("a") == list(ids(40))  # in the order of their ids, whatever the hub's
    assert chosen("b", limit=3) == list(ids(3))
    sample = chosen("c", sample_percent=Fraction(10), seed=1)
    assert len(sample) == 4 and sample == sorted(sample) and sample == chosen("d", sample_percent=Fraction(10), seed=1)
    assert chosen("e", limit=10, max_devices=20) == list(ids(10))
    for more in ({"limit": 30}, {}):
        with pytest.raises(BadValue, match="max_devices"):
            chosen(f"f{len(more)}", max_devices=20, **more)
