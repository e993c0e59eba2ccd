"""One hub process for the tests of the sdk: each uses devices and jobs of its own."""

from collections.abc import Iterator

import pytest

from azext_iotjobs.sdk import JobClient
from tests.helpers.hub_process import HubProcess


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub in memory, on free ports."""
    with HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory") as process:
        yield process


@pytest.fixture
def client(hub: HubProcess) -> Iterator[JobClient]:
    """A client with the owner's key."""
    with JobClient.from_connection_string(hub.local.connection_string, ca_file=hub.ca) as client:
        yield client
