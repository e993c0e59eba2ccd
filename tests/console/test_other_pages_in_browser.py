"""A page of another server on this machine, in the browser that somebody has signed in with: it gets nothing done."""

from pathlib import Path

from selenium.webdriver.support.wait import WebDriverWait

from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.run_state import RunState
from tests.helpers.browser import Browser
from tests.helpers.console import served
from tests.helpers.file_server import serve_folder
from tests.helpers.fleet_job_hub_double import definition_of
from tests.helpers.fleet_job_setup import METHOD, FleetJobSetup, ids
from tests.helpers.waiting import LIMIT_S

# Each gives what it came to; a browser sends the cookie along, as a port makes no other site.
ATTEMPTS = """
const base = arguments[0], done = arguments[1], stop = base + 'api/fleet-jobs/job/actions/stop';
const limit = (attempt) => Promise.race([attempt, new Promise(end => setTimeout(() => end('nothing'), 5000))]);
const tried = (attempt) => limit(attempt.then(() => 'read', () => 'refused'));
const load = (tag, set) => limit(new Promise(end => {
  const element = document.createElement(tag);
  element.onload = () => end('loaded');
  element.onerror = () => end('refused');
  set(element);
  document.body.append(element);
}));
const source = new EventSource(base + 'api/events?topic=fleet-jobs', { withCredentials: true });
const heard = limit(new Promise(end => {
  source.onmessage = () => end('read');
  source.onerror = () => end('refused');
}));
const post = { method: 'POST', credentials: 'include', body: '{}' };
Promise.all([
  tried(fetch(base + 'api/session', { credentials: 'include' })),
  tried(fetch(stop, { ...post, headers: { 'Content-Type': 'application/json' } })),
  tried(fetch(stop, { ...post, mode: 'no-cors' })),
  load('script', e => { e.src = base + 'static/console.js'; }),
  heard,
]).then(done);
"""
FORM = """
const form = document.createElement('form');
form.method = 'post';
form.enctype = 'text/plain';
form.action = arguments[0] + 'api/fleet-jobs/job/actions/stop';
document.body.append(form);
form.submit();
"""


def test_another_page_reads_nothing_and_changes_nothing(browser: Browser, tmp_path: Path) -> None:
    setup = FleetJobSetup(tmp_path)
    setup.world.new_run(setup.store, setup.world.save(setup.store, definition_of(METHOD, ids(2), Driver.CALLS)))
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("<!DOCTYPE html><title>other</title><link rel=icon href=data:,>")
    with served(tmp_path) as console, serve_folder(site) as other:
        browser.open(console.address)
        browser.wait_for("signed in", "return location.pathname === '/jobs'")
        base = console.console.address
        browser.open(other)
        came_to = browser.driver.execute_async_script(ATTEMPTS, base)
        assert came_to == ["refused"] * 5
        browser.run(FORM, base)
        WebDriverWait(browser.driver, LIMIT_S).until(lambda driver: "/api/" in driver.current_url)
        assert "another page" in browser.one("body").text
        browser.open(other)
        browser.run("location.assign(arguments[0])", base + "jobs")
        WebDriverWait(browser.driver, LIMIT_S).until(lambda driver: driver.current_url == base + "jobs")
        assert "another page" in browser.one("body").text
        browser.log("browser")  # it notes each refusal
    assert setup.store.runs.get("job").state is RunState.PENDING
