"""What the how-to guides show is typed, page by page."""

from pathlib import Path

import pytest

from tests.documents.machine import Machine
from tests.documents.page_run import go_through
from tests.documents.pages import REPOSITORY, name_of

PAGES = sorted((REPOSITORY / "docs" / "how-to").glob("*.md"))


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_all_that_the_page_shows_works(path: Path, machine: Machine) -> None:
    go_through(path, machine)
