"""Fixtures of the scenarios of fleet jobs."""

from collections.abc import Iterator

import pytest

from tests.conftest import ScenarioHub, running_hub
from tests.helpers.az import Az
from tests.helpers.fleet_job_scenario import Fleet, Place


@pytest.fixture(scope="module")
def own_hub(az: Az, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScenarioHub]:
    """A local hub of the module alone."""
    yield from running_hub(az, tmp_path_factory.mktemp("fleet-hub"))


@pytest.fixture(scope="module")
def devices(own_hub: ScenarioHub) -> Iterator[Fleet]:
    """Its devices."""
    fleet = Fleet(own_hub)
    yield fleet
    fleet.close()


@pytest.fixture(scope="module")
def kept(own_hub: ScenarioHub, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The state folder that the module's scenarios share."""
    return Place(own_hub, tmp_path_factory.mktemp("state"))


@pytest.fixture
def calls(devices: Fleet) -> list[str]:
    """Who is called in this test, in order."""
    devices.forget()
    return devices.calls
