"""The pytest plugin: fixtures of a local hub for one test or for a whole run. The only module that imports pytest.

Strategy: pytest imports it in every run in an environment that has this package, so that it imports nothing else of it
until a fixture is used.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from azext_iotjobs.localhub.testing.process import LocalHub

__all__ = ["local_hub", "local_hub_sdk", "local_hub_session", "pytest_collection_finish"]

FIXTURES = frozenset({"local_hub", "local_hub_sdk", "local_hub_session"})


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have what hubs need loaded, while other tests run, where a test has a hub."""
    if session.config.option.collectonly:
        return
    if any(not FIXTURES.isdisjoint(getattr(item, "fixturenames", ())) for item in session.items):
        from azext_iotjobs.localhub.testing.forked_hub import HUB_FORKS

        HUB_FORKS.expect()


@pytest.fixture
def local_hub() -> "Iterator[LocalHub]":
    """A local hub in memory, on free ports, for one test."""
    from azext_iotjobs.localhub.testing.process import LocalHub

    with LocalHub() as hub:
        yield hub


@pytest.fixture(scope="session")
def local_hub_session() -> "Iterator[LocalHub]":
    """A local hub in memory, on free ports, for all tests of a run; each test should use devices of its own."""
    from azext_iotjobs.localhub.testing.process import LocalHub

    with LocalHub() as hub:
        yield hub


@pytest.fixture(scope="session")
def _local_hub_address() -> Iterator[str]:
    """A loopback address whose ports 443, 8883 and 5671 are this process's alone."""
    from azext_iotjobs.localhub.testing.sdk_address import NoAddress, own_address

    try:
        with own_address() as address:
            yield address
    except NoAddress as err:
        pytest.skip(str(err))


@pytest.fixture
def local_hub_sdk(_local_hub_address: str) -> "Iterator[LocalHub]":
    """A local hub in memory for one test, on the ports that Microsoft's SDKs connect to; skipped where it cannot be."""
    from azext_iotjobs.localhub.testing.sdk_address import sdk_hub

    with sdk_hub(_local_hub_address) as hub:
        yield hub
