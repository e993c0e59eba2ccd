"""The pages of devices in Chromium, with a local hub and a device: queries, twins, methods, messages, telemetry."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from selenium.webdriver.common.keys import Keys

from tests.helpers.answering_device import MqttDevice
from tests.helpers.browser import Browser
from tests.helpers.console import ServedConsole, served
from tests.helpers.hub_process import HubProcess

AXE = Path(__file__).parents[2] / "requirements" / "node" / "node_modules" / "axe-core" / "axe.min.js"
MARKUP = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
COUNT = 105  # devices: more than a page
ODD = "odd'%#?;d"
COMPLETED = {
    "sta": ["status", "statusReason", "STARTSWITH(", "connectionState", "lastActivityTime"],
    "SELECT * FROM dev": ["devices", "devices.modules", "devices.jobs"],
    "status = ": ["'enabled'", "'disabled'"],
    "tags.my": ["tags.[[my name]]"],
    "deviceId = 'sta": [],
    "deviceId = 'it\\'s' AND mod": ["moduleId", "modelId"],
    "": [],
}
MISTAKES = [
    ("tags.a = = 1", "unexpected '=' (line 1, column 38)", 9),
    ("  tags.a", "the text ends too early (line 1, column 35)", 6),
    ("SELECT * FORM devices", "unexpected 'FORM' (line 1, column 10)", 9),
    ("tags.a", "it is wrong", None),
    ("tags.a", "(line 9, column 9)", None),
]
PATCHES: list[tuple[dict[str, Any], dict[str, Any], Any]] = [
    ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}),
    ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}, {"a": {"b": None}}),
    ({"a": 1}, {}, {"a": None}),
    ({"a": [1, {"b": 1}]}, {"a": [1, {"b": 1}]}, None),
    ({"a": [1, 2]}, {"a": [2, 1]}, {"a": [2, 1]}),
    ({"a": {"b": 1}}, {"a": 5}, {"a": 5}),
    ({"a": 5}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ({"a": 1}, {"a": None}, {"a": None}),
    ({}, {"a": None}, None),
    ({"a": 0}, {"a": False}, {"a": False}),
    ({}, {"__proto__": {"a": 1}, "constructor": 2}, {"__proto__": {"a": 1}, "constructor": 2}),
    ({"a": {}}, {"a": {}}, None),
    ({}, {"a": {}}, {"a": {}}),
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory") as process:
        sites = ("north", "south")
        seeded = [{"deviceId": f"pump-{n:03}", "tags": {"site": sites[n % 2]}} for n in range(COUNT)]
        process.ok("POST", "/_local/seed", {"devices": seeded})
        process.new_device(ODD)
        hostile = {
            "tags": {MARKUP[:60].replace(" ", "").replace(".", ""): MARKUP},
            "properties": {"desired": {"a": MARKUP}},
        }
        process.ok("PATCH", f"/twins/{quote(ODD, safe='')}", hostile)
        yield process


@pytest.fixture(scope="module")
def console(window: Browser, hub: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedConsole]:
    """One that the browser is signed in to."""
    with served(tmp_path_factory.mktemp("console"), local=hub) as running:
        window.open(running.console.sign_in_address)
        window.wait_for("signed in", "return location.pathname === '/jobs'")
        yield running


def opened(browser: Browser, console: ServedConsole, path: str, scheme: str = "light") -> None:
    """Open a page, until what it is about is there."""
    browser.open(console.console.address.rstrip("/") + path, scheme)
    is_there = "document.querySelector('#devices tbody tr, dl.facts dd')"
    browser.wait_for("what it is about", f"return {is_there} && !document.body.textContent.includes('Loading…')")


def wait_for_text(browser: Browser, selector: str, text: str) -> None:
    browser.wait_for(
        f"{selector}: {text}",
        f"return (document.querySelector({json.dumps(selector)})?.textContent || '').includes({json.dumps(text)})",
    )


def write(browser: Browser, selector: str, text: str) -> None:
    """Put a text into a field, whatever is in it."""
    script = (
        "const e = document.querySelector(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('input'))"
    )
    browser.run(script, selector, text)


# -- the list -------------------------------------------------------------------------------------------------------


def test_devices_are_shown_page_by_page(browser: Browser, console: ServedConsole) -> None:
    opened(browser, console, "/devices")
    wait_for_text(browser, "#summary", f"100 of {COUNT + 1} shown, page 1")
    browser.one("#next").click()
    wait_for_text(browser, "#summary", f"6 of {COUNT + 1} shown, page 2")
    assert not browser.one("#next").is_enabled() and len(browser.all("#devices tbody tr")) == 6
    browser.one("#previous").click()
    wait_for_text(browser, "#summary", "page 1")


def test_a_query_is_completed_by_the_keyboard_and_finds_its_devices(browser: Browser, console: ServedConsole) -> None:
    opened(browser, console, "/devices")
    box = browser.one("#query")
    box.send_keys("tags.si")
    wait_for_text(browser, "#suggestions", "tags.site")
    box.send_keys(Keys.ARROW_DOWN)
    assert box.get_attribute("aria-activedescendant") == "suggestion-0"
    box.send_keys(Keys.ENTER, " = 'north' AND devi")
    wait_for_text(browser, "#suggestions", "deviceId")
    box.send_keys(Keys.ARROW_DOWN, Keys.TAB, " < 'pump-005'", Keys.ENTER)
    wait_for_text(browser, "#summary", "3 of 3 shown")
    assert browser.texts("#devices tbody a") == ["pump-000", "pump-002", "pump-004"]
    command = browser.one(".commands code").text
    assert command.startswith("az iot hub query -q ") and "tags.site = 'north' AND deviceId < 'pump-005'" in command
    browser.driver.refresh()
    wait_for_text(browser, "#summary", "3 of 3 shown")


def test_a_mistake_in_a_query_is_shown_where_it_is(browser: Browser, console: ServedConsole) -> None:
    opened(browser, console, "/devices")
    browser.one("#query").send_keys("tags.site = = 'north'", Keys.ENTER)
    wait_for_text(browser, "#query-problem", "unexpected '='")
    assert browser.texts(".place code") == ["tags.site = = 'north'"]
    assert browser.run("return document.querySelector('mark').previousSibling.textContent.length") == 12
    (refusal,) = browser.log("browser")  # the browser notes each 400
    assert "400" in refusal["message"]


def test_the_columns_that_somebody_chooses_stay_chosen(browser: Browser, console: ServedConsole) -> None:
    opened(browser, console, "/devices")
    browser.one("details.menu summary").click()
    for title in ("tags", "tags.site"):
        (label,) = [each for each in browser.all("details.menu label") if each.text == title]
        label.click()
    script = "return [...document.querySelectorAll('#devices thead th')].map(e => e.textContent).join()"
    browser.wait_for("the columns", f"{script} === 'Device,Status,Last active,properties.reported,tags.site'")
    browser.driver.refresh()
    browser.wait_for("the columns", f"{script} === 'Device,Status,Last active,properties.reported,tags.site'")
    browser.run("localStorage.clear()")


def test_what_can_follow_is_completed_and_the_place_of_a_mistake_is_found(
    browser: Browser, console: ServedConsole
) -> None:
    opened(browser, console, "/devices")
    script = "return QueryBox.completions(arguments[0], arguments[0].length, ['tags.my name']).found"
    for typed, found in COMPLETED.items():
        assert browser.run(script, typed) == found, typed
    for text, message, place in MISTAKES:
        assert browser.run("return QueryBox.placeOf(arguments[0], arguments[1])", message, text) == place, message


# -- a device -------------------------------------------------------------------------------------------------------


def test_an_edit_becomes_the_patch_that_makes_it(browser: Browser, console: ServedConsole) -> None:
    opened(browser, console, "/devices/pump-001")
    script = """
        const [before, after] = [JSON.parse(arguments[0]), JSON.parse(arguments[1])];
        const patch = TwinPatch.between(before, after);
        return JSON.stringify([patch === undefined ? null : patch, TwinPatch.applied(before, patch || {})]);
    """
    for before, after, patch in PATCHES:
        found, made = json.loads(browser.run(script, json.dumps(before), json.dumps(after)))
        assert found == patch, (before, after)
        assert made == {name: each for name, each in after.items() if each is not None}, (before, after)


def test_a_twin_is_edited_and_a_change_of_somebody_else_loses_nothing(
    browser: Browser, console: ServedConsole, hub: HubProcess
) -> None:
    hub.new_device("edited")
    hub.ok(
        "PATCH", "/twins/edited", {"tags": {"a": 1, "b": 1}, "properties": {"desired": {"speed": 1, "mode": "slow"}}}
    )
    opened(browser, console, "/devices/edited")
    browser.one("#edit").click()
    write(browser, "#edit-desired", '{"speed": 2}')
    wait_for_text(browser, "#edit-line", """--desired '{"speed":2,"mode":null}' --etag """)
    hub.ok("PATCH", "/twins/edited", {"tags": {"a": 9}, "properties": {"desired": {"speed": 5}}})
    browser.wait_for("both", "return document.querySelectorAll('#conflict tbody tr').length === 2")
    rows = [each.text for each in browser.all("#conflict tbody tr")]
    assert "tags.a 1 9 1 not changed by you" in rows and "desired.speed 1 5 2 you change it, too" in rows
    assert not browser.one("#save").is_enabled()
    browser.one("#rebase").click()
    assert json.loads(browser.run("return document.querySelector('#edit-tags').value")) == {"a": 9, "b": 1}
    browser.one("#save").click()
    wait_for_text(browser, "#desired", '"speed": 2')
    twin = hub.ok("GET", "/twins/edited")
    desired = {name: each for name, each in twin["properties"]["desired"].items() if not name.startswith("$")}
    assert (twin["tags"], desired) == ({"a": 9, "b": 1}, {"speed": 2})


def test_a_change_that_the_page_has_not_seen_yet_is_not_overwritten(
    browser: Browser, console: ServedConsole, hub: HubProcess
) -> None:
    hub.new_device("raced")
    opened(browser, console, "/devices/raced")
    browser.one("#edit").click()
    write(browser, "#edit-tags", '{"mine": 1}')
    wait_for_text(browser, "#edit-line", "mine")
    hub.ok("PATCH", "/twins/raced", {"tags": {"theirs": 1}})
    browser.run("const save = document.querySelector('#save'); save.disabled = false; save.click()")
    browser.wait_for("both", "return document.querySelectorAll('#conflict tbody tr').length === 1")
    assert hub.ok("GET", "/twins/raced")["tags"] == {"theirs": 1}
    assert browser.run("return document.querySelector('#edit-tags').value") == '{"mine": 1}'
    assert all("409" in each["message"] for each in browser.log("browser"))


def test_a_device_is_called_is_sent_a_message_and_its_telemetry_is_drawn(
    browser: Browser, console: ServedConsole, hub: HubProcess
) -> None:
    hub.new_device("alive")
    with MqttDevice(hub, "alive", lambda name, payload: (207, {"said": MARKUP, "had": payload})):
        opened(browser, console, "/devices/alive")
        browser.wait_for("connected", "return document.querySelector('h1 .dot.on')")
        browser.one("#method").send_keys("reboot")
        write(browser, "#payload", '{"in": 5}')
        wait_for_text(browser, "[aria-labelledby=method-title] code", "--mn reboot --mp '{\"in\": 5}' --timeout 30")
        browser.one("#call").click()
        wait_for_text(browser, "#answer", "Status 207")
        assert json.loads(browser.one("#answer pre").text) == {"said": MARKUP, "had": {"in": 5}}
        browser.one("#message").send_keys("Grüße")
        write(browser, "#message-minutes", "5")
        browser.one('#message-ack option[value="full"]').click()
        wait_for_text(browser, "[aria-labelledby=message-title] code", " --ack full")
        browser.one("#send").click()
        wait_for_text(browser, "#sent", "The hub has it")
        browser.one("#watch").click()
        wait_for_text(browser, "#telemetry-state", "0 messages")
        for number in range(60):
            hub.ok("POST", "/devices/alive/messages/events", {"temp": number, "text": MARKUP})
        wait_for_text(browser, "#telemetry-state", "60 messages")
        browser.wait_for(
            "the chart",
            "return document.querySelector('figure polyline')?.getAttribute('points').split(' ').length === 60",
        )
    assert len(browser.all("#messages li")) == 50 and MARKUP.replace('"', '\\"') in browser.texts("#messages code")[0]
    assert browser.one("figure svg").get_attribute("aria-label") == "Chart of temp: 60 values, the last 59"


def test_a_device_is_created_shows_its_keys_when_asked_and_is_deleted_by_its_id(
    browser: Browser, console: ServedConsole, hub: HubProcess
) -> None:
    opened(browser, console, "/devices")
    browser.one("#new-device").click()
    browser.one("#new-id").send_keys("it's new")
    assert browser.one("dialog code").text == """az iot hub device-identity create -d 'it'"'"'s new'"""
    write(browser, "#new-id", "it's-new")
    browser.one("#create").click()
    browser.wait_for("its page", "return document.querySelector('h1')?.textContent === \"it's-new\"")
    key = hub.ok("GET", "/devices/it's-new")["authentication"]["symmetricKey"]["primaryKey"]
    assert key not in browser.driver.page_source
    browser.one("#keys").click()
    wait_for_text(browser, ".key code", key)
    browser.wait_for("its buttons", "return document.querySelector('[data-action=delete]')")
    browser.one("[data-action=delete]").click()
    assert not browser.one("#confirm").is_enabled()
    browser.one("#typed").send_keys("it's-new")
    browser.one("#confirm").click()
    browser.wait_for("the list", "return location.pathname === '/devices'")
    assert hub.request("GET", "/devices/it's-new").status_code == 404


def test_what_devices_say_is_text(browser: Browser, console: ServedConsole, hub: HubProcess) -> None:
    path = quote(ODD, safe="")
    if not hub.ok("GET", f"/devices/{path}/modules"):
        hub.ok("PUT", f"/devices/{path}/modules/{path}", {"deviceId": ODD, "moduleId": ODD})
    for page in (
        "/devices?q=SELECT%20*%20FROM%20devices%20WHERE%20IS_DEFINED(properties.desired.a)",
        f"/devices/{path}",
    ):
        opened(browser, console, page)
        browser.wait_for("its twin", "return document.body.textContent.includes('onerror')")
        made = browser.run("return document.querySelectorAll('main img, main script').length")
        assert made == 0 and browser.driver.title.split()[0] != "run"
    wait_for_text(browser, "#modules", ODD)
    browser.one("#modules a").click()
    browser.wait_for(
        "the module", f"return document.title.startsWith({json.dumps(ODD)}) && document.querySelector('#twin-title')"
    )


def test_who_may_only_look_changes_nothing(browser: Browser, hub: HubProcess, tmp_path: Path) -> None:
    with served(tmp_path, local=hub, is_read_only=True) as console:
        browser.open(console.console.sign_in_address)
        browser.wait_for("signed in", "return location.pathname === '/jobs'")
        opened(browser, console, "/devices/pump-000")
        browser.wait_for("read-only", "return document.querySelector('#call')?.disabled")
        for button in ("#edit", "#send", "#keys", "[data-action=delete]", "#create-module"):
            assert browser.run("return document.querySelector(arguments[0]).disabled", button), button
        browser.driver.get("about:blank")


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not here: npm install in requirements/node")
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1600, "light")])
def test_everybody_can_use_the_pages(browser: Browser, console: ServedConsole, width: int, scheme: str) -> None:
    browser.resize(width)
    for page in ("/devices", f"/devices/{quote(ODD, safe='')}"):
        opened(browser, console, page, scheme)
        if edit := browser.all("#edit"):
            edit[0].click()
        browser.run(AXE.read_text(encoding="utf-8"))
        found = browser.driver.execute_async_script(
            "axe.run().then(found => arguments[0](found.violations.map(each => `${each.id} ${each.nodes[0].target}`)))"
        )
        assert found == [], page
        assert browser.run("return document.documentElement.scrollWidth") <= width
