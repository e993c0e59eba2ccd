"""pytest fixtures: a local hub for one test or for a whole run. The only module that imports pytest.

In a conftest.py: `pytest_plugins = ["azext_iotjobs.localhub.testing"]`.
"""

from collections.abc import Iterator

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub, LocalHubFailed, LocalHubRefused

__all__ = ["LocalHub", "LocalHubFailed", "LocalHubRefused", "local_hub", "local_hub_session"]


@pytest.fixture
def local_hub() -> Iterator[LocalHub]:
    """A local hub in memory, on free ports, for one test."""
    with LocalHub() as hub:
        yield hub


@pytest.fixture(scope="session")
def local_hub_session() -> Iterator[LocalHub]:
    """A local hub in memory, on free ports, for all tests of a run; each test should use devices of its own."""
    with LocalHub() as hub:
        yield hub
