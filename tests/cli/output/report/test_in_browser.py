"""The HTML page in Chromium: it filters, sorts, pages and downloads, it loads nothing, and everyone can read it."""

import csv
import io
import json
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from azext_iotjobs.cli.output.csv_cells import cell
from azext_iotjobs.cli.output.report.texts import visible
from azext_iotjobs.model.report import Fact
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from tests.helpers.browser import Browser, chromium, opened
from tests.helpers.reports import HOSTILE, failed, hostile, mixed, rendered, report, result, rows_of
from tests.helpers.short_form import IN_FULL

MANY = 100_000 if IN_FULL else 5_000
CHECKS = Path(__file__).parents[3].joinpath("helpers", "page_checks.js").read_text(encoding="utf-8")
CHROMIUM = chromium()

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium and its driver are not here: chromium, chromedriver")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests; each opens its own page."""
    assert CHROMIUM is not None
    with opened(CHROMIUM, tmp_path_factory.mktemp("browser")) as window:
        yield window


def page(folder: Path, results: Sequence[DeviceResult], *facts: Fact) -> str:
    """The address of the page of a run."""
    file = folder / "report.html"
    text = rendered("html", results, report(max((each.batch or 1 for each in results), default=1), facts=facts))
    file.write_text(text, encoding="utf-8")
    return file.as_uri()


@pytest.fixture
def mixed_page(browser: Browser, tmp_path: Path) -> Browser:
    """The page of 200 devices, opened."""
    browser.resize(1280)
    browser.open(page(tmp_path, list(mixed(200))))
    return browser


def ids(*numbers: int) -> list[str]:
    return [f"pump-{number:05}" for number in numbers]


FAILED = sorted((*range(1, 200, 10), *range(2, 200, 10)))
IN_ORDER = ids(*FAILED, 3, 4, 5, 6, *(n for n in range(200) if n not in FAILED and n not in range(3, 7)))


def device_ids(browser: Browser) -> list[str]:
    return browser.texts("#body th")


def choose(browser: Browser, facet: str, value: str) -> None:
    browser.one(f'select[data-facet="{facet}"] option[value="{value}"]').click()


# -- what it does ------------------------------------------------------------------------------------------------------


def test_it_shows_a_page_of_devices_what_failed_first_and_says_how_many_there_are(mixed_page: Browser) -> None:
    assert device_ids(mixed_page) == IN_ORDER[:50]
    assert mixed_page.one("#shown").text == "200 devices, 1 to 50 shown"
    assert mixed_page.texts(".tiles .number") == ["200", "156", "40", "1", "3"]


def test_pages_are_turned_and_may_be_longer(mixed_page: Browser) -> None:
    mixed_page.one("#next").click()
    assert device_ids(mixed_page)[0] == IN_ORDER[50] and mixed_page.one("#page").text == "Page 2 of 4"
    mixed_page.one("#last").click()
    assert device_ids(mixed_page)[-1] == "pump-00199"
    assert not mixed_page.one("#next").is_enabled() and mixed_page.one("#previous").is_enabled()
    mixed_page.one("#size option:nth-child(4)").click()
    assert len(device_ids(mixed_page)) == 200 and mixed_page.one("#page").text == "Page 1 of 1"


def test_a_search_finds_any_text_in_any_column(mixed_page: Browser) -> None:
    mixed_page.one("#find").send_keys("NO ROOM")
    mixed_page.wait_for("the search is done", "return document.getElementById('shown').textContent.startsWith('20 of')")
    assert device_ids(mixed_page) == ids(*range(2, 200, 10))
    mixed_page.one("#clear").click()
    assert mixed_page.one("#shown").text == "200 devices, 1 to 50 shown"


def test_filters_hold_together(mixed_page: Browser) -> None:
    choose(mixed_page, "errorClass", "offline")
    assert mixed_page.one("#shown").text == "20 of 200 devices"
    choose(mixed_page, "batch", "7")
    assert device_ids(mixed_page) == ["pump-00061"]
    choose(mixed_page, "status", "completed")
    assert device_ids(mixed_page) == [] and mixed_page.one("#shown").text == "None of 200 devices fits the filters"
    assert not mixed_page.one("#download").is_enabled()


def test_a_class_and_a_batch_lead_to_their_devices(mixed_page: Browser) -> None:
    mixed_page.one('#reasons [data-value="rejected"] button').click()
    assert mixed_page.one("#shown").text == "20 of 200 devices"
    mixed_page.one('#sections [data-value="3"] button').click()
    assert device_ids(mixed_page) == ids(21, 22, 20, *range(23, 30))


