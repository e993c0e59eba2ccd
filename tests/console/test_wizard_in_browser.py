"""The New-job wizard in Chromium, and what IoT Central's documents say of its pages: each sentence has its test."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.operations.fleet_job import definitions
from tests.console import test_jobs_in_browser as of_jobs
from tests.console.test_jobs_in_browser import AXE, signed_in, wait_for_texts
from tests.helpers.browser import Browser
from tests.helpers.clock_double import START
from tests.helpers.console import ServedConsole, served
from tests.helpers.fleet_job_hub_double import definition_of
from tests.helpers.fleet_job_setup import METHOD, ids

# What a sentence says of a page, by its first words or its buttons, and the test that walks it.
SENTENCES = {
    "On the left pane, select Jobs": "test_the_list_shows_jobs_as_they_come_and_filters_them",
    "Select + New": "test_a_job_is_made_step_by_step_and_run",
    "Configure your job: a name and description": "test_a_job_is_made_step_by_step_and_run",
    "how many devices below Device group": "test_a_job_is_made_step_by_step_and_run",
    "Job type: Cloud property, Property": "test_a_saved_job_is_returned_to_and_edited",
    "Job type: Command": "test_a_job_is_made_step_by_step_and_run",
    "Job type: Change edge deployment manifest": "test_what_is_wrong_is_shown_at_its_field",
    "A property job can set multiple properties": "test_a_saved_job_is_returned_to_and_edited",
    "Save and exit adds it to the saved jobs": "test_a_saved_job_is_returned_to_and_edited",
    "Next: Delivery Options, batches and threshold": "test_a_job_is_made_step_by_step_and_run",
    "the threshold: all devices, or individual batches": "test_a_job_is_made_step_by_step_and_run",
    "Next: Schedule": "test_a_job_is_scheduled_rescheduled_and_unscheduled",
    "One-time, Daily, Weekly, Monthly": "test_each_recurrence_has_its_fields",
    "a start date and time, in your time zone": "test_each_recurrence_has_its_fields",
    "On this day": "test_a_job_is_scheduled_rescheduled_and_unscheduled",
    "After": "test_a_job_is_scheduled_rescheduled_and_unscheduled",
    "Review shows the job configuration": "test_a_job_is_made_step_by_step_and_run",
    "Select Schedule to schedule the job": "test_a_job_is_scheduled_rescheduled_and_unscheduled",
    "Unschedule, or Edit the scheduled job": "test_a_job_is_scheduled_rescheduled_and_unscheduled",
    "return to it from the list of scheduled jobs": "test_a_job_is_scheduled_rescheduled_and_unscheduled",
    "not schedule a job, and run it immediately": "test_a_job_is_made_step_by_step_and_run",
    "result metrics, duration, a device list": "test_a_job_shows_its_batches_with_their_threshold_and_its_devices",
    "Results log": "test_the_results_log_is_a_file_of_all_devices",
    "Last 30 days": "test_the_list_shows_jobs_as_they_come_and_filters_them",
    "Stop": "test_a_button_asks_with_the_command_that_does_the_same_and_then_does_it",
    "Copy: the configuration opens, Copy is appended": "test_a_copy_opens_to_be_edited",
    "the Status column": "test_the_list_shows_jobs_as_they_come_and_filters_them",
    "next to each device its status and error": "test_devices_are_filtered_by_status_and_by_id",
    "filter on Device ID or Status": "test_devices_are_filtered_by_status_and_by_id",
    "Column options, persist, Select all": "test_the_columns_that_somebody_chooses_stay_chosen",
    "Rerun on failed": "test_what_a_command_says_stays_in_the_question",
}
CONDITION, METHOD_NAME = "targets.queryCondition", "action.methodName"


@pytest.fixture
def console(tmp_path: Path, pumps: HubClient) -> Iterator[ServedConsole]:
    with served(tmp_path, hub=pumps) as running:
        yield running


@pytest.fixture
def store(console: ServedConsole, tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore.open(tmp_path / "state", Access.MAKE)
    yield opened
    opened.close()


def type_into(browser: Browser, name: str, text: str) -> None:
    field = browser.one(f"[name='{name}']")
    field.clear()
    field.send_keys(text)


def set_value(browser: Browser, name: str, value: str) -> None:
    """As the pickers of dates and times do it, whose keys depend on the browser's language."""
    script = "const e = document.getElementsByName(arguments[0])[0]; e.value = arguments[1];"
    browser.run(f"{script} e.dispatchEvent(new Event('change', {{bubbles: true}}))", name, value)


