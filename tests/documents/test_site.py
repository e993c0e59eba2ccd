"""The site as `make site` makes it, opened from the disk: no warning or broken link, a search, no request elsewhere."""

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.helpers.az import REPOSITORY
from tests.helpers.browser import Browser, chromium, opened
from tests.helpers.short_form import IN_FULL

PYTHON = REPOSITORY / ".venv-site" / "bin" / "python"
AXE = REPOSITORY / "requirements" / "node" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = chromium()
OPEN = "return getComputedStyle(document.body).backgroundColor"

pytestmark = [
    pytest.mark.skipif(not IN_FULL, reason="it takes a quarter of a minute of computing: in make torture"),
    pytest.mark.skipif(not PYTHON.exists(), reason="make site has not made .venv-site"),
]
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium and chromedriver are not here")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, made anew without a warning."""
    folder = tmp_path_factory.mktemp("made") / "site"
    build = [str(PYTHON), str(REPOSITORY / "docs" / "site" / "build.py"), str(folder)]
    made = subprocess.run(build, capture_output=True, text=True, check=False, timeout=600)
    assert (made.returncode, made.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert CHROMIUM is not None
    with opened(CHROMIUM, tmp_path_factory.mktemp("browser")) as window:
        yield window


class Page(HTMLParser):
    """Where a page leads, what it loads, and the places in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.meta: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given["id"]} if "id" in given else set()
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.loaded += [given[name] for name in ("src", "srcset") if name in given]
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload", "prefetch"):
            self.loaded.append(given["href"])
        if tag == "meta" and "name" in given:
            self.meta[given["name"]] = given["content"]


@cache
def page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def every_page(site: Path) -> list[Path]:
    found = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    assert len(found) > 40
    return found


def test_every_link_leads_to_a_page_and_a_place_in_it_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    checked = 0
    for path in every_page(site):
        for link in page(path).links:
            parts = urlsplit(link)
            if parts.scheme:
                assert parts.scheme == "https" and parts.netloc, f"{path.name}: {link}"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.name}: {link}"
            assert not parts.fragment or unquote(parts.fragment) in page(target).places, f"{path.name}: {link}"
            checked += 1
        for each in page(path).loaded:
            assert not urlsplit(each).netloc and (path.parent / urlsplit(each).path).is_file(), f"{path.name}: {each}"
    assert checked > 2000


def test_every_page_says_the_version_and_has_a_description(site: Path) -> None:
    (version,) = re.findall(r'^VERSION = "(.+)"$', (REPOSITORY / "azext_iotjobs/_version.py").read_text("utf-8"), re.M)
    for path in every_page(site):
        text = path.read_text(encoding="utf-8")
        (title,) = re.findall(r"<title>(.+?)</title>", text, re.DOTALL)
        assert f"iotjobs {version}" in title and f"iotjobs {version}</p>" in text, path.name
        written_by_us = path.name not in ("search.html", "history.html")
        assert not written_by_us or page(path).meta["description"], path.name


def requested(browser: Browser) -> list[str]:
    """The addresses of what the browser has requested since it opened the page."""
    messages = [json.loads(each["message"])["message"] for each in browser.log("performance")]
    return [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]


@in_chromium
def test_a_search_finds_an_option_and_leads_to_where_it_is_described(site: Path, browser: Browser) -> None:
    browser.resize(1280)
    browser.open((site / "index.html").as_uri())
    browser.one(".search-button__button").click()
    browser.wait_for("where to type", "return document.querySelector('dialog[open] input[type=search]')")
    field = browser.one("dialog[open] input[type=search]")
    field.send_keys("cancellation-threshold")
    field.submit()
    browser.wait_for("what was found", "return document.querySelectorAll('#search-results li a').length > 1")
    found = browser.texts("#search-results li a")
    assert any("fleet-job" in each or "Fleet jobs" in each for each in found)
    browser.one("#search-results li a").click()
    browser.wait_for(
        "the page", "return !location.pathname.endsWith('search.html') && document.readyState == 'complete'"
    )
    assert "cancellation-threshold" in browser.one("article").text
    requests = requested(browser)
    assert len(requests) > 10 and all(each.startswith(("file:", "data:")) for each in requests)
    assert [each for each in browser.log("browser") if each["level"] == "SEVERE"] == []


@in_chromium
def test_sections_are_reached_by_the_links_above_every_page(site: Path, browser: Browser) -> None:
    browser.resize(1280)
    browser.open((site / "index.html").as_uri())
    seen = []
    for name in [each.strip() for each in browser.texts(".bd-header .nav-link.nav-internal")]:
        (link,) = [each for each in browser.all(".bd-header .nav-link.nav-internal") if each.text == name]
        link.click()
        browser.wait_for(name, f"return document.querySelector('h1').textContent.startsWith({name!r})")
        seen.append(name)
    assert list(dict.fromkeys(seen)) == ["Tutorials", "How-to guides", "Reference", "Explanation", "Contributing"]


@in_chromium
def test_it_is_light_or_dark_as_the_system_is_until_somebody_chooses(site: Path, browser: Browser) -> None:
    address = (site / "explanation" / "how-runs-survive.html").as_uri()
    browser.resize(1280)
    browser.open(address, scheme="light")
    light = browser.run(OPEN)
    browser.open(address, scheme="dark")
    dark = browser.run(OPEN)
    assert brightness(light) > 200 and brightness(dark) < 60
    browser.one(".theme-switch-button").click()
    browser.wait_for(
        "what can be chosen", "return document.querySelector('.theme-switch-container .dropdown-menu.show')"
    )
    browser.one('.theme-change-button[data-mode="light"]').click()
    browser.wait_for("light", f"return (() => {{ {OPEN} }})() == {light!r}")
    browser.run("localStorage.clear()")


def brightness(color: str) -> float:
    red, green, blue = (int(each) for each in re.findall(r"\d+", color)[:3])
    return (red + green + blue) / 3


@in_chromium
def test_no_page_is_wider_than_a_phone(site: Path, browser: Browser) -> None:
    browser.resize(390, 844)
    for path in every_page(site):
        browser.open(path.as_uri())
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), path.name


@in_chromium
def test_pages_are_read_and_left_without_javascript(site: Path, browser: Browser) -> None:
    browser.resize(1280)
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open((site / "reference" / "exit-codes.html").as_uri())
        assert browser.one("article table").is_displayed() and "an error" in browser.one("article table").text
        assert browser.one(".bd-links a").is_displayed()
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@in_chromium
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not here: npm install in requirements/node")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_people_with_disabilities_can_use_it(site: Path, browser: Browser, scheme: str) -> None:
    browser.resize(1280)
    names = ("index", "how-to/fleet-jobs", "reference/commands/iot-hub-job", "explanation/azure-device-registry")
    for path in [site / f"{name}.html" for name in names]:
        browser.open(path.as_uri(), scheme=scheme)
        browser.run(AXE.read_text(encoding="utf-8"))
        found: list[dict[str, Any]] = browser.driver.execute_async_script(
            "const done = arguments[0]; axe.run().then(r => done(r.violations))"
        )
        serious = {
            each["id"]: [node["html"][:200] for node in each["nodes"]][:3]
            for each in found
            if each["impact"] in ("serious", "critical")
        }
        assert serious == {}, path.name
