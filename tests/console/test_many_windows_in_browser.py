"""Many windows of one console, all in sight: browsers allow six connections to an address, and no window is starved."""

from pathlib import Path

from azext_iotjobs.model.fleet_job import Driver
from tests.console.test_jobs_in_browser import any_time, signed_in, wait_for_texts
from tests.helpers.browser import Browser
from tests.helpers.console import served
from tests.helpers.fleet_job_hub_double import definition_of
from tests.helpers.fleet_job_setup import METHOD, FleetJobSetup, ids

COUNT = 8


def test_every_window_is_loaded_and_sees_what_changes(browser: Browser, tmp_path: Path) -> None:
    setup = FleetJobSetup(tmp_path)
    definition = definition_of(METHOD, ids(2), Driver.CALLS)
    setup.world.save(setup.store, definition, "first")
    driver = browser.driver
    first, others = driver.current_window_handle, []
    with served(tmp_path) as console:
        signed_in(browser, console)
        try:
            for _ in range(COUNT):
                driver.switch_to.new_window("window")
                others.append(driver.current_window_handle)
                driver.get(f"{console.console.address}jobs")
                assert not browser.run("return document.hidden")
                any_time(browser)
                wait_for_texts(browser, "#jobs tbody a", ["first"])
            setup.world.clock.passed_s += 60
            setup.world.save(setup.store, definition, "second")
            for each in (first, *others):
                driver.switch_to.window(each)
                any_time(browser)
                wait_for_texts(browser, "#jobs tbody a", ["second", "first"])
        finally:
            for each in others:
                driver.switch_to.window(each)
                driver.close()
            driver.switch_to.window(first)
            driver.get("about:blank")  # before the console ends