def choose(browser: Browser, name: str, value: str) -> None:
    browser.one(f"[name='{name}'][value='{value}']").click()


def wait_for_step(browser: Browser, name: str) -> None:
    browser.wait_for(name, f"return !document.getElementById('step-{name}').hidden")


def go_on(browser: Browser, name: str) -> None:
    """Select Next, which leads to a step."""
    browser.one("#next").click()
    wait_for_step(browser, name)


def wizard(browser: Browser, console: ServedConsole, query: str = "") -> None:
    signed_in(browser, console, f"/jobs/new{query}")
    browser.wait_for("the form", "return location.hash !== ''")


def configure(browser: Browser, name: str = "Reboot the north") -> None:
    type_into(browser, "displayName", name)
    type_into(browser, CONDITION, "tags.site = 'north'")
    type_into(browser, METHOD_NAME, "reboot")


def wait_for_lines(browser: Browser, lines: list[str]) -> None:
    wait_for_texts(browser, ".commands code", lines)


def errors(browser: Browser) -> dict[str, str]:
    """What is said at fields, by their names."""
    script = (
        "return Object.fromEntries([...document.querySelectorAll('.error')].map(e => [e.id.slice(6), e.textContent]))"
    )
    found: dict[str, str] = browser.run(script)
    return found


def test_every_sentence_has_a_test_that_is_there() -> None:
    here = {*vars(of_jobs), *vars(sys.modules[__name__])}
    assert {*SENTENCES.values()} <= here


def test_a_job_is_made_step_by_step_and_run(browser: Browser, console: ServedConsole, store: SqliteStore) -> None:
    signed_in(browser, console)
    browser.wait_for("New", "return document.querySelector('#new').offsetParent !== null")
    browser.one("#new").click()
    browser.wait_for("the form", "return location.pathname === '/jobs/new' && location.hash !== ''")
    configure(browser)
    type_into(browser, "description", "After the update")
    type_into(browser, "action.payload", '{"delay": 5}')
    assert browser.run("return document.getElementsByName('id')[0].value") == "reboot-the-north"
    browser.wait_for(
        "its devices", "return document.querySelector('#selected').textContent === 'Selected now: 7 devices.'"
    )
    go_on(browser, "delivery")
    type_into(browser, "batch", "3")
    type_into(browser, "cancellationThreshold", "20%")
    browser.one("[name='cancellationThreshold.batch'] option[value=true]").click()
    go_on(browser, "schedule")
    go_on(browser, "review")
    wait_for_texts(browser, "#step-review .value", ["7", "3"])
    assert browser.one("#sample").text == ", ".join(f"pump-{number:02}" for number in range(7))
    assert browser.texts("#step-review dd")[:3] == ["Reboot the north", "reboot-the-north", "After the update"]
    wait_for_lines(
        browser,
        [
            'az iot hub fleet-job create --display-name "Reboot the north" --description "After the update" '
            "--method-name reboot --method-payload '{\"delay\":5}' --query-condition \"tags.site = 'north'\" --batch 3 "
            "--cancellation-threshold 20% --cancellation-threshold-batch true -j reboot-the-north"
        ],
    )
    browser.one("#run").click()
    browser.wait_for("its page", "return location.pathname === '/jobs/fleet/reboot-the-north'")
    assert console.commands == [
        ("iot", "hub", "fleet-job", "run", "-j", "reboot-the-north", "--detach", "--yes"),
    ]
    assert store.definitions.get("reboot-the-north").definition.description == "After the update"


