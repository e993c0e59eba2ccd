"""What an open page of the console costs a hub whose devices send a thousand messages a second, and the page itself.

A local hub, devices that each send a message a second, the console and Chromium are processes of their own, on the same
machine. First the devices send without the console; then windows are opened that each watch what a device sends. Every
some seconds each of these is looked at:
  hub       messages that it has acknowledged in a second, beside those without a page; its memory
  console   its memory and its share of a core
  browser   the memory of the page's scripts; the longest that the first window did not come to its timer, which
            ticks 20 times a second; how long a click takes until it is drawn

Memory is flat if the last third of the samples is not above the first third but for a little.

Run: make .stamps/extension && .venv/bin/python benchmarks/console.py [--minutes 10] [--devices 1000] [--windows 1]
With --short it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.hub import HubUnderLoad, cpu_s, create, memory_mb  # noqa: E402
from benchmarks.row import Row  # noqa: E402
from tests.helpers.browser import WHY_NOT, Browser, chromium, opened  # noqa: E402
from tests.helpers.simulator_process import SimulatorProcess  # noqa: E402

EXTENSIONS = REPOSITORY / ".az" / "extensions"
BODY = '{"temperature": 21.5, "humidity": 40}'
INTERVAL_S = 1.0  # between two messages of a device
RAMP_PER_S = 200
CONNECT_LIMIT_S = 240.0
WARM_UP_S = 30.0  # before the first sample, so that what is made once is there
THROUGHPUT_GOAL, GROWTH_GOAL, CLICK_GOAL_MS = 0.95, 1.10, 200.0
TICKS = """
window.longest = 0;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  window.longest = Math.max(window.longest, now - last - 50);
  last = now;
}, 50);
"""
LOOK = """
const done = arguments[0];
const longest = window.longest;
window.longest = 0;
const began = performance.now();
const pause = document.querySelector('#watch + button');
pause.click();
requestAnimationFrame(() => setTimeout(() => {
  const click = performance.now() - began;
  pause.click();
  const memory = performance.memory.usedJSHeapSize / 1048576;
  done({ longest, click, memory, messages: document.querySelectorAll('#messages li').length });
}, 0));
"""


class Sample(NamedTuple):
    """What was seen at one moment."""

    acknowledged_per_s: float  # since the sample before
    hub_mb: float
    console_mb: float
    console_share: float  # of a core
    page_mb: float
    longest_ms: float
    click_ms: float
    messages: int  # that the first window shows


@dataclass
class Rate:
    """How many messages are acknowledged in a second, from one look to the next."""

    fleet: SimulatorProcess
    count: int = 0
    at: float = 0.0

    def next(self) -> float:
        count, now = int(self.fleet.counts()["seen"].get("acknowledged", 0)), time.monotonic()
        rate = (count - self.count) / (now - self.at)
        self.count, self.at = count, now
        return rate


@contextmanager
def sending(hub: HubUnderLoad, ids: list[str], messages: int) -> Iterator[SimulatorProcess]:
    """All devices connected, each sending."""
    parts = dict(part.partition("=")[::2] for part in hub.local.connection_string.split(";"))
    with SimulatorProcess(
        host=hub.local.device_host_name,
        httpsPort=hub.local.https_port,
        mqttPort=hub.local.mqtt_port,
        ca=hub.local.ca_certificate_path,
        policy=parts["SharedAccessKeyName"],
        key=parts["SharedAccessKey"],
        ids=ids,
        rampPerSecond=RAMP_PER_S,
        messages=messages,
        intervalSeconds=INTERVAL_S,
        text=BODY,
    ) as fleet:
        until = time.monotonic() + CONNECT_LIMIT_S
        while (ready := fleet.counts()["ready"]) < len(ids):
            assert time.monotonic() < until, f"{ready} of {len(ids)} devices are connected"
            time.sleep(0.2)
        yield fleet


@contextmanager
def console(hub: HubUnderLoad, folder: Path) -> Iterator[tuple[int, str]]:
    """The console as a command of az; gives the id of its process, and its address with the token."""
    extensions = os.environ.get("AZURE_EXTENSION_DIR", str(EXTENSIONS))
    environment = {**os.environ, **hub.local.environment(), "AZURE_EXTENSION_DIR": extensions}
    environment["AZURE_CORE_COLLECT_TELEMETRY"] = "no"
    words = "-m azure.cli iot hub console --port 0 --only-show-errors -o json".split()
    process = subprocess.Popen([sys.executable, *words], env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or lines[-1].strip() != "}":
            line = process.stdout.readline()
            assert line, "the console has ended"
            lines.append(line)
        yield process.pid, json.loads("".join(lines))["url"]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def watch(browser: Browser, address: str, ids: list[str]) -> None:
    """A window for each of some devices, which watches what that sends; the first is the one that is measured."""
    driver = browser.driver
    browser.open(address)
    browser.wait_for("signed in", "return location.pathname === '/jobs'")
    first = driver.current_window_handle
    for number, each in enumerate(ids):
        if number:
            driver.switch_to.new_window("window")
        driver.get(f"{address.partition('#')[0]}devices/{each}")
        browser.wait_for("the page of a device", "return document.querySelector('#watch') !== null")
        browser.one("#watch").click()
        browser.wait_for("its messages", "return document.querySelector('#messages code') !== null")
    driver.switch_to.window(first)
    browser.run(TICKS)
    driver.set_script_timeout(60)


def looked(rate: Rate, hub: HubUnderLoad, console_pid: int, browser: Browser, every_s: float) -> Sample:
    """A sample, once its time has passed."""
    cpu, began = cpu_s(console_pid), time.monotonic()
    time.sleep(every_s)
    share = (cpu_s(console_pid) - cpu) / (time.monotonic() - began)
    browser.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})  # else its memory is a saw
    page = browser.driver.execute_async_script(LOOK)
    return Sample(
        acknowledged_per_s=rate.next(),
        hub_mb=memory_mb(hub.pid),
        console_mb=memory_mb(console_pid),
        console_share=share,
        page_mb=page["memory"],
        longest_ms=page["longest"],
        click_ms=page["click"],
        messages=page["messages"],
    )


def without_page(rate: Rate, seconds: float, every_s: float) -> list[float]:
    """Messages acknowledged in a second, sample by sample."""
    rate.next()
    rates = []
    for _ in range(max(1, round(seconds / every_s))):
        time.sleep(every_s)
        rates.append(rate.next())
    return rates


def with_page(
    rate: Rate, hub: HubUnderLoad, folder: Path, ids: list[str], seconds: float, every_s: float, warm_up_s: float
) -> list[Sample]:
    """Samples while windows watch these devices."""
    programs = chromium()
    assert programs is not None
    with console(hub, folder) as (pid, address), opened(programs, folder / "browser") as browser:
        watch(browser, address, ids)
        time.sleep(warm_up_s)
        browser.driver.execute_async_script(LOOK)
        rate.next()
        return [looked(rate, hub, pid, browser, every_s) for _ in range(max(3, round(seconds / every_s)))]


def growth(values: list[float]) -> float:
    """The last third of some figures over the first third, by their medians."""
    third = len(values) // 3
    return statistics.median(values[-third:]) / statistics.median(values[:third])


def tell(alone: list[float], samples: list[Sample]) -> None:
    """The figures, and what they come to beside the goals."""
    columns = {name: [getattr(each, name) for each in samples] for name in Sample._fields}
    say(f"messages in the window {columns.pop('messages')[-1]:.0f}")
    say(f"{'':24} {'first':>9} {'median':>9} {'last':>9} {'most':>9}")
    for name, values in columns.items():
        shown = values[0], statistics.median(values), values[-1], max(values)
        say(f"{name.replace('_', ' '):24} " + " ".join(f"{each:9.2f}" for each in shown))
    rates = statistics.mean(alone), statistics.mean(columns["acknowledged_per_s"])
    say(f"acknowledged in a second without a page {rates[0]:.0f}, with it {rates[1]:.0f}")
    goal("messages with a page / without", rates[1] / rates[0], THROUGHPUT_GOAL, is_least=True)
    for name in ("hub_mb", "console_mb", "page_mb"):
        goal(f"{name}, last third / first third", growth(columns[name]), GROWTH_GOAL)
    goal("a click until it is drawn, median, ms", statistics.median(columns["click_ms"]), CLICK_GOAL_MS)


def goal(what: str, reached: float, wanted: float, *, is_least: bool = False) -> None:
    """A line as the other benchmarks have it."""
    fits = reached >= wanted if is_least else reached <= wanted
    bound = "at least" if is_least else "at most"
    say(f"goal {what:44} {bound} {wanted:7.2f}   reached {reached:8.2f}   {'yes' if fits else 'NO'}")


def say(line: str) -> None:
    """One line of figures."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Length(NamedTuple):
    """How long, and with how many devices."""

    seconds: float  # with the page; half of it without
    every_s: float
    warm_up_s: float
    devices: int


