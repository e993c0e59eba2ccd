"""The pages of jobs in Chromium: what IoT Central's had, live, for everybody; nothing that a device says is run."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.contract import StoreRights
from azext_iotjobs.fleet_job.store.holder import current_user
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.rollout import Scope, parse_batch_sizes
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.target import HubTarget
from tests.helpers.browser import Browser
from tests.helpers.console import ServedConsole, served
from tests.helpers.fleet_job_hub_double import StopDouble, definition_of
from tests.helpers.fleet_job_setup import METHOD, FleetJobSetup, failing, ids, threshold
from tests.helpers.transport_double import TransportDouble, response

AXE = Path(__file__).parents[2] / "requirements" / "node" / "node_modules" / "axe-core" / "axe.min.js"
MARKUP = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"


@pytest.fixture
def setup(tmp_path: Path) -> FleetJobSetup:
    return FleetJobSetup(tmp_path)


@pytest.fixture
def console(tmp_path: Path, setup: FleetJobSetup) -> Iterator[ServedConsole]:
    with served(tmp_path) as running:
        yield running


def signed_in(browser: Browser, console: ServedConsole, path: str = "/jobs") -> None:
    """Open a page of the console, as somebody who has followed the printed address."""
    browser.open(console.console.sign_in_address)
    browser.wait_for("signed in", "return location.pathname === '/jobs'")
    if path != "/jobs":
        browser.open(console.console.address.rstrip("/") + path)
    browser.wait_for("live", "return document.querySelector('.live').textContent === 'Live'")


def any_time(browser: Browser) -> None:
    """Jobs of the tests' clock are older than thirty days."""
    browser.one('#when option[value="all"]').click()


def wait_for_texts(browser: Browser, selector: str, texts: list[str]) -> None:
    script = f"return JSON.stringify([...document.querySelectorAll({selector!r})].map(e => e.textContent))"
    browser.wait_for(f"{selector}: {texts}", f"{script} === JSON.stringify({texts!r})")


# -- signing in -----------------------------------------------------------------------------------------------------


def test_the_printed_address_signs_one_browser_in_and_leaves_nothing_of_the_token(
    browser: Browser, console: ServedConsole
) -> None:
    address = console.console.sign_in_address
    signed_in(browser, console)
    assert "#" not in browser.driver.current_url and browser.run("return document.cookie") == ""
    browser.driver.delete_all_cookies()
    browser.open(address)
    browser.wait_for("it is said", "return document.body.textContent.includes('This address was used')")
    (refusal,) = browser.log("browser")  # the browser notes each 401
    assert "401" in refusal["message"]


# -- the list -------------------------------------------------------------------------------------------------------


def test_the_list_shows_jobs_as_they_come_and_filters_them(
    browser: Browser, console: ServedConsole, setup: FleetJobSetup
) -> None:
    signed_in(browser, console)
    browser.wait_for("there are none", "return document.body.textContent.includes('There are no jobs yet')")
    any_time(browser)
    setup.world.hub.fails = failing("d001")
    setup.run(Driver.CALLS, ids(4))
    setup.world.clock.passed_s += 60
    saved = replace(definition_of(METHOD, ids(2), Driver.CALLS), display_name="Night watch", labels={"team": "water"})
    setup.world.save(setup.store, saved, "second")
    wait_for_texts(browser, "#jobs tbody a", ["Night watch", "job"])
    wait_for_texts(browser, "#jobs .badge", ["pending", "completed"])
    assert "3 of 4 completed, 1 failed" in browser.texts("#jobs tbody tr")[1]
    browser.one("#search").send_keys("WATER")
    wait_for_texts(browser, "#jobs tbody a", ["Night watch"])
    browser.one("#search").send_keys(Keys.CONTROL, "a")
    browser.one("#search").send_keys(Keys.BACKSPACE)
    browser.one('#status option[value="completed"]').click()
    wait_for_texts(browser, "#jobs tbody a", ["job"])
    browser.one('#kind option[value="hub"]').click()
    wait_for_texts(browser, "#jobs tbody a", [])
    assert browser.one(".empty").text == "No job fits the filters."