def test_a_header_sorts_up_then_down_then_not_at_all_by_keyboard(mixed_page: Browser) -> None:
    head = mixed_page.one('th[data-name="deviceId"]')
    assert head.get_attribute("aria-sort") == "none"
    button = mixed_page.one('th[data-name="deviceId"] button')
    orders = []
    for _ in range(3):
        button.send_keys(Keys.ENTER)
        orders.append((head.get_attribute("aria-sort"), device_ids(mixed_page)[0]))
    assert orders == [("ascending", "pump-00000"), ("descending", "pump-00199"), ("none", "pump-00001")]


def test_numbers_are_sorted_as_numbers_and_what_is_empty_stays_at_the_end(browser: Browser, tmp_path: Path) -> None:
    tries = [result(number, tries=count, batch=1) for number, count in enumerate((10, 9, None, 1))]
    browser.open(page(tmp_path, tries))
    button = browser.one('th[data-name="tries"] button')
    button.click()
    assert device_ids(browser) == ["pump-00003", "pump-00001", "pump-00000", "pump-00002"]
    button.click()
    assert device_ids(browser) == ["pump-00000", "pump-00001", "pump-00003", "pump-00002"]


def test_a_device_opens_to_all_that_is_known_of_it_by_keyboard(mixed_page: Browser) -> None:
    button = mixed_page.one("#body tr:nth-child(2) th button")
    button.send_keys(Keys.SPACE)
    assert mixed_page.run("return document.activeElement.getAttribute('aria-expanded')") == "true"
    known = dict(zip(mixed_page.texts(".more dt"), mixed_page.texts(".more dd"), strict=True))
    assert (known["Payload"], known["Method status"]) == ('{"error": "no room"}', "500")
    mixed_page.driver.switch_to.active_element.send_keys(Keys.SPACE)
    assert mixed_page.texts("tr.more") == []


# -- CSV ---------------------------------------------------------------------------------------------------------------


def test_the_download_has_the_devices_that_are_filtered_with_every_column(mixed_page: Browser) -> None:
    choose(mixed_page, "errorClass", "rejected")
    file = mixed_page.downloaded(mixed_page.one("#download"))
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"), newline="")))
    wanted = [row for row in rows_of(mixed(200)) if row["errorClass"] == "rejected"]
    assert rows == [{name: cell(row[name]) for name in rows[0]} for row in wanted]
    assert {name for row in wanted for name, value in row.items() if value is not None} <= set(rows[0])


def test_no_spreadsheet_runs_what_a_device_sent(browser: Browser, tmp_path: Path) -> None:
    texts = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "''=1", 'a"b,c\nd', "plain", "1.5")
    browser.open(
        page(
            tmp_path, [failed(0, ErrorClass.OTHER, device_id=f"d{n}", error_text=each) for n, each in enumerate(texts)]
        )
    )
    file = browser.downloaded(browser.one("#download"))
    rows = list(csv.DictReader(io.StringIO(file.read_bytes().decode(), newline="")))
    assert [row["errorText"] for row in rows] == [cell(each) for each in texts[:6]] + list(texts[6:])
    assert not [row for row in rows if row["errorText"].startswith(("=", "+", "-", "@", "\t"))]


# -- what it must not do -----------------------------------------------------------------------------------------------


def requests_of(browser: Browser) -> list[str]:
    logged = (json.loads(each["message"])["message"] for each in browser.log("performance"))
    return [each["params"]["request"]["url"] for each in logged if each["method"] == "Network.requestWillBeSent"]


def test_no_request_leaves_the_page_whatever_devices_sent(browser: Browser, tmp_path: Path) -> None:
    address = page(tmp_path, hostile(), *(Fact(kind, text[:2_000]) for kind, text in HOSTILE.items()))
    browser.open(address)
    for button in browser.driver.find_elements("css selector", "#body th button"):
        browser.run("arguments[0].click()", button)
    assert len(browser.texts("#body tr.more")) == len(HOSTILE), "each device is open"
    assert requests_of(browser) == [address]
    assert [each for each in browser.log("browser") if each["level"] == "SEVERE"] == []


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_a_device_sent_is_text(browser: Browser, tmp_path: Path, kind: str) -> None:
    text = HOSTILE[kind]
    browser.open(page(tmp_path, [failed(0, ErrorClass.OTHER, error_text=text, payload=text)], Fact("said", text)))
    browser.one("#body th button").click()
    assert browser.driver.title == "Run 2 of fleet job fw-7: completed"
    known = dict(zip(browser.texts(".more dt"), browser.texts(".more dd"), strict=True))
    shown = visible(text)
    assert known["Payload"] == known["Error text"]
    assert known["Payload"] == shown or (known["Payload"].endswith("(cut: 1,000,000 characters)") and kind == "long")
    assert browser.texts(".facts dd")[-1].startswith(shown[:1_000])
    assert browser.run("return document.querySelectorAll('img, iframe, a[href^=http], main script').length") == 0


