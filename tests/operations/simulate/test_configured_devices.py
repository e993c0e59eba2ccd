"""Simulated devices answer the configurations of a local hub: they report what is set, and metrics count them."""

from pathlib import Path
from typing import Any

from tests.helpers.devices_on_thread import devices_of
from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import wait_until


def water(temperature: int) -> dict[str, Any]:
    return {"deviceContent": {"properties.desired.water": {"temperature": temperature}}}


def reports(temperature: int) -> str:
    return f"SELECT deviceId FROM devices WHERE properties.reported.water.temperature = {temperature}"


def test_a_rollout_by_configurations_is_reported_and_counted(tmp_path: Path) -> None:
    devices = [f"pump-{number}" for number in range(4)]
    with HubProcess(tmp_path, "--in-memory", "--time-scale", "600") as hub, devices_of(hub, devices[:3]):
        hub.new_device(devices[3])  # is never on line
        for device in devices:
            hub.ok("PATCH", f"/twins/{device}", {"tags": {"ring": 1}})

        def create(name: str, temperature: int, condition: str, priority: int) -> None:
            queries = {"done": reports(temperature)}
            body = {"content": water(temperature), "targetCondition": condition, "priority": priority}
            hub.ok("PUT", f"/configurations/{name}", {**body, "metrics": {"queries": queries}})

        def counts(name: str) -> tuple[int, ...]:
            document = hub.ok("GET", f"/configurations/{name}")
            results = {**document["systemMetrics"]["results"], **document["metrics"]["results"]}
            return tuple(results.get(metric, 0) for metric in ("targetedCount", "appliedCount", "done"))

        create("all", 66, "tags.ring = 1", priority=1)
        wait_until("three of four have reported it", lambda: counts("all") == (4, 4, 3))
        create("one", 70, "deviceId = 'pump-0'", priority=2)
        wait_until("the one has reported the other value", lambda: counts("one") == (1, 1, 1))
        wait_until("it is no longer one of the three", lambda: counts("all") == (4, 3, 2))
        hub.ok("PATCH", "/twins/pump-1", {"tags": {"ring": 2}})
        wait_until("one has left", lambda: counts("all")[:2] == (3, 2))
        twin = hub.ok("GET", "/twins/pump-1")
        assert "water" not in twin["properties"]["desired"] and "configurations" not in twin
        wait_until(
            "it has taken the value out of what it reports",
            lambda: "water" not in hub.ok("GET", "/twins/pump-1")["properties"]["reported"],
        )
