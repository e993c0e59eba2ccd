"""Fixtures of the scenarios of fleet jobs."""

from collections.abc import Iterator

import pytest

from tests.conftest import ScenarioHub, running_hub
from tests.helpers.az import Az
from tests.helpers.fleet_job_scenario import FleetJobDevices, FleetJobs


@pytest.fixture(scope="module")
def own_hub(az: Az, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScenarioHub]:
    """A local hub of the module alone."""
    yield from running_hub(az, tmp_path_factory.mktemp("fleet-hub"))


@pytest.fixture(scope="module")
def devices(own_hub: ScenarioHub) -> Iterator[FleetJobDevices]:
    """Its devices."""
    fleet = FleetJobDevices(own_hub)
    yield fleet
    fleet.close()


@pytest.fixture(scope="module")
def jobs(own_hub: ScenarioHub, tmp_path_factory: pytest.TempPathFactory) -> FleetJobs:
    """The state folder that the module's scenarios share."""
    return FleetJobs(own_hub, tmp_path_factory.mktemp("state"))


@pytest.fixture
def calls(devices: FleetJobDevices) -> list[str]:
    """Who is called in this test, in order."""
    devices.forget()
    return devices.calls