def test_the_policy_stops_what_would_get_in_anyway(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(tmp_path, [result(0)]))
    browser.run(
        "for (const [name, value] of [['img', 'http://127.0.0.1:9/a.png'], ['script', 'document.title = 1']]) {"
        "  const made = document.createElement(name);"
        "  if (name === 'img') made.src = value; else made.textContent = value;"
        "  document.body.append(made);"
        "}"
        "document.body.insertAdjacentHTML('beforeend', '<p id=styled style=\"color: red\">x</p>')"
    )
    assert browser.driver.title != "1"
    assert browser.run("return getComputedStyle(document.getElementById('styled')).color") != "rgb(255, 0, 0)"
    refused = [each["message"] for each in browser.log("browser") if "Content Security Policy" in each["message"]]
    assert len(refused) >= 2


# -- for everyone ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 380])
def test_it_is_readable_and_named_for_everyone(browser: Browser, tmp_path: Path, scheme: str, width: int) -> None:
    browser.resize(width)
    browser.open(page(tmp_path, [*mixed(60), *hostile()], Fact("description", "x" * 300)), scheme)
    browser.one("#body th button").click()
    assert browser.run(CHECKS) == []


def test_the_checks_find_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(tmp_path, [result(0)]))
    browser.run(
        "document.body.insertAdjacentHTML('beforeend', '<h4>x</h4><button></button><table><tbody><tr><td>x</td></tr>')"
    )
    found = " ".join(browser.run(CHECKS))
    assert all(each in found for each in ("level jumps", "without a name", "without a caption", "row without a header"))


def test_it_is_light_or_dark_as_the_reader_prefers(browser: Browser, tmp_path: Path) -> None:
    address = page(tmp_path, [result(0)])
    shades = []
    for scheme in ("light", "dark"):
        browser.open(address, scheme)
        color = browser.run("return getComputedStyle(document.body).backgroundColor")
        shades.append(sum(map(int, re.findall(r"\d+", color))) / 3)
    assert shades[0] > 200 and shades[1] < 50


def test_printed_it_has_no_controls_and_all_devices_up_to_a_thousand(mixed_page: Browser) -> None:
    printed = b64decode(mixed_page.driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert printed.startswith(b"%PDF")
    mixed_page.run("dispatchEvent(new Event('beforeprint'))")
    assert len(device_ids(mixed_page)) == 200
    mixed_page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not any(mixed_page.one(each).is_displayed() for each in ("#filters", "#download", "#pages"))
    mixed_page.run("dispatchEvent(new Event('afterprint'))")
    assert len(device_ids(mixed_page)) == 50


A4_PX = 718  # 210 mm at 96 px an inch, without the browser's margins


def test_printed_nothing_is_wider_than_the_paper(browser: Browser, tmp_path: Path) -> None:
    browser.resize(A4_PX)
    browser.open(page(tmp_path, list(mixed(200))), media="print")
    assert browser.run("return document.documentElement.scrollWidth") <= A4_PX


@pytest.mark.parametrize("width", [1100, 1280])
def test_no_table_has_to_be_scrolled_in_the_window_of_a_desk(browser: Browser, tmp_path: Path, width: int) -> None:
    browser.resize(width)
    browser.open(page(tmp_path, list(mixed(200))))
    scrolled = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).length"
    assert browser.run(f"return {scrolled}") == 0


def test_without_scripts_all_but_the_table_of_results_is_there(browser: Browser, tmp_path: Path) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open(page(tmp_path, list(mixed(30))))
        shown = browser.one("body").text
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "needs JavaScript" in shown and "batch 3" in shown and "was not connected" in shown
    assert "Search" not in shown and "Download" not in shown


# -- many devices ------------------------------------------------------------------------------------------------------


def test_it_works_for_as_many_devices_as_a_rollout_has(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(tmp_path, [result(number, batch=1 + number * 8 // MANY) for number in range(MANY)]))
    assert browser.one("#shown").text.startswith(f"{MANY:,} devices")
    browser.one('th[data-name="finished"] button').click()
    browser.one('th[data-name="finished"] button').click()
    assert device_ids(browser)[0] == f"pump-{MANY - 1:05}"
    browser.one("#find").send_keys(f"pump-{MANY - 2:05}")
    browser.wait_for("one is found", "return document.getElementById('body').rows.length === 1")
    assert browser.run("return document.querySelectorAll('*').length") < 2_000, "rows are made for one page alone"
