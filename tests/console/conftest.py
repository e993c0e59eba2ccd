"""A real browser for the console's pages."""

from collections.abc import Iterator

import pytest

from tests.helpers.browser import Browser, chromium, opened

CHROMIUM = chromium()
WHY_NOT = "Chromium and its driver are not here: chromium, chromedriver"


@pytest.fixture(scope="session")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests."""
    if CHROMIUM is None:
        pytest.skip(WHY_NOT)
    with opened(CHROMIUM, tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    """The browser, as wide as a desk's screen; whatever it complains of while a test runs fails the test."""
    window.resize(1280)
    window.log("browser")
    yield window
    assert [each["message"] for each in window.log("browser") if each["level"] in ("SEVERE", "WARNING")] == []
    window.driver.get("about:blank")