def test_a_job_is_scheduled_rescheduled_and_unscheduled(
    browser: Browser, console: ServedConsole, store: SqliteStore
) -> None:
    wizard(browser, console)
    configure(browser)
    go_on(browser, "delivery")
    go_on(browser, "schedule")
    choose(browser, "schedule.rule.frequency", "weekly")
    choose(browser, "schedule.rule.weekdays", "mon")
    choose(browser, "schedule.rule.weekdays", "thu")
    set_value(browser, "schedule.rule.at", "02:30")
    type_into(browser, "schedule.timeZone", "Europe/Berlin")
    choose(browser, "_end", "day")
    set_value(browser, "schedule.ends", "2090-12-31")
    go_on(browser, "review")
    browser.wait_for("Schedule", "return document.querySelector('#schedule').offsetParent !== null")
    assert (
        "schedule set --weekly mon,thu --at 02:30 --time-zone Europe/Berlin --ends 2090-12-31"
        in (browser.texts(".commands code")[1])
    )
    browser.one("#schedule").click()
    browser.wait_for("its page", "return location.pathname === '/jobs/fleet/reboot-the-north'")
    browser.wait_for(
        "its schedule", "return document.body.textContent.includes('weekly mon, thu 02:30; Europe/Berlin')"
    )
    browser.open(f"{console.console.address}jobs")
    browser.one('#when option[value="scheduled"]').click()
    wait_for_texts(browser, "#jobs tbody a", ["Reboot the north"])
    browser.one("#jobs tbody a").click()
    browser.wait_for("its buttons", "return document.querySelector('#reschedule') !== null")
    browser.one("#reschedule").click()
    browser.wait_for("the form", "return document.title.startsWith('Edit Reboot the north')")
    wait_for_step(browser, "schedule")
    assert browser.one("[name='schedule.ends']").get_attribute("value") == "2090-12-31"
    choose(browser, "_end", "times")
    type_into(browser, "schedule.times", "3")
    go_on(browser, "review")
    browser.wait_for("Schedule", "return document.querySelector('#schedule').offsetParent !== null")
    browser.one("#schedule").click()
    browser.wait_for("its page", "return location.pathname === '/jobs/fleet/reboot-the-north'")
    stored = store.schedules.get("reboot-the-north")
    assert stored is not None and (stored.schedule.times, stored.schedule.ends) == (3, None)
    browser.wait_for("its buttons", "return document.querySelector('[data-action=unschedule]') !== null")
    browser.one("[data-action=unschedule]").click()
    assert browser.one("dialog code").text == "az iot hub fleet-job schedule remove -j reboot-the-north"
    browser.one("#confirm").click()
    browser.wait_for("it is done", "return !document.querySelector('dialog').open")
    assert console.commands == [("iot", "hub", "fleet-job", "schedule", "remove", "-j", "reboot-the-north")]


def test_each_recurrence_has_its_fields(browser: Browser, console: ServedConsole) -> None:
    wizard(browser, console)
    configure(browser)
    browser.one("[data-step=schedule]").click()
    at = ["schedule.rule.at", "schedule.timeZone"]
    span = ["schedule.starts"]
    shown = "return [...new Set([...document.querySelectorAll('#step-schedule [name^=schedule]')].filter(e => "
    shown += "e.offsetParent && !e.closest('details')).map(e => e.name))].slice(1)"
    for frequency, names in (
        ("", []),
        ("once", ["schedule.rule.date", *at]),
        ("daily", [*at, *span]),
        ("weekly", ["schedule.rule.weekdays", *at, *span]),
        ("monthly", ["schedule.rule.monthDays", *at, *span]),
        ("cron", ["schedule.rule.cron", "schedule.timeZone", *span]),
    ):
        choose(browser, "schedule.rule.frequency", frequency)
        assert browser.run(shown) == names, frequency
    zone = browser.run("return Intl.DateTimeFormat().resolvedOptions().timeZone")
    assert browser.one("[name='schedule.timeZone']").get_attribute("value") == zone


