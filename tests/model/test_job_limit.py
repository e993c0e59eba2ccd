"""How long a hub's job may run when nobody says: never shorter than it can need, and not forever."""

from math import ceil

import pytest

from azext_iotjobs.model.fleet_job import Action
from azext_iotjobs.model.job_limit import job_limit_s
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.tier import TierFacts
from azext_iotjobs.model.twin import TwinPatch

TWIN = Action(patch=TwinPatch(document={"tags": {"a": 1}}))


def method(connect: int = 30, response: int = 30) -> Action:
    return Action(method=MethodCall(name="x", connect_timeout_s=connect, response_timeout_s=response))


@pytest.mark.parametrize(
    ("devices", "batch", "action", "tier", "seconds"),
    [
        (10, 10, method(), TierFacts("S1"), 60 + 2 * 1 + 60),
        (10, 10, method(0, 5), TierFacts("S1"), 60 + 2 + 5),
        (10, 10, method(300, 300), TierFacts("S1"), 60 + 2 + 600),
        (400, 400, method(), TierFacts("S1"), 60 + 80 + 4 * 60),
        (400, 100_000, method(), TierFacts("S1"), 60 + 80 + 4 * 60),  # S1 has one slot: nothing runs beside it
        (400, 100_000, method(), TierFacts("S2"), 60 + 400 + 4 * 60),  # five jobs at once share the pace
        (400, 800, method(), TierFacts("S2"), 60 + 160 + 4 * 60),
        (400, 100_000, method(), TierFacts("S3"), 60 + 160 + 4 * 60),
        (400, 400, TWIN, TierFacts("S1"), 60 + 80 + 30),
        (400, 100_000, method(), None, 60 + 400 + 4 * 60),
        (400, 100_000, method(), TierFacts("unlimited"), 60 + 400 + 4 * 60),
        (1, 1, TWIN, None, ceil(60 + 0.2 + 30)),
        (0, 0, method(), None, 60 + 0 + 60),  # a job of an older version, whose size is not known
    ],
)
def test_the_limit_is_what_the_formula_gives(
    devices: int, batch: int, action: Action, tier: TierFacts | None, seconds: int
) -> None:
    assert job_limit_s(devices, batch, action, tier) == seconds


@pytest.mark.parametrize("sku", ["F1", "B1", "B2", "B3", "S1", "S2", "S3"])
@pytest.mark.parametrize("units", [1, 10])
@pytest.mark.parametrize("devices", [1, 99, 100, 101, 800])
@pytest.mark.parametrize("slots_full", [False, True])
def test_it_is_never_shorter_than_the_job_can_need(sku: str, units: int, devices: int, slots_full: bool) -> None:
    """Every device is there, and takes as long as it may; the tier's other slots run as large jobs of the batch."""
    if sku == "F1" and units > 1:
        return
    tier, action = TierFacts(sku, units), method(20, 40)
    beside = tier.job_slots if slots_full else 1
    needs_s = devices * beside / tier.job_operations_a_second + ceil(devices / 100) * 40
    for known in (tier, None):
        assert job_limit_s(devices, devices * beside, action, known) >= needs_s


def test_more_devices_or_longer_timeouts_never_make_it_shorter() -> None:
    sizes = [job_limit_s(count, 5000, method(), TierFacts("S2")) for count in range(1, 900, 7)]
    assert sizes == sorted(sizes)
    waits = [job_limit_s(100, 100, method(0, seconds), None) for seconds in range(5, 301, 5)]
    assert waits == sorted(waits)
