"""Every benchmark still runs and says what it promises, each in a form of some seconds.

Figures that a busy machine changes mean nothing here; counts do.
"""

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.page import PARTS, Part, all_rows, chosen
from benchmarks.row import Row
from tests.helpers.az import EXTENSIONS, REPOSITORY
from tests.helpers.browser import WHY_NOT, chromium
from tests.helpers.official_sdks import SDK_PYTHON
from tests.helpers.stores import skip_without_postgres
from tests.helpers.surface import generator

FOLDER = REPOSITORY / "benchmarks"
PERFORMANCE = generator("performance_figures")
LIMIT_S = 600  # on a machine that does much else; by itself each takes some seconds
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it reads what processes use from /proc")
RUN_BY_OTHERS = {
    *("amqp_devices", "packet_devices", "fleet_job_run", "method_calls"),
    *("cli_peers", "machine", "mosquitto", "page_rows", "row"),
}


class Page(NamedTuple):
    """What the page printed and wrote."""

    lines: list[str]
    figures: dict[str, dict[str, Any]]
    about: dict[str, Any]


def output_of(name: str, *words: str) -> list[str]:
    """The lines that a benchmark prints; it has to end well."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), *words],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=REPOSITORY,
        env={**os.environ, "AZURE_EXTENSION_DIR": str(EXTENSIONS)},
    )
    assert done.returncode == 0, f"{name}:\n{done.stdout}\n{done.stderr}"
    return done.stdout.splitlines()


def number(pattern: str, lines: list[str]) -> float:
    """The one number of the one line that fits."""
    (found,) = [match for each in lines if (match := re.search(pattern, each))]
    return float(found[1])


def goals(lines: list[str]) -> dict[str, tuple[float, float]]:
    """What was to be reached, and what was."""
    pattern = r"goal (.+?) +(?:at (?:most|least) +)?([\d.]+) +reached +(-?[\d.]+) +(?:yes|NO)"
    found = [match for each in lines if (match := re.fullmatch(pattern, each))]
    return {match[1].strip(): (float(match[2]), float(match[3])) for match in found}


def test_no_benchmark_is_left_out() -> None:
    run_here = {name.removeprefix("test_the_benchmark_of_") for name in globals() if name.startswith("test_the_bench")}
    assert {each.stem for each in FOLDER.glob("*.py")} - RUN_BY_OTHERS == run_here
    assert {part.module for part in PARTS.values()} == run_here - {"page"}
    rows = [row for part in PARTS.values() for row in part.rows]
    assert len(rows) == len(set(rows)), "a row has one part"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of some parts in its short form: those that take little."""
    folder = tmp_path_factory.mktemp("page")
    asked = "snapshots,fixtures,verification,hub_methods"
    lines = output_of("page", "--short", "--folder", str(folder), "--rows", asked)
    figures = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    return Page(lines, figures, json.loads((folder / "bench-about.json").read_text(encoding="utf-8")))


@needs_proc
def test_the_benchmark_of_page(page: Page) -> None:
    assert page.lines[0].split() == ["row", "ours", "peer", "floor", "of", "peer", "of", "floor", "unit"]
    in_a_line = page.lines[-1]
    for said in (" cores, ", " GiB, ", f"Python {platform.python_version()}, az 2.", "load before ", ", after "):
        assert said in in_a_line
    for name, row in page.figures.items():
        assert [each for each in page.lines if each.split()[:1] == [name]], "each row is in the table"
        assert [each for each in page.lines if each.startswith(f"{name}: ")], "and said in words"
        assert row["ours"] > 0


@needs_proc
def test_bench_json_has_for_each_row_that_was_asked_for_its_figures_and_nothing_else(page: Page) -> None:
    of_parts = {row for name in ("snapshots", "fixtures", "verification") for row in PARTS[name].rows}
    assert set(page.figures) == of_parts | {"hub_methods"}
    for row in page.figures.values():
        assert list(row) == ["ours", "peer", "floor", "of_peer", "of_floor", "unit"]
        assert all(row[each] is None or isinstance(row[each], float) for each in list(row)[:-1])
        assert isinstance(row["unit"], str)
    assert set(page.about) == {"machine", "rows"} and set(page.about["rows"]) == set(page.figures)