def test_a_saved_job_is_returned_to_and_edited(browser: Browser, console: ServedConsole, store: SqliteStore) -> None:
    wizard(browser, console)
    configure(browser, "Light")
    choose(browser, "_kind", "twin")
    type_into(browser, "action.twinPatch.properties.desired", '{"light": 5, "fan": null}')
    type_into(browser, "action.twinPatch.tags", '{"ring": 2}')
    browser.one("#save").click()
    browser.wait_for("the list", "return location.pathname === '/jobs'")
    browser.one('#when option[value="saved"]').click()
    wait_for_texts(browser, "#jobs tbody a", ["Light"])
    browser.one("#jobs tbody a").click()
    browser.wait_for("Edit", "return document.querySelector('#edit') !== null")
    browser.one("#edit").click()
    browser.wait_for("the form", "return document.title.startsWith('Edit Light')")
    assert not browser.one("[name='displayName']").get_attribute("readonly")
    assert browser.one("[name=id]").get_attribute("readonly")
    assert '"fan": null' in str(browser.one("[name='action.twinPatch.properties.desired']").get_attribute("value"))
    type_into(browser, "action.twinPatch.tags", '{"ring": 3}')
    wait_for_lines(
        browser,
        ['az iot hub fleet-job update --desired \'{"fan":null,"light":5}\' --tags \'{"ring":3}\' -j light'],
    )
    browser.one("#save").click()
    browser.wait_for("the list", "return location.pathname === '/jobs'")
    job = store.definitions.get("light")
    assert job.version == 2 and job.definition.action.patch is not None
    assert job.definition.action.patch.document == {
        "tags": {"ring": 3},
        "properties": {"desired": {"light": 5, "fan": None}},
    }


def test_a_copy_opens_to_be_edited(
    browser: Browser, console: ServedConsole, store: SqliteStore, pumps: HubClient
) -> None:
    named = replace(definition_of(METHOD, ids(3), Driver.CALLS), display_name="Night")
    store.definitions.add("night", pumps.target.canonical, named, at=START, by="ann", origin=None)
    signed_in(browser, console, "/jobs/fleet/night")
    browser.wait_for("Copy", "return document.querySelector('#copy') !== null")
    browser.one("#copy").click()
    browser.wait_for("the form", "return document.title.startsWith('Copy Night')")
    browser.wait_for("its devices", "return document.querySelector('#selected').textContent.includes('3 devices')")
    assert browser.one("[name=displayName]").get_attribute("value") == "Night Copy"
    assert browser.one("[name='targets.deviceIds']").get_attribute("value") == "d000,d001,d002"
    browser.one("#save").click()
    browser.wait_for("the list", "return location.pathname === '/jobs'")
    copy = store.definitions.get("night-copy")
    assert copy.origin is not None and copy.definition == replace(named, display_name="Night Copy")


def test_what_is_wrong_is_shown_at_its_field(browser: Browser, console: ServedConsole) -> None:
    wizard(browser, console)
    browser.one("#next").click()
    browser.wait_for("errors", "return document.querySelectorAll('.error').length === 3")
    assert set(errors(browser)) == {"id", CONDITION, METHOD_NAME}
    assert browser.run("return document.activeElement.name") == "id"
    described = browser.run(
        "return document.getElementById(document.activeElement.getAttribute('aria-describedby')).id"
    )
    assert described == "error-id"
    configure(browser)
    browser.wait_for("they are gone", "return document.querySelectorAll('.error').length === 0")
    type_into(browser, "action.payload", '{"delay": }')
    browser.wait_for("it is said as it is typed", "return document.querySelectorAll('.error').length === 1")
    assert "is not JSON" in errors(browser)["action.payload"]
    choose(browser, "_kind", "content")
    type_into(browser, "action.content", "{}")
    browser.wait_for("it is said", "return document.querySelector('.error')?.textContent.includes('modulesContent')")
    assert set(errors(browser)) == {"action.content"}
    choose(browser, "_target", "ids")
    browser.one("#next").click()
    browser.wait_for("no device", "return document.querySelector('#error-targets\\\\.deviceIds') !== null")
    assert browser.run("return document.activeElement.name") == "targets.deviceIds"
    browser.one("[data-step=review]").click()
    wait_for_step(browser, "review")
    browser.one("#save").click()
    wait_for_step(browser, "configure")
    assert browser.run("return document.activeElement.name") == "targets.deviceIds"


