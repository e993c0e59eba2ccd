"""The page of a local hub in Chromium, with a real one: state, strings, logs, faults, clock, seed, snapshot, reset."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.helpers.browser import Browser
from tests.helpers.console import ServedConsole, served
from tests.helpers.hub_process import HubProcess

AXE = Path(__file__).parents[2] / "requirements" / "node" / "node_modules" / "axe-core" / "axe.min.js"
MARKUP = "<img src=x onerror=document.title='run'>"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory", "--sku", "S1") as process:
        yield process


@pytest.fixture(scope="module")
def console(window: Browser, hub: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedConsole]:
    """One that the browser is signed in to."""
    with served(tmp_path_factory.mktemp("console"), local=hub) as running:
        window.open(running.console.sign_in_address)
        window.wait_for("signed in", "return location.pathname === '/jobs'")
        yield running


def opened(browser: Browser, console: ServedConsole, scheme: str = "light") -> None:
    """Open the page, until the hub's state is there."""
    browser.open(f"{console.console.address}local-hub", scheme)
    browser.wait_for("its state", "return document.querySelector('#state li') && document.querySelector('.trust')")


def wait_for_text(browser: Browser, selector: str, text: str) -> None:
    browser.wait_for(
        f"{selector}: {text}",
        f"return (document.querySelector({json.dumps(selector)})?.textContent || '').includes({json.dumps(text)})",
    )


def choose(browser: Browser, selector: str, value: str) -> None:
    script = "const e = document.querySelector(arguments[0]); e.value = arguments[1]; "
    browser.run(script + "e.dispatchEvent(new Event('change', { bubbles: true }))", selector, value)


def test_the_page_shows_the_state_and_keys_only_when_asked(
    browser: Browser, console: ServedConsole, hub: HubProcess
) -> None:
    opened(browser, console)
    hub.new_device("counted")
    wait_for_text(browser, "#state li", "1 Devices")
    wait_for_text(browser, "#quotas li", "1 passed")
    assert "SharedAccessKey=" not in browser.driver.page_source
    browser.one("#strings").click()
    wait_for_text(browser, ".key code", hub.info["connectionString"])
    browser.one("#strings").click()
    browser.wait_for("no key", "return !document.body.textContent.includes('SharedAccessKey=')")


def test_a_log_is_live_and_filtered_and_its_texts_are_text(
    browser: Browser, console: ServedConsole, hub: HubProcess
) -> None:
    opened(browser, console)
    hub.request("GET", f"/devices/{MARKUP}")
    browser.one("#log-text").send_keys("onerror")
    wait_for_text(browser, "#log-summary", "1 of 1 shown")
    assert MARKUP in browser.texts("#log td.what")[0] and not browser.all("main img")
    hub.request("GET", f"/devices/{MARKUP}")
    wait_for_text(browser, "#log-summary", "2 of 2 shown")
    choose(browser, "#log-kind", "connections")
    wait_for_text(browser, "#log-summary", "None of")
    assert browser.driver.title.startswith("Local hub")


def test_a_fault_is_added_by_the_keyboard_and_cleared(
    browser: Browser, console: ServedConsole, hub: HubProcess
) -> None:
    opened(browser, console)
    browser.one("#new-fault summary").send_keys(Keys.ENTER)
    browser.one("#fault-status").clear()
    browser.one("#fault-status").send_keys("200", Keys.TAB, Keys.TAB, "2")
    browser.one("#fault-route").send_keys("GET /twins/{id}", Keys.ENTER)
    wait_for_text(browser, "#fault-problem", "status")
    browser.one("#fault-status").send_keys(Keys.BACKSPACE * 3, "503", Keys.ENTER)
    wait_for_text(browser, "#faults", "GET /twins/{id}")
    line = browser.one("#fault-line").text
    assert line.startswith("az iot local-hub fault add -n ") and "--route 'GET /twins/{id}' --status 503" in line
    assert hub.request("GET", "/twins/counted").status_code == 503
    browser.one("#faults button").click()
    browser.wait_for("no fault", "return !document.querySelector('#faults tbody tr')")
    assert hub.request("GET", "/twins/counted").status_code != 503
    assert all("400" in each["message"] for each in browser.log("browser"))


