"""What all stores promise is tested with each of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.stores import KINDS, Stores


@pytest.fixture(params=KINDS)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """A store of each kind."""
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    found = Stores(tmp_path / "state", server)
    yield found
    found.close()
