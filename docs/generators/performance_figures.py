"""The figures of docs/performance.md: those of the last `make bench` are taken over, and its tables made of them.

`make bench-plots` calls this, and has the plots drawn. Rows that were not measured again stay, with the run they are
of. A test keeps the page equal to what it produces from docs/performance.json.
"""

import json
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE, FIGURES = REPOSITORY / "docs" / "performance.md", REPOSITORY / "docs" / "performance.json"
BENCH, ABOUT = REPOSITORY / "bench.json", REPOSITORY / "bench-about.json"
PLOTS = ("performance-peers", "performance-floors", "performance-start", "large-hub")
DRAWN_ONLY = "million_"  # rows of how much there is for each number of devices: curves have them

Document = dict[str, Any]


def taken_over(kept: Document, bench: Document, about: Document) -> Document:
    """The figures with those of another run, which take the place of older ones.

    kept: {runs: [machine], rows: {row: figures, words, number of its run}}.  bench, about: as `make bench` writes
    them.
    """
    runs, rows = [*kept["runs"], about["machine"]], dict(kept["rows"])
    for name, figures in bench.items():
        words = about["rows"][name]
        of_others = {"peerIs": words["peer"], "floorIs": words["floor"]}
        rows[name] = {**figures, "what": words["what"], **of_others, "notes": words["notes"], "run": len(runs) - 1}
    used = sorted({row["run"] for row in rows.values()})
    order = _order(rows)
    return {
        "runs": [runs[each] for each in used],
        "rows": {name: {**rows[name], "run": used.index(rows[name]["run"])} for name in order},
    }


def _order(rows: Document) -> list[str]:
    """As the page has them; it has the order of the parts."""
    sys.path.insert(0, str(REPOSITORY))
    from benchmarks.page import PARTS

    order: list[str] = []
    for part in PARTS.values():
        for row in part.rows:
            of_it = [name for name in rows if name == row or (part.is_open and name.startswith(f"{row}_"))]
            order += [name for name in of_it if name not in order]
    return order


def figures() -> Document:
    """What is committed."""
    return dict(json.loads(FIGURES.read_text(encoding="utf-8")))


def parts(found: Document) -> dict[str, str]:
    """The generated parts of the page, by their names."""
    return {"figures": _table(found), "runs": _runs(found)}


def page(found: Document) -> str:
    """The page with its generated parts renewed."""
    written = PAGE.read_text(encoding="utf-8")
    for name, made in parts(found).items():
        before, head, rest = written.partition(f"<!-- made: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise ValueError(f"{PAGE.name} must have a part that is marked as made: {name}")
        written = f"{before}{head}{made}{end}{after}"
    return written


def _table(found: Document) -> str:
    from benchmarks.page import number

    lines = [
        "| row | ours | peer | floor | of peer | of floor | unit | better |",
        "|---|---:|---:|---:|---:|---:|---|---|",
    ]
    for name, row in found["rows"].items():
        if name.startswith(DRAWN_ONLY):
            continue
        ratios = ["-" if row[each] is None else f"{row[each]:.2f}" for each in ("of_peer", "of_floor")]
        cells = [number(row[each]) for each in ("ours", "peer", "floor")] + ratios
        mark = "" if row["run"] == len(found["runs"]) - 1 else f" ({row['run'] + 1})"
        better = "more" if row["unit"].endswith("/s") else "less"
        lines.append(f"| `{name}`{mark} | {' | '.join(cells)} | {row['unit']} | {better} |")
    return "\n".join(lines) + "\n"


def _runs(found: Document) -> str:
    from benchmarks.machine import in_a_line

    count = len(found["runs"])
    lines = [
        f"- {'All other rows, the last run' if at == count - 1 else f'Rows with ({at + 1})'}: {in_a_line(machine)}.\n"
        for at, machine in enumerate(found["runs"])
    ]
    missing = _not_measured(found)
    return "".join([*lines, *([f"- Not measured on this page yet: {', '.join(missing)}.\n"] if missing else [])])


def _not_measured(found: Document) -> list[str]:
    """The rows of `make bench` that have no figures, as the page writes their names."""
    from benchmarks.page import PARTS

    return [
        f"`{row}_…`" if part.is_open else f"`{row}`"
        for part in PARTS.values()
        for row in part.rows
        if not any(name == row or (part.is_open and name.startswith(f"{row}_")) for name in found["rows"])
    ]


def main() -> None:
    """Take the last run over, if there is one, and make page and plots."""
    found = figures() if FIGURES.exists() else {"runs": [], "rows": {}}
    if BENCH.exists():
        bench, about = (json.loads(file.read_text(encoding="utf-8")) for file in (BENCH, ABOUT))
        if about["machine"]["isShort"]:
            sys.exit("bench.json is of a short run, which measures nothing: run `make bench`.")
        measured = {name: row for name, row in bench.items() if row["ours"] is not None}
        if about["machine"] != (found["runs"] or [None])[-1]:
            found = taken_over(found, measured, about)
    elif not found["rows"]:
        sys.exit("There is no bench.json: run `make bench`.")
    FIGURES.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    sys.path.insert(0, str(REPOSITORY))
    PAGE.write_text(page(found), encoding="utf-8")
    from pictures.make import make

    make(PLOTS)


if __name__ == "__main__":
    main()
