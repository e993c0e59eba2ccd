"""Fixtures of operations that are carried out on a local hub."""

from collections.abc import Iterator

import pytest

from tests.helpers.hub_process import HubProcess


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A local hub in memory, of the module alone."""
    with HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory") as process:
        yield process