def test_claims_of_scheduled_runs_are_among_the_jobs_only_where_somebody_looks_for_them(
    browser: Browser, tmp_path: Path
) -> None:
    job = {"jobId": "night", "type": "scheduleUpdateTwin", "status": "completed", "createdTime": "2026-11-29T10:00:00Z"}
    claim = {**job, "jobId": "fw-claim", "queryCondition": "deviceId = 'claim of store abcdefgh by ann@plant-2'"}
    hub = HubClient(HubTarget(host="h.example"), TransportDouble(lambda _: response([claim, job])))
    with served(tmp_path, hub=hub) as console:
        signed_in(browser, console)
        any_time(browser)
        wait_for_texts(browser, "#jobs tbody a", ["night"])
        browser.wait_for("one job", "return document.body.textContent.includes('1 job shown')")
        browser.one('#kind option[value="claim"]').click()
        wait_for_texts(browser, "#jobs tbody a", ["fw-claim"])
        assert "claim of a scheduled run, by ann@plant-2" in browser.texts("#jobs tbody tr")[0]
        browser.driver.get("about:blank")


def test_a_role_that_may_only_see_has_no_buttons_and_is_told_why(
    browser: Browser, tmp_path: Path, ran: FleetJobSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqlStore, "rights", lambda _: StoreRights(may_run=False, may_define=False))
    hub = HubClient(HubTarget(host="h.example"), TransportDouble(lambda _: response([])))
    with served(tmp_path, hub=hub) as console:
        signed_in(browser, console)
        browser.wait_for("it is said", "return document.querySelector('#rights').textContent.includes('may see')")
        assert not browser.one("#new").is_displayed()
        browser.open(console.console.address.rstrip("/") + "/jobs/fleet/job")
        browser.wait_for("it is said", "return document.querySelector('#rights').textContent.includes('may see')")
        assert [each for each in browser.all(".actions .buttons > *") if each.is_displayed()] == []
        browser.open(console.console.address.rstrip("/") + "/jobs/new")
        browser.wait_for("it is said", "return document.querySelector('#rights').textContent.includes('may see')")
        assert [each.is_enabled() for each in browser.all("#save")] == [False]
        browser.driver.get("about:blank")


def test_who_stopped_a_run_stands_on_its_page(browser: Browser, console: ServedConsole, setup: FleetJobSetup) -> None:
    setup.run(Driver.CALLS, ids(4), sizes="2", stop=StopDouble(after=1))
    run = setup.store.runs.get("job")
    setup.store.database.change("UPDATE run SET ended_by = 'bob@plant-2', reason = NULL")
    signed_in(browser, console, "/jobs/fleet/job")
    assert run.state is RunState.STOPPED
    browser.wait_for("it is said", "return document.body.textContent.includes('Stopped by bob@plant-2 at ')")


# -- a fleet job ----------------------------------------------------------------------------------------------------


@pytest.fixture
def ran(setup: FleetJobSetup) -> FleetJobSetup:
    """A run of 20 devices in three batches with a threshold, of whose first batch one device has failed."""
    setup.world.hub.fails = failing("d001")
    sizes = parse_batch_sizes("4,8", "--batch")
    definition = definition_of(
        METHOD, ids(20), Driver.CALLS, sizes=sizes, threshold=threshold("50%", scope=Scope.BATCH)
    )
    setup.world.new_run(setup.store, setup.world.save(setup.store, definition))
    setup.world.execute(setup.store)
    return setup


def test_a_job_shows_its_batches_with_their_threshold_and_its_devices(
    browser: Browser, console: ServedConsole, ran: FleetJobSetup
) -> None:
    signed_in(browser, console, "/jobs/fleet/job")
    browser.wait_for("its devices", "return document.querySelectorAll('#devices tbody tr').length === 20")
    assert browser.one("#status").text == "completed"
    assert browser.texts(".tiles .value")[:3] == ["20", "19", "1"]
    assert browser.texts(".batches .sub")[0] == "completed: 3 of 4 completed, 1 failed"
    assert len([each for each in browser.all(".batches .limit") if each.is_displayed()]) == 3
    placed = browser.run("return [...document.querySelectorAll('.batches .limit')].map(e => e.style.left)")
    assert placed == ["50%", "50%", "50%"]


def test_a_job_says_what_it_does_and_how(browser: Browser, console: ServedConsole, ran: FleetJobSetup) -> None:
    signed_in(browser, console, "/jobs/fleet/job")
    browser.wait_for("its definition", "return document.querySelectorAll('.facts dt').length")
    facts = dict(zip(browser.texts(".facts dt"), browser.texts(".facts dd"), strict=True))
    assert facts["Action"] == "method reboot, payload null"
    assert facts["Cancellation threshold"] == "cancel when more than 50% of a batch failed"
    assert (facts["Devices"], facts["Pause between batches"], facts["Gates"]) == ("20 devices", "none", "none")
    lines = ["az iot hub fleet-job show -j job", "az iot hub fleet-job results -j job --run 1"]
    assert browser.texts(".commands code")[:2] == lines