def test_figures_of_another_run_take_the_place_of_older_ones_and_the_others_keep_their_machine() -> None:
    row = {"ours": 1.0, "peer": None, "floor": None, "of_peer": None, "of_floor": None, "unit": "s"}
    words = {"what": "it", "peer": "", "floor": "", "notes": []}
    kept: dict[str, Any] = {"runs": [], "rows": {}}
    for at, names in enumerate((["fixture_start", "snapshot_make"], ["snapshot_make"], ["fixture_start"])):
        about = {"machine": {"at": at}, "rows": dict.fromkeys(names, words)}
        kept = PERFORMANCE.taken_over(kept, dict.fromkeys(names, {**row, "ours": float(at)}), about)
    assert {name: (each["ours"], each["run"]) for name, each in kept["rows"].items()} == {
        "fixture_start": (2.0, 1),
        "snapshot_make": (1.0, 0),
    }
    assert kept["runs"] == [{"at": 1}, {"at": 2}], "a run of which nothing is left is forgotten"


def test_the_page_of_performance_has_the_committed_figures_and_says_what_each_row_is() -> None:
    found = PERFORMANCE.figures()
    written = PERFORMANCE.PAGE.read_text(encoding="utf-8")
    assert PERFORMANCE.page(found) == written, "run: python docs/generators/performance_figures.py"
    names = re.findall(r"`([a-z_0-9]+)(…?)`", written.partition("## What each row says")[2])
    for row in found["rows"]:
        assert any(row == name or (is_begun and row.startswith(name)) for name, is_begun in names) or (
            row.removesuffix("_cpu") != row or row.removesuffix("_paho") != row
        ), f"{row} is explained"


def test_a_ratio_is_ours_by_the_others() -> None:
    row = Row("calls", "calls", "calls/s", 50.0, peer=None, floor=200.0)
    assert row.figures() == {
        "ours": 50.0,
        "peer": None,
        "floor": 200.0,
        "of_peer": None,
        "of_floor": 0.25,
        "unit": "calls/s",
    }
    assert Row("calls", "calls", "calls/s", None, peer=1.0).of_peer is None


def test_rows_are_chosen_by_their_own_name_or_by_that_of_their_part() -> None:
    assert chosen(["hub_methods", "snapshots"]) == {"hub": {"hub_methods"}, "snapshots": set(PARTS["snapshots"].rows)}
    assert chosen([""]) == {name: set(part.rows) for name, part in PARTS.items() if not part.is_long}
    with pytest.raises(SystemExit, match="no row 'nothing'. Rows are: .*direct_calls|hub_methods"):
        chosen(["nothing"])


def test_a_part_that_fails_leaves_its_cells_empty_with_the_reason_and_the_others_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(PARTS, "broken", Part("no_such_module", ("broken",)))
    first, second = all_rows({"broken": {"broken"}, "snapshots": {"snapshot_make"}}, is_short=True)
    assert first.ours is None and first.notes == ("broken ended with 1: see what it said",)
    assert second.name == "snapshot_make" and second.ours is not None


def test_the_benchmark_of_cli() -> None:
    lines = output_of("cli", "1")
    typed = ("job show", "job create", "device-twin show", "invoke-device-method", "fleet-job show", "fleet-job list")
    commands = (*typed, "az iot -h", "az iot hub fleet-job -h", "Tab")
    for command in commands:
        for peer in ("floor", "ours", "stand-in"):
            pattern = rf"^{command} +{peer} +[\d.]+ s  / floor [\d.]+   computing ([\d.]+) s  / floor [\d.]+  of 1"
            assert number(pattern, lines) > 0
    assert sum("  goal 1.05: " in each for each in lines) == len(commands), "ours is judged, by command"


def test_the_benchmark_of_fixtures() -> None:
    lines = output_of("fixtures", "--short")
    for what in ("the first hub is ready", "hubs from the third are ready", "reset", "closed"):
        assert number(rf"^{what} +median ([\d.]+) s, best ", lines) > 0


