"""What the README and pages beside the how-to guides show is typed, page by page."""

from pathlib import Path

import pytest

from tests.documents.machine import Machine
from tests.documents.page_run import go_through
from tests.documents.pages import all_pages, name_of

PAGES = [path for path in all_pages() if path.parent.name != "how-to"]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_all_that_the_page_shows_works(path: Path, machine: Machine) -> None:
    go_through(path, machine)
