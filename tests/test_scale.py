"""The page about scale: its numbers are what its generator computes, and its sentences are true."""

from typing import Any

import pytest

from azext_iotjobs.localhub.rules.quota import TABLE, Throttle, quotas
from azext_iotjobs.model.fleet_job import Action
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.tier import TierFacts
from tests.helpers.surface import generator

METHOD = Action(method=MethodCall(name="reboot"))
made = generator("scale_tables")


def test_the_page_is_what_its_generator_computes() -> None:
    written = made.PAGE.read_text(encoding="utf-8")
    assert written == made.page(written), "run: make docs"


@pytest.mark.parametrize(
    ("part", "row"),
    [
        # 10,000 / 40 a second; / 50; / 10
        ("rollouts", "| 10,000 | S1, 1 unit | 4 min | 3 min | 17 min |"),
        # 1,000,000 / 60,000 a second; / 2,500; / 500
        ("rollouts", "| 1,000,000 | S3, 10 units | 17 s | 7 min | 33 min |"),
        # 400,000 messages of one unit: two for a method, one for a twin
        ("days", "| S1, 1 unit | 200,000 (messages) | 400,000 (messages) | 400,000 (messages) |"),
        # 100,000 / 100 a minute; / 100 a second; 1,000 pages at a third of 20 a minute
        ("checks", "| 100,000 | S1, 1 unit | 16.7 h | 17 min | 2.5 h |"),
    ],
)
def test_what_is_computed_is_what_a_person_computes(part: str, row: str) -> None:
    assert row in made.parts()[part].splitlines()


@pytest.mark.parametrize("hub", made.HUBS, ids=str)
def test_fleet_jobs_reckon_with_the_same_quotas(hub: Any) -> None:
    """The client and the local hub share no code: each has the published numbers."""
    sku, units = hub.sku, hub.units
    tier, allowed = TierFacts(sku.value, units), quotas(sku, units)
    assert tier.calls_a_second(METHOD) == pytest.approx(allowed[Throttle.METHODS].rate, rel=0.03)  # 24 MB / 4 KB
    assert tier.job_operations_a_second == allowed[Throttle.JOB_DEVICES].rate
    assert tier.queries_a_minute == pytest.approx(allowed[Throttle.QUERIES].rate * 60)
    assert tier.registry_operations_a_minute == pytest.approx(allowed[Throttle.REGISTRY].rate * 60)


def test_the_sentences_between_the_tables_are_true() -> None:
    for hub in made.HUBS:
        a_second = {throttle: hub.a_second(throttle) for throttle in Throttle}
        by_jobs = a_second[Throttle.JOB_DEVICES]
        assert a_second[Throttle.METHODS] > by_jobs < a_second[Throttle.TWIN_UPDATES], "calls are faster than jobs"
        assert hub.messages_a_day / made.METHOD_MESSAGES < a_second[Throttle.METHODS] * made.DAY_S, "messages end first"
    for throttle in (Throttle.TWIN_UPDATES, Throttle.JOB_DEVICES):
        s1, s2, _ = TABLE[throttle]
        assert s1.per_unit == 0, "more units do not help on S1"
        assert s2.least / s2.per_unit == 10, "on S2 only from the eleventh unit on"


def test_pods_of_every_fleet_fit_and_connect_no_faster_than_the_hub_allows() -> None:
    for count in made.FLEETS:
        shards = made.shards_for(count)
        assert shards * made.DEVICES_PER_SHARD >= count
        assert made.memory_mib(made.largest_shard(count, shards)) * 1024 >= count / shards * made.KIB_PER_DEVICE
    assert "| 1,000,000 | 100 | 10,398 | 503 MiB | 49.1 GiB | 1.0/s | 1.2/s | 60/s |" in made.parts()["simulators"]
