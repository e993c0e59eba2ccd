"""All benchmarks as one page: each row ours, a peer, a floor, their ratios, and the machine that it was measured on.

Ratios are ours by the other's: of what has a unit per second, more is better; of seconds and memory, less. The floor
is the least that can do the same work, such as a bare client, or an extension of a few commands that each make one
request. A peer or floor that is missing or fails leaves its cells empty, with a reason under the page.

It writes two files into the repository's root:
  bench.json        {row: {ours, peer, floor, of_peer, of_floor, unit}}, null where there is nothing
  bench-about.json  {machine, rows: {row: {what, peer, floor, notes}}}: what the figures are of

Each part runs in a process of its own, with a limit of time, so that one that fails leaves the others. What it prints
goes to standard error, the page to standard output.

Run: make bench, or ROWS=direct_calls,command_start make bench for some rows; bench.json then has just those.
SHORT=1 takes so little that it measures nothing: `make test` looks whether it still runs. million runs only by name.
"""

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.machine import in_a_line, load, machine  # noqa: E402
from benchmarks.page_rows import OF_OTHERS  # noqa: E402
from benchmarks.row import Row  # noqa: E402

LIMIT_S, LONG_LIMIT_S = 900.0, 7200.0
HEADS = ("row", "ours", "peer", "floor", "of peer", "of floor", "unit")


class Part(NamedTuple):
    """Rows that are measured together: what their module's `rows(wanted, is_short)` gives, or page_rows makes of it."""

    module: str
    rows: tuple[str, ...]
    is_long: bool = False  # measured only when it is named
    is_open: bool = False  # its one row stands for all whose names begin with it


PARTS = {
    "calls": Part("direct_calls", ("direct_calls", "invoke_many")),
    "command_start": Part(
        "cli",
        (
            "command_start",
            "command_start_job_show",
            "command_start_job_create",
            "command_start_device_twin_show",
            "command_start_invoke_device_method",
            "command_start_fleet_job_show",
            "command_start_fleet_job_list",
            "az_help",
            "az_help_group",
            "tab_completion",
        ),
    ),
    "simulator": Part(
        "simulator",
        (
            "simulated_fleet_jobs",
            "simulated_fleet_jobs_paho",
            "simulated_memory",
            "simulated_memory_paho",
        ),
    ),
    "hub": Part(
        "hub",
        ("hub_connects", "hub_connects_cpu", "hub_telemetry", "hub_telemetry_cpu", "hub_methods"),
    ),
    "events": Part("events", ("hub_events",)),
    "configurations": Part("configurations", ("configuration_round",)),
    "fixtures": Part("fixtures", ("fixture_start", "fixture_reset")),
    "snapshots": Part("snapshots", ("snapshot_make", "snapshot_restore")),
    "verification": Part("verification", ("verification",)),
    "fleet_jobs": Part("fleet_jobs", ("s1_calls", "fleet_job_memory")),
    "console": Part("console", ("console_page",)),
    "team_store": Part("team_store", ("team_store_calls", "team_store_jobs", "team_store_hosts")),
    "whole_run": Part("whole_run", ("whole_run",), is_open=True),
    "million": Part("million", ("million",), is_long=True, is_open=True),
}


class Measured(NamedTuple):
    """What a part gave."""

    rows: list[Row]
    trouble: str  # why there are not all; "" when there are


def chosen(words: Iterable[str]) -> dict[str, set[str]]:
    """The rows of each part to measure, by the names of rows or parts; without any, all but the long ones.

    Raises SystemExit, with what may be named.
    """
    names = [word for word in words if word]
    if not names:
        return {name: set(part.rows) for name, part in PARTS.items() if not part.is_long}
    wanted: dict[str, set[str]] = {}
    for word in names:
        found = {
            name: set(part.rows) if word == name else {word}
            for name, part in PARTS.items()
            if word in (name, *part.rows)
        }
        if not found:
            every = sorted({*PARTS, *(row for part in PARTS.values() for row in part.rows)})
            raise SystemExit(f"ROWS: there is no row {word!r}. Rows are: {', '.join(every)}.")
        for name, rows in found.items():
            wanted.setdefault(name, set()).update(rows)
    return {name: wanted[name] for name in PARTS if name in wanted}