def test_the_benchmark_of_snapshots() -> None:
    lines = output_of("snapshots", "--short")
    for what in ("made", "restored"):
        assert number(rf"^ +10 devices,  0\.\d MB, {what} +median +(\d+) ms, best ", lines) > 0


@needs_proc
@pytest.mark.skipif(chromium() is None, reason=WHY_NOT)
def test_the_benchmark_of_console() -> None:
    lines = output_of("console", "--short")
    assert number(r"^acknowledged in a second without a page (\d+), ", lines) > 0
    assert number(r"^messages in the window +(\d+)$", lines) > 0
    assert set(goals(lines)) == {
        "messages with a page / without",
        *(f"{name}, last third / first third" for name in ("hub_mb", "console_mb", "page_mb")),
        "a click until it is drawn, median, ms",
    }


@needs_proc
def test_the_benchmark_of_hub() -> None:
    lines = output_of("hub", "--short")
    of_devices = ("created in bulk", "connected, 20 in all", "twins by a job", "connected over AMQP", "deleted in bulk")
    of_calls = ("telemetry, QoS 1", "telemetry over AMQP", "methods by HTTP, 64 at once")
    for what, count in (*((each, 20) for each in of_devices), *((each, 200) for each in of_calls)):
        assert number(rf"^{what} +(\d+) in +[\d.]+ s +\d+/s  hub +\d+ us each", lines) == count
    answered = [each for each in lines if "succeeded 20, devices answered 20" in each]
    assert len(answered) == 2, "a method job over all runs twice, and every device is called by it"
    assert number(r"connected (\d+), lost 0$", lines) == 20
    assert not any("LOST" in each for each in lines)
    assert number(r"^stopped with its devices connected +exit (\d+) in .* up again in ", lines) == 0


@needs_proc
def test_the_benchmark_of_direct_calls() -> None:
    lines = output_of("direct_calls", "--short")
    for client in ("bare", "run", "invoke"):
        assert number(rf"^{client} +60 calls, 10 at once +(\d+)/s  client +\d+ us each", lines) > 0
    assert sum(" us each  of bare " in each for each in lines) == 2
    assert set(goals(lines)) == {f"{client}, 10 at once: of the bare client's" for client in ("run", "invoke")}


@needs_proc
def test_the_benchmark_of_events() -> None:
    lines = output_of("events", "--short")
    readings = ("one consumer, first reading", "one consumer, read again", "floor: a server that pushes the bytes")
    for what in ("sent in batches over HTTPS", *readings):
        assert number(rf"^{what} +(\d+) in +[\d.]+ s +\d+/s +[\d.]+ us each$", lines) == 400
    for what in ("MQTT, QoS 1, events in memory", "MQTT, QoS 1, events stored"):
        assert number(rf"^{what} +(\d+) in ", lines) == 200
    assert number(r"^floor / consumer, by the clock +([\d.]+)$", lines) > 0
    assert set(goals(lines)) == {"events/s of the hub's one core"}


@needs_proc
def test_the_benchmark_of_simulator() -> None:
    lines = output_of("simulator", "--short")
    assert lines[0].split()[:3] == ["devices", "KB", "each"]
    left_out = [each for each in lines if "azure-iot-device is left out" in each]
    peers = {"ours", "paho_threads"} | ({"official_sdk"} if SDK_PYTHON.exists() and not left_out else set())
    row_pattern = r"(.{26}) *(\d[-\d.\s]+)(?:  hub \d+ MB at most)?"
    found = [match for each in lines if (match := re.fullmatch(row_pattern, each))]
    rows = {match[1].strip(): match[2].strip() for match in found}
    assert set(rows) == peers | {"ours, all, tls", "ours, all, websocket"}, "a row that lost devices says which"
    for name, row in rows.items():
        devices, *figures = map(float, row.split())
        assert devices == (8 if "all" in name else 3) and len(figures) == 10
        assert min(figures[3], *figures[5:9]) > 0, "connects, calls, latencies and jobs were measured"
    ratios = [each for each in lines if each.startswith("ours against ")]
    assert len(ratios) == len(peers) - 1 and all(each.count(", ") == 4 for each in ratios)
    assert set(goals(lines)) == {
        "KB for each of all devices",
        "connects/s, TLS",
        "connects/s, WebSocket",
        "method answers/s, by a job",
    }