def test_a_draft_survives_a_reload_until_it_is_discarded_and_keys_are_enough(
    browser: Browser, console: ServedConsole
) -> None:
    wizard(browser, console)
    browser.run("document.getElementsByName('displayName')[0].focus()")
    keys = ("Night", Keys.TAB, Keys.TAB, "By keys", Keys.TAB, Keys.ARROW_RIGHT, Keys.TAB, "pump-01 pump-02")
    for each in keys:
        browser.driver.switch_to.active_element.send_keys(each)
    browser.wait_for("a draft", "return sessionStorage.length === 1")
    browser.driver.refresh()
    browser.wait_for("the form", "return document.getElementsByName('displayName')[0].value === 'Night'")
    assert browser.one("[name='targets.deviceIds']").get_attribute("value") == "pump-01 pump-02"
    assert browser.one("[name='targets.deviceIds']").is_displayed()
    browser.run("document.getElementsByName('action.methodName')[0].focus()")
    browser.driver.switch_to.active_element.send_keys("reboot", Keys.ENTER)
    wait_for_step(browser, "delivery")
    assert browser.run("return document.activeElement.id") == "title-delivery"
    browser.one("#discard").click()
    browser.wait_for("it is empty", "return document.getElementsByName('displayName')[0]?.value === ''")
    assert browser.run("return sessionStorage.length") == 0


def test_what_was_saved_meanwhile_is_begun_with_once_the_draft_is_discarded(
    browser: Browser, console: ServedConsole, store: SqliteStore, pumps: HubClient
) -> None:
    of_pump = replace(definition_of(METHOD, ("pump-00",), Driver.CALLS), display_name="Night")
    store.definitions.add("night", pumps.target.canonical, of_pump, at=START, by="ann", origin=None)
    wizard(browser, console, "?edit=night")
    type_into(browser, "description", "Mine")
    definitions.edit(store, "night", replace(of_pump, description="Theirs"), by="ann", at=START)
    browser.one("#save").click()
    browser.wait_for(
        "it is said", "return document.querySelector('#problem').textContent.includes('Discard the draft')"
    )
    browser.log("browser")  # it notes the refusal
    browser.driver.refresh()
    browser.wait_for("it is said again", "return document.body.textContent.includes('The job was changed since then')")
    browser.one("#discard").click()
    browser.wait_for("theirs", "return document.getElementsByName('description')[0]?.value === 'Theirs'")
    assert store.definitions.get("night").definition.description == "Theirs"


def test_a_form_that_was_saved_is_empty_for_who_goes_back_to_it(browser: Browser, console: ServedConsole) -> None:
    wizard(browser, console)
    configure(browser)
    for step in ("delivery", "schedule", "review"):
        go_on(browser, step)
    browser.one("#save").click()
    browser.wait_for("its page", "return location.pathname === '/jobs/fleet/reboot-the-north'")
    browser.driver.back()
    browser.wait_for("the form", "return location.hash === '#configure'")
    assert [browser.one(f"[name='{each}']").get_attribute("value") for each in (CONDITION, METHOD_NAME)] == ["", ""]


def test_a_console_that_only_looks_has_no_new(browser: Browser, tmp_path: Path, pumps: HubClient) -> None:
    with served(tmp_path, hub=pumps, is_read_only=True) as console:
        signed_in(browser, console)
        assert not browser.one("#new").is_displayed()
        browser.open(f"{console.console.address}jobs/new")
        browser.wait_for("it is said", "return document.querySelector('.notice.waits').offsetParent !== null")
        assert not browser.one("#save").is_enabled()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not here: npm install in requirements/node")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_the_wizard(browser: Browser, console: ServedConsole, scheme: str) -> None:
    wizard(browser, console)
    browser.open(f"{console.console.address}jobs/new", scheme)
    browser.wait_for("the form", "return location.hash !== ''")
    browser.one("#next").click()
    browser.wait_for("errors", "return document.querySelectorAll('.error').length === 3")
    browser.run(AXE.read_text(encoding="utf-8"))
    browser.run("for (const each of document.querySelectorAll('details')) each.open = true")
    for step in ("configure", "delivery", "schedule", "review"):
        browser.one(f"[data-step={step}]").click()
        wait_for_step(browser, step)
        if step == "schedule":
            choose(browser, "schedule.rule.frequency", "weekly")
        for width in (360, 1600):
            browser.resize(width)
            found = browser.driver.execute_async_script(
                "const done = arguments[0]; axe.run().then(r => done(r.violations.map(v => [v.id, v.nodes[0].html])))"
            )
            assert found == [], step
            assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), (step, width)
