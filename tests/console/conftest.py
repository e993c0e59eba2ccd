"""A real browser for the console's pages."""

from collections.abc import Iterator

import pytest

from azext_iotjobs.clients.hub import HubClient
from tests.helpers.browser import WHY_NOT, Browser, chromium, opened
from tests.helpers.console import client_of
from tests.helpers.hub_process import HubProcess

CHROMIUM = chromium()


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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """The page is left before its console, which is a fixture too, ends."""
    browser = item.funcargs.get("browser") if isinstance(item, pytest.Function) else None
    if isinstance(browser, Browser):
        browser.driver.get("about:blank")


@pytest.fixture(scope="session")
def pumps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubClient]:
    """The client of a local hub with twelve devices, pump-00 to pump-11, of which seven are in the north."""
    with HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory") as process:
        for number in range(12):
            process.new_device(f"pump-{number:02}")
            tags = {"tags": {"site": "north" if number < 7 else "south"}}
            process.ok("PATCH", f"/twins/pump-{number:02}", tags)
        yield client_of(process)