def measured(name: str, wanted: set[str], *, is_short: bool) -> Measured:
    """Run a part in a process of its own; rows that it did not give are not there."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        words = [sys.executable, __file__, "--part", name, "--rows", ",".join(sorted(wanted)), "--into", str(file)]
        limit_s = LONG_LIMIT_S if PARTS[name].is_long else LIMIT_S
        process = subprocess.Popen(
            [*words, *(["--short"] if is_short else [])], stdout=sys.stderr, cwd=REPOSITORY, start_new_session=True
        )
        try:
            code = process.wait(limit_s)
            trouble = f"{name} ended with {code}: see what it said" if code else ""
        except subprocess.TimeoutExpired:
            trouble = f"{name} did not end within {limit_s:.0f} s"
        finally:
            if process.poll() is None:
                _end(process)
        given = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return Measured([Row(**{**each, "notes": tuple(each["notes"])}) for each in given], trouble)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a part and what it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def all_rows(wanted: dict[str, set[str]], *, is_short: bool) -> Iterator[Row]:
    """Every row that is wanted, in the page's order; one that could not be measured is empty and says why."""
    for name, rows in wanted.items():
        say_aside(f"== {name}")
        found = measured(name, rows, is_short=is_short)
        if PARTS[name].is_open and found.rows:
            yield from found.rows
            continue
        by_name = {row.name: row for row in found.rows}
        for each in PARTS[name].rows:
            if each in rows:
                reason = found.trouble or f"{name} did not measure it"
                yield by_name.get(each) or Row(each, "not measured", "-", None, notes=(reason,))


def table(rows: list[Row]) -> Iterator[str]:
    """The page's lines, without the machine's."""
    cells = [HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(HEADS))]
    for line in cells:
        padded = [
            cell.ljust(width) if at in (0, len(HEADS) - 1) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(padded).rstrip()
    yield ""
    for row in rows:
        of = "; ".join(f"{kind} {who}" for kind, who in (("peer", row.peer_is), ("floor", row.floor_is)) if who)
        yield f"{row.name}: {row.what}" + (f"; {of}" if of else "") + "".join(f"; {note}" for note in row.notes)


def _cells(row: Row) -> tuple[str, ...]:
    figures = (number(row.ours), number(row.peer), number(row.floor))
    return (
        row.name,
        *figures,
        *("-" if each is None else f"{each:.3f}" for each in (row.of_peer, row.of_floor)),
        row.unit,
    )


def number(value: float | None) -> str:
    """At least three digits of it."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def write(rows: list[Row], about: dict[str, Any], folder: Path) -> None:
    """The two files."""
    documents = {
        "bench.json": {row.name: row.figures() for row in rows},
        "bench-about.json": {"machine": about, "rows": {row.name: row.words() for row in rows}},
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def run_part(name: str, wanted: set[str], file: Path, *, is_short: bool) -> None:
    """In a part's own process: measure, and leave the rows where the page looks for them."""
    part = PARTS[name]
    measure = OF_OTHERS.get(part.module) or importlib.import_module(f"benchmarks.{part.module}").rows
    rows: list[Row] = []
    for row in measure(wanted, is_short):
        if row.name in wanted or part.is_open:
            rows.append(row)
            file.write_text(json.dumps([each._asdict() for each in rows]), encoding="utf-8")


def say_aside(line: str) -> None:
    """What is not the result."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main() -> int:
    """Measure, print the page, write the files; 1 when something of ours could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="", help="rows or parts, with commas between them; all but million")
    parser.add_argument("--short", action="store_true", help="with so little that it takes a minute or two")
    parser.add_argument("--folder", type=Path, default=REPOSITORY, help="where the files are written")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        run_part(given.part, set(given.rows.split(",")), given.into, is_short=given.short)
        return 0
    wanted = chosen(given.rows.replace(" ", ",").split(","))
    given.folder.mkdir(parents=True, exist_ok=True)
    about = {**machine(), "isShort": given.short, "loadBefore": load()}
    rows = list(all_rows(wanted, is_short=given.short))
    about["loadAfter"] = load()
    write(rows, about, given.folder)
    sys.stdout.write("\n".join((*table(rows), "", in_a_line(about))) + "\n")
    return 1 if any(row.ours is None for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