def test_devices_are_filtered_by_status_and_by_id(browser: Browser, console: ServedConsole, ran: FleetJobSetup) -> None:
    signed_in(browser, console, "/jobs/fleet/job")
    browser.one('#device-status option[value="failed"]').click()
    wait_for_texts(browser, "#devices td.deviceId", ["d001"])
    assert browser.texts("#devices td.errorText") == ["The hub answered 404 DeviceNotOnline: away"]
    browser.one('#device-status option[value=""]').click()
    browser.one("#device").send_keys("d007", Keys.ENTER)
    wait_for_texts(browser, "#devices td.deviceId", ["d007"])


def test_a_device_leads_to_its_page_where_the_console_has_a_hub(
    browser: Browser, console: ServedConsole, ran: FleetJobSetup, tmp_path: Path, pumps: HubClient
) -> None:
    signed_in(browser, console, "/jobs/fleet/job")
    browser.wait_for("devices", "return document.querySelectorAll('#devices td.deviceId').length > 0")
    assert browser.all("#devices td a") == []
    browser.driver.get("about:blank")
    with served(tmp_path, hub=pumps) as of_hub:
        signed_in(browser, of_hub, "/jobs/fleet/job")
        browser.one("#device").send_keys("d007", Keys.ENTER)
        wait_for_texts(browser, "#devices td.deviceId a", ["d007"])
        assert browser.run("return document.querySelector('#devices td a').getAttribute('href')") == "/devices/d007"
        browser.driver.get("about:blank")


def test_the_columns_that_somebody_chooses_stay_chosen(
    browser: Browser, console: ServedConsole, ran: FleetJobSetup
) -> None:
    signed_in(browser, console, "/jobs/fleet/job")
    browser.one("details.menu summary").click()
    for title in ("Error", "Tries"):
        (label,) = [each for each in browser.all("details.menu label") if each.text == title]
        label.click()
    chosen = ["Device", "Status", "Answer status", "Answer", "Batch", "Tries"]
    wait_for_texts(browser, "#devices th", chosen)
    browser.driver.refresh()
    wait_for_texts(browser, "#devices th", chosen)
    browser.run("localStorage.clear()")


def test_the_results_log_is_a_file_of_all_devices(browser: Browser, console: ServedConsole, ran: FleetJobSetup) -> None:
    signed_in(browser, console, "/jobs/fleet/job")
    browser.wait_for("the link", "return document.querySelector('#results-log')?.href.endsWith('run=1')")
    file = browser.downloaded(browser.one("#results-log"))
    assert file.name == "job-1.csv"
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert [each["status"] for each in rows[:3]] == ["completed", "failed", "completed"] and len(rows) == 20


def test_a_button_asks_with_the_command_that_does_the_same_and_then_does_it(
    browser: Browser, console: ServedConsole, setup: FleetJobSetup
) -> None:
    setup.world.new_run(setup.store, setup.world.save(setup.store, definition_of(METHOD, ids(2), Driver.CALLS)))
    signed_in(browser, console, "/jobs/fleet/job")
    browser.wait_for("its buttons", "return document.querySelector('[data-action=stop]')")
    assert browser.one("#next").text == "Next: batch 1 of 1, 2 devices."
    browser.one("[data-action=stop]").send_keys(Keys.ENTER)
    assert browser.one("dialog code").text == "az iot hub fleet-job stop -j job"
    browser.one("#field-reason").send_keys("it's late")
    assert browser.one("dialog code").text == """az iot hub fleet-job stop -j job --reason 'it'"'"'s late'"""
    browser.one("#field-reason").send_keys(Keys.ESCAPE)
    assert not browser.one("dialog").is_displayed()
    browser.one("[data-action=stop]").click()
    browser.one("#field-reason").send_keys("late")
    browser.one("#confirm").click()
    browser.wait_for("it is stopped", "return document.querySelector('#status').textContent === 'stopped'")
    who, why = browser.texts(".notice.waits")
    assert who.startswith(f"Stopped by {current_user()} at ") and why == "late"
    assert setup.store.runs.get("job").reason == "late"


def test_what_a_command_says_stays_in_the_question(
    browser: Browser, console: ServedConsole, ran: FleetJobSetup
) -> None:
    console.command_result = console.command_result._replace(code=1, errors=b"ERROR: The hub is away.\nTry again.")
    signed_in(browser, console, "/jobs/fleet/job")
    browser.wait_for("its buttons", "return document.querySelector('[data-action=rerun]')")
    browser.one("[data-action=rerun]").click()
    browser.one("#confirm").click()
    browser.wait_for("the error", "return document.querySelector('dialog .notice').textContent.includes('away')")
    assert console.commands[0][:6] == ("iot", "hub", "fleet-job", "rerun", "-j", "job")
    (refusal,) = browser.log("browser")  # the browser notes each 409
    assert "409" in refusal["message"]