@needs_proc
def test_the_benchmark_of_configurations() -> None:
    lines = output_of("configurations", "--short")
    assert number(r"^1200 devices, 5 configurations, applied to (\d+) each$", lines) == 900
    for what in ("that sets all of it", "with nothing to set"):
        assert number(rf"^a round {what} .* the longest ([\d.]+) ms$", lines) > 0


@needs_proc
def test_the_benchmark_of_million() -> None:
    lines = output_of("million", "--short")
    counts = {"seeded": 2000, "paged through": 2001, "connected, 2 simulators": 6, "job on a hundredth, by a tag": 20}
    for what, count in counts.items():
        assert number(rf"^    2000 {what} +(\d+) hub +[\d.]+ s +[\d.]+ us each  wall", lines) == count
    for what in (
        "started again",
        "none, by a tag",
        "GROUP BY a tag",
        "COUNT of the connected ones",
        "job on all: selected",
    ):
        assert number(rf"^    2000 {what} +(\d+) hub ", lines) > 0


@needs_proc
def test_the_benchmark_of_verification() -> None:
    lines = output_of("verification", "--short")
    counts = [each for each in lines if each.endswith(" not in time")]
    assert [each.split()[0] for each in counts] == ["500", "5000"]
    assert "4850 verified, 50 failed, 100 not in time" in counts[1]
    (quota, _) = reached = list(goals(lines).values())
    assert len(reached) == 2 and quota[1] <= quota[0], "the queries are counted in the hub's own time"


@needs_proc
def test_the_benchmark_of_fleet_jobs() -> None:
    lines = output_of("fleet_jobs", "--short")
    for driver in ("calls", "jobs"):
        assert number(rf"^by {driver} +(\d+) devices in +[\d.]+ s  least +[\d.]+ s  ratio +[\d.]+", lines) == 200
    whole = "200 completed, 0 failed, 0 uncertain; devices were called so often: {'1': 200}"
    assert sum(whole in each for each in lines) == 2
    assert sum(" killed at " in each and "called twice 0" in each for each in lines) == 2
    assert sum(each.startswith("twins by ") for each in lines) == 4
    reached = goals(lines)
    assert len(reached) == 15
    of_time_and_memory = ("S1, by calls: time", "by calls: MB", "by jobs: MB")
    for what, (most, was) in reached.items():
        assert what.startswith(of_time_and_memory) or was <= most, f"{what}: {was}"


@needs_proc
def test_the_benchmark_of_whole_run() -> None:
    lines = output_of("whole_run", "--short")
    runs = [f"run by {driver}{more}" for driver in ("calls", "jobs") for more in ("", ", verified")]
    choices = [f"choose, by {what}" for what in ("all", "condition", "file")]
    shown = ["results, json file", "results, -o table", "report, html", "show"]
    for what in (*runs, *choices, *shown):
        assert number(rf"^{re.escape(what)} +\d+ +([\d.]+) +\(? *[\d.]+\)? +[\d.]+ +\d+ us ", lines) >= 0
        assert f"{what}: ours over the hub" in goals(lines)


@needs_proc
def test_the_benchmark_of_team_store() -> None:
    skip_without_postgres()
    lines = output_of("team_store", "--short")
    for driver in ("calls", "jobs"):
        for kind in ("file", "server"):
            assert number(rf"^by {driver} +{kind} +60 devices in +[\d.]+ s +(\d+)/s", lines) > 0
    for hosts in (1, 2):
        assert number(rf"^ +{hosts} hosts, server +(\d+) devices/s", lines) > 0


def test_rows_are_given_to_make_bench_by_the_environment() -> None:
    words = ["make", "--dry-run", "bench"]
    environment = {**os.environ, "ROWS": "direct_calls,command_start", "SHORT": "1"}
    told = subprocess.run(words, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True).stdout
    assert 'benchmarks/page.py --rows "direct_calls,command_start" --short' in told
