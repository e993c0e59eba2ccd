"""A real browser, Chromium, without a window and without a network of its own."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.helpers.waiting import LIMIT_S, wait_until

WHY_NOT = "Chromium and its driver are not here: chromium, chromedriver"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync "
    "--no-first-run --disable-dev-shm-usage"
)


def chromium() -> tuple[str, str] | None:
    """The programs of the browser and of its driver; None: they are not both here."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    driver = shutil.which("chromedriver")
    return None if browser is None or driver is None else (browser, driver)


class Browser:
    """One window."""

    def __init__(self, driver: webdriver.Chrome, folder: Path) -> None:
        self.driver = driver
        self.downloads = folder / "downloads"
        self.driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(self.downloads)}
        )

    def open(self, address: str, scheme: str = "light", media: str = "") -> None:
        """Open a page as somebody sees it who prefers a color scheme; media: "print" for how it is printed."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        self.log("performance")  # what was before
        self.driver.get(address)

    def resize(self, width: int, height: int = 900) -> None:
        """As wide as a phone, or as a desk's screen."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def run(self, script: str, *arguments: object) -> Any:
        """What a script gives that is run in the page."""
        return self.driver.execute_script(script, *arguments)

    def log(self, kind: str) -> list[dict[str, Any]]:
        """What has come into a log of the browser since it was read last. kind: "browser" or "performance"."""
        driver: Any = self.driver  # Selenium says no types of its logs
        return list(driver.get_log(kind))

    def one(self, selector: str) -> WebElement:
        """The first element that a CSS selector finds, once there is one."""
        found = WebDriverWait(self.driver, LIMIT_S).until(lambda _: self.all(selector), f"not seen: {selector}")
        return found[0]

    def all(self, selector: str) -> list[WebElement]:
        """Every element that a CSS selector finds."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """The texts of all that a selector finds, shown or not."""
        found: list[str] = self.run(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector
        )
        return found

    def wait_for(self, what: str, script: str) -> None:
        """Wait until a script gives a true value."""
        WebDriverWait(self.driver, LIMIT_S).until(lambda _: self.run(script), f"not seen: {what}")

    def downloaded(self, click: WebElement) -> Path:
        """The file that a click downloads; it is not empty."""
        for earlier in self._whole():
            earlier.unlink()
        click.click()
        wait_until("a file is downloaded", self._whole)
        (file,) = self._whole()
        return file

    def _whole(self) -> set[Path]:
        # While a file is downloaded into another one, an empty one has its name.
        files = list(self.downloads.glob("*"))
        is_under_way = any(each.suffix == ".crdownload" for each in files)
        return set() if is_under_way else {each for each in files if each.stat().st_size}


@contextmanager
def opened(programs: tuple[str, str], folder: Path) -> Iterator[Browser]:
    """A browser whose profile is in `folder`, until the end."""
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for flag in (*FLAGS.split(), f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs[1]))
    try:
        driver.set_page_load_timeout(LIMIT_S)
        yield Browser(driver, folder)
    finally:
        driver.quit()
