"""One hub process for all HTTPS tests: each uses devices and jobs of its own."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.helpers.hub_process import HubProcess


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub in memory, on free ports."""
    with HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory") as process:
        yield process


@pytest.fixture(scope="session")
def fresh() -> Callable[[str], str]:
    """Ids that no other test uses."""
    numbers = itertools.count(1)
    return lambda kind: f"{kind}-{next(numbers)}"
