"""Which driver, and why; how long devices take by each."""

import pytest

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.fleet_job import Action, Driver
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.tier import TierFacts, choose_driver, estimates
from azext_iotjobs.model.twin import TwinPatch

METHOD = Action(method=MethodCall(name="m"))
LARGE = Action(method=MethodCall(name="m", payload="x" * 5000))
TWIN = Action(patch=TwinPatch(document={"tags": {"a": 1}}))
CONTENT = Action(content={"modulesContent": {"$edgeAgent": {}}})


@pytest.mark.parametrize(
    ("sku", "units", "action", "calls", "jobs"),
    [
        ("S1", 1, METHOD, 250, 1000),
        ("S1", 1, LARGE, 500, 1000),
        ("S1", 2, METHOD, 125, 1000),
        ("S1", 1, TWIN, 200, 1000),
        ("S2", 1, METHOD, 10_000 / 120, 1000),
        ("S3", 1, TWIN, 40, 200),
        ("S3", 10, TWIN, 10_000 / 300, 20),
    ],
)
def test_estimates_for_ten_thousand_devices_decide_on_the_driver(
    sku: str, units: int, action: Action, calls: float, jobs: float
) -> None:
    tier = TierFacts(sku, units)
    by_calls, by_jobs = estimates(tier, action, 10_000)
    assert [by_calls.seconds, by_jobs.seconds] == pytest.approx([calls, jobs])
    choice = choose_driver(Driver.AUTO, tier, action, 10_000)
    assert choice.driver is (Driver.CALLS if calls <= jobs else Driver.JOBS)
    assert choice.reason.startswith(f"{choice.driver.value}: 10000 devices take about") and sku in choice.reason


def test_what_is_asked_for_is_taken_and_what_is_not_known_is_called() -> None:
    assert choose_driver(Driver.JOBS, TierFacts("S1"), METHOD, 10).driver is Driver.JOBS
    assert choose_driver(Driver.AUTO, None, METHOD, 10).driver is Driver.CALLS
    assert choose_driver(Driver.AUTO, TierFacts("S3", 10), CONTENT, 10**6).driver is Driver.CALLS
    assert [each.seconds for each in estimates(None, TWIN, 5)] == [None, None]
    assert [TierFacts(sku).job_slots for sku in ("F1", "S1", "S2", "S3")] == [1, 1, 5, 10]


@pytest.mark.parametrize(
    ("sku", "units"), [("S4", 1), ("X1", 1), ("S1", 0), ("", 1), ("S1", 201), ("F1", 2), ("S3", 11)]
)
def test_other_tiers_are_refused(sku: str, units: int) -> None:
    with pytest.raises(BadValue):
        TierFacts(sku, units)


def test_a_hub_without_a_tier_is_known_and_not_paced() -> None:
    tier = TierFacts("unlimited")
    assert str(tier) == "a hub without a tier" and tier.is_unlimited and not TierFacts("S1").is_unlimited
    assert [(each.seconds, each.operations) for each in estimates(tier, TWIN, 100)] == [(None, 100), (None, 100)]
    choice = choose_driver(Driver.AUTO, tier, TWIN, 100)
    assert choice.driver is Driver.CALLS and "no tier, and so no quotas" in choice.reason
    assert choose_driver(Driver.JOBS, tier, TWIN, 100).driver is Driver.JOBS
    with pytest.raises(BadValue):
        TierFacts("unlimited", 2)
