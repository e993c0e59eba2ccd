"""The pages of simulations in Chromium, with one that really runs: list, page, Stop by keyboard, whoever reads them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.helpers.announced_simulation import announced_simulation
from tests.helpers.browser import Browser
from tests.helpers.console import ServedConsole, served
from tests.helpers.hub_process import HubProcess

AXE = Path(__file__).parents[2] / "requirements" / "node" / "node_modules" / "axe-core" / "axe.min.js"
MARKUP = "<img src=x onerror=\"document.title='run'\">"
IDS = ("'sim$1'", *(f"sim-{number}" for number in range(2, 9)))
EXPECTED = ("connected on all within 60s", "method reboot on 50%", "message on all within 0.2s")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    with HubProcess(tmp_path / "hub", "--in-memory") as process:
        for each in IDS:
            process.new_device(each)
        yield process


@pytest.fixture
def console(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedConsole]:
    """One that the browser is signed in to."""
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "azure"))
    with served(tmp_path) as running:
        browser.open(running.console.sign_in_address)
        browser.wait_for("signed in", "return location.pathname === '/jobs'")
        yield running


def opened(browser: Browser, console: ServedConsole, path: str, scheme: str = "light") -> None:
    browser.open(console.console.address.rstrip("/") + path, scheme)
    browser.wait_for("loaded", "return !document.querySelector('main').textContent.includes('Loading…')")


def test_one_is_found_in_the_list_and_stopped_on_its_page(
    browser: Browser, console: ServedConsole, hub: HubProcess
) -> None:
    opened(browser, console, "/simulations")
    assert "No simulation" in browser.one(".empty").text and "--prefix pump-" in browser.texts(".commands code")[1]
    with announced_simulation(hub, IDS, (MARKUP,), EXPECTED) as simulation:
        browser.wait_for("all", "return document.querySelector('#simulations .bar')?.ariaLabel === '8 of 8'")
        for number in range(2, 5):
            hub.ok("POST", f"/twins/sim-{number}/methods", {"methodName": "reboot", "payload": None})
        browser.wait_for(
            "it", "return document.querySelector('#simulations .badge')?.textContent === '1 of 3 not true'"
        )
        assert browser.texts("#simulations th a") == [f"{', '.join(IDS[:5])} and 3 more"]
        assert MARKUP in browser.texts("#simulations .sub")[0]
        for path in ("/simulations", f"/simulations/{simulation}"):
            looked_at(browser, console, path)
        opened(browser, console, "/simulations")
        browser.one("#simulations th a").send_keys(Keys.ENTER)
        browser.wait_for("its page", "return document.querySelector('#status')?.textContent === 'running'")
        assert browser.texts("#expectations .badge") == ["true", "open", "not true"]
        assert browser.texts("#methods tbody td") == ["3", "3"]
        browser.one("[data-action=stop]").send_keys(Keys.ENTER)
        assert browser.one("dialog code").text.endswith(f"simulation stop --simulation-id {simulation}")
        browser.one("#confirm").send_keys(Keys.ENTER)
        browser.wait_for("its end", "return document.querySelector('#status').textContent === 'ended'")
        assert "terminal" in browser.one("#ended").text and not browser.all("[data-action=stop]")
    assert "run" not in browser.driver.title.split()


def looked_at(browser: Browser, console: ServedConsole, path: str) -> None:
    """Nothing is wider than the screen, and whoever cannot see can use it (axe), at two widths, dark and light."""
    for width, scheme in ((360, "dark"), (360, "light"), (1600, "dark"), (1600, "light")):
        browser.resize(width)
        opened(browser, console, path, scheme)
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), (path, width)
        if AXE.exists():
            browser.run(AXE.read_text(encoding="utf-8"))
            script = "axe.run().then(r => arguments[0](r.violations.map(v => `${v.id} ${v.nodes[0].html}`)))"
            assert browser.driver.execute_async_script(script) == [], (path, width, scheme)