SHORT = Length(3.0, 1.0, 1.0, 20)
OF_PAGE = Length(60.0, 10.0, WARM_UP_S, 1000)


def measure(length: Length, windows: int) -> tuple[list[float], list[Sample]]:
    """Messages acknowledged in a second without a page; and samples with windows that each watch a device."""
    ids = [f"bench-{number:05}" for number in range(length.devices)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hub = HubUnderLoad(folder / "hub")
        try:
            create(hub, ids)
            with sending(hub, ids, messages=round(length.seconds * 3 + 600)) as fleet:
                rate = Rate(fleet)
                alone = without_page(rate, length.seconds / 2, length.every_s)
                watched = ids[:windows]
                return alone, with_page(rate, hub, folder, watched, length.seconds, length.every_s, length.warm_up_s)
        finally:
            hub.local.close()


def rows(_wanted: set[str], is_short: bool) -> Iterator[Row]:
    """For the page of all benchmarks: what the hub still acknowledges while somebody watches."""
    length = SHORT if is_short else OF_PAGE
    what = f"messages of {length.devices:,} devices that the hub acknowledges while a page of the console watches one"
    if chromium() is None:
        yield Row("console_page", what, "messages/s", None, notes=(WHY_NOT,))
        return
    alone, samples = measure(length, windows=1)
    click_ms = statistics.median(each.click_ms for each in samples)
    yield Row(
        "console_page",
        what,
        "messages/s",
        statistics.mean(each.acknowledged_per_s for each in samples),
        floor=statistics.mean(alone),
        floor_is="the same without a page",
        notes=(f"a click is drawn after {click_ms:.0f} ms",),
    )


def main() -> None:
    """Measure, and compare with the goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0, help="with the page; half of it without")
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--windows", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="with so few that it takes some seconds")
    arguments = parser.parse_args()
    if chromium() is None:
        say(f"{WHY_NOT}. Nothing is measured.")
        return
    length = SHORT if arguments.short else Length(arguments.minutes * 60, 10.0, WARM_UP_S, arguments.devices)
    tell(*measure(length, arguments.windows))
    say(f"load {' '.join(f'{each:.1f}' for each in os.getloadavg())} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