def test_who_may_only_look_has_no_button_to_press(browser: Browser, tmp_path: Path, ran: FleetJobSetup) -> None:
    with served(tmp_path, is_read_only=True) as console:
        signed_in(browser, console, "/jobs/fleet/job")
        browser.wait_for("its buttons", "return document.querySelector('[data-action=run]')?.disabled")
        assert browser.one(".where .badge").text == "read-only"


def test_a_page_goes_on_when_the_console_is_started_again(
    browser: Browser, tmp_path: Path, setup: FleetJobSetup
) -> None:
    with served(tmp_path) as console:
        signed_in(browser, console)
        any_time(browser)
        port = console.port
    browser.wait_for("it is said", "return document.querySelector('.live').textContent.startsWith('Not connected')")
    setup.run(Driver.CALLS, ids(1))
    with served(tmp_path, port=port):
        wait_for_texts(browser, "#jobs tbody a", ["job"])
        browser.wait_for("live", "return document.querySelector('.live').textContent === 'Live'")
        browser.log("browser")  # it notes each connection that failed
        browser.driver.get("about:blank")


# -- everybody, and nobody else -------------------------------------------------------------------------------------


@pytest.fixture
def hostile(setup: FleetJobSetup) -> FleetJobSetup:
    """A fleet job whose every text, and those of its devices, are markup."""
    setup.world.hub.fails = lambda device: {"code": "DeviceNotOnline", "description": MARKUP}
    named = replace(
        definition_of(METHOD, (*ids(2), "<b>d</b>"), Driver.CALLS),
        display_name=MARKUP[:140],
        description=MARKUP,
        labels={"<i>": MARKUP},
    )
    setup.world.new_run(setup.store, setup.world.save(setup.store, named))
    setup.world.execute(setup.store)
    return setup


def test_what_others_say_is_text(browser: Browser, console: ServedConsole, hostile: FleetJobSetup) -> None:
    signed_in(browser, console)
    any_time(browser)
    wait_for_texts(browser, "#jobs tbody a", [MARKUP[:140]])
    browser.open(f"{console.console.address}jobs/fleet/job")
    browser.wait_for("its devices", "return document.querySelectorAll('#devices tbody tr').length === 3")
    assert browser.texts("h1") == [MARKUP[:140]] and MARKUP in browser.texts("#devices td.errorText")[0]
    made = browser.run("return document.querySelectorAll('main img, main script, main b, main i').length")
    assert made == 0 and "run" not in browser.driver.title.split()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not here: npm install in requirements/node")
@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_the_pages(
    browser: Browser, console: ServedConsole, setup: FleetJobSetup, width: int, scheme: str
) -> None:
    setup.world.hub.fails = failing("d001")
    setup.run(Driver.CALLS, ids(9), sizes="3", threshold=threshold("50%"), stop=StopDouble(after=6))
    signed_in(browser, console)
    for path in ("jobs", "jobs/fleet/job", "jobs/hub/none"):
        browser.resize(width)
        browser.open(console.console.address + path, scheme)
        browser.wait_for("live", "return document.querySelector('.live').textContent === 'Live'")
        browser.wait_for("loaded", "return !document.querySelector('main').textContent.includes('Loading…')")
        browser.run(AXE.read_text(encoding="utf-8"))
        found = browser.driver.execute_async_script(
            "const done = arguments[0]; axe.run().then(r => done(r.violations.map(v => [v.id, v.nodes[0].html])))"
        )
        assert found == [], path
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), path


def test_the_first_key_leads_past_the_header(browser: Browser, console: ServedConsole) -> None:
    signed_in(browser, console)
    browser.one("body").send_keys(Keys.TAB)
    assert browser.run("return document.activeElement.textContent") == "Skip to content"
    browser.run("document.activeElement.click()")
    assert browser.run("return document.activeElement.id") == "content"


def test_a_page_is_printed_dark_on_white_without_what_is_for_the_screen(
    browser: Browser, console: ServedConsole, setup: FleetJobSetup
) -> None:
    setup.run(Driver.CALLS, ids(2))
    signed_in(browser, console)
    browser.open(f"{console.console.address}jobs/fleet/job", "dark", "print")
    browser.wait_for("its devices", "return document.querySelectorAll('#devices tbody tr').length === 2")
    colors = browser.run("const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]")
    assert colors == ["rgb(22, 25, 29)", "rgb(255, 255, 255)"]
    assert [each for each in browser.all("nav, .filters, .buttons, .commands") if each.is_displayed()] == []