def test_the_clock_is_moved_ahead(browser: Browser, console: ServedConsole) -> None:
    opened(browser, console)
    choose(browser, "#clock-unit", "m")
    browser.one("#clock-amount").send_keys(Keys.BACKSPACE, "90")
    wait_for_text(browser, "[aria-labelledby=clock-title] code", "--by 90m")
    browser.one("#advance").click()
    wait_for_text(browser, "#clock-state", "1 h 30 min ahead")


def test_a_seed_a_snapshot_a_reset_and_the_snapshot_again(
    browser: Browser, console: ServedConsole, hub: HubProcess, tmp_path: Path
) -> None:
    opened(browser, console)
    seed = tmp_path / "our seed.yaml"
    seed.write_text("devices:\n- deviceId: fan-{1..3}\n", encoding="utf-8")
    browser.one("#seed-file").send_keys(str(seed))
    wait_for_text(browser, "[aria-labelledby=seed-title] code", "--file 'our seed.yaml'")
    browser.one("#do-seed").click()
    wait_for_text(browser, "#seed-result", "3 devices created")
    snapshot = browser.downloaded(browser.one("#snapshot"))
    browser.one("#reset").click()
    assert not browser.one("#confirm").is_enabled()
    name = f"localhost:{hub.https_port}"
    browser.one("#typed").send_keys(name, Keys.TAB, Keys.ENTER)
    wait_for_text(browser, "#all-said", "The hub is empty")
    assert hub.request("GET", "/devices/fan-1").status_code == 404
    browser.one("#restore").click()
    browser.one("#typed").send_keys(name)
    assert not browser.one("#confirm").is_enabled()
    browser.one("#restore-file").send_keys(str(snapshot))
    browser.wait_for("it can be restored", "return !document.querySelector('#confirm').disabled")
    browser.one("#confirm").click()
    wait_for_text(browser, "#all-said", "as the snapshot has it")
    assert hub.ok("GET", "/devices/fan-1")["deviceId"] == "fan-1"


def test_who_may_only_look_changes_nothing(browser: Browser, hub: HubProcess, tmp_path: Path) -> None:
    with served(tmp_path, local=hub, is_read_only=True) as console:
        browser.open(console.console.sign_in_address)
        browser.wait_for("signed in", "return location.pathname === '/jobs'")
        opened(browser, console)
        browser.wait_for("read-only", "return document.querySelector('#reset').disabled")
        for button in ("#strings", "#add-fault", "#advance", "#do-seed", "#snapshot", "#restore"):
            assert browser.run("return document.querySelector(arguments[0]).disabled", button), button
        browser.driver.get("about:blank")


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not here: npm install in requirements/node")
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1600, "light")])
def test_everybody_can_use_the_page(
    browser: Browser, console: ServedConsole, hub: HubProcess, width: int, scheme: str
) -> None:
    if not hub.ok("GET", "/_local/faults"):
        hub.ok("POST", "/_local/faults", {"kind": "latency", "delaySeconds": 1, "device": "pump-*", "times": 3})
        hub.request("GET", "/devices/a-device-whose-name-is-long-that-is-not-there-at-all")
    browser.resize(width)
    opened(browser, console, scheme)
    browser.one("#new-fault summary").click()
    browser.one("#strings").click()
    browser.wait_for("all of it", "return document.querySelector('.key') && document.querySelector('#log tbody tr')")
    browser.run(AXE.read_text(encoding="utf-8"))
    found = browser.driver.execute_async_script(
        "axe.run().then(found => arguments[0](found.violations.map(each => `${each.id} ${each.nodes[0].target}`)))"
    )
    assert found == []
    assert browser.run("return document.documentElement.scrollWidth") <= width
