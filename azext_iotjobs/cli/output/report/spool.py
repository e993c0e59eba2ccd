"""The cases of a report, read once from wherever they come, then counted and read again as a renderer needs them.

A run goes on while it is reported, and a hub gives its rows page by page, slowly: so counts and cases are of one
reading. They are in a database without a name, which SQLite keeps in a bounded cache and, beyond it, in a file that no
other process can open and that is gone with this one.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from azext_iotjobs.cli.output.report.texts import visible
from azext_iotjobs.model.errors import StateFull
from azext_iotjobs.model.report import Case, CaseOutcome, Counts

OUTCOMES = {each.value: each for each in CaseOutcome}
CACHE_KIB = 16 * 1024
MAX_PAGES = 16 * 1024 * 1024  # 64 GiB: the disk is full before
CHUNK = 1_000  # cases that are added at once
COLUMNS = "section, outcome, reason, document"


class Reason(NamedTuple):
    """How many cases came to an outcome for a reason, and the first of them."""

    reason: str
    case_count: int
    first_names: tuple[str, ...]


class CaseSpool:
    """All cases of one report."""

    def __init__(self, names_per_reason: int = 3, max_pages: int = MAX_PAGES) -> None:
        """names_per_reason: of the first cases that `reasons` gives.  max_pages: of SQLite, 4 KiB each."""
        self._names_per_reason = names_per_reason
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(
            f"PRAGMA cache_size = -{CACHE_KIB}; PRAGMA journal_mode = OFF; PRAGMA max_page_count = {max_pages};"
            "CREATE TABLE cases "
            "(number INTEGER PRIMARY KEY, section INTEGER, outcome TEXT, reason TEXT, document TEXT);"
            "CREATE INDEX of_section ON cases (section, number);"
            "CREATE INDEX of_outcome ON cases (outcome, reason, number);"
        )

    def add(self, cases: Iterable[Case]) -> None:
        """Add all of `cases`, behind those that there are. Raises StateFull where there is no room for them."""
        rows = map(_stored, cases)
        while chunk := list(islice(rows, CHUNK)):
            try:
                self._database.execute("BEGIN")
                self._database.executemany(f"INSERT INTO cases ({COLUMNS}) VALUES (?, ?, ?, ?)", chunk)
                self._database.execute("COMMIT")
            except sqlite3.OperationalError as err:
                raise StateFull(
                    f"The temporary file of a report cannot be written: {err}.",
                    hint="Make room in the folder for temporary files; TMPDIR names another one.",
                ) from err

    def __enter__(self) -> "CaseSpool":
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    @property
    def counts(self) -> Counts:
        """All of them."""
        found = self._database.execute("SELECT outcome, COUNT(*) FROM cases GROUP BY outcome")
        return Counts(**dict(found.fetchall()))

    def reasons(self, outcome: CaseOutcome) -> list[Reason]:
        """Why cases came to an outcome, the most frequent reason first."""
        found = self._database.execute(
            "SELECT reason, COUNT(*) AS count FROM cases WHERE outcome = ? GROUP BY reason ORDER BY count DESC, reason",
            (outcome.value,),
        )
        return [Reason(reason, count, self._first(outcome, reason)) for reason, count in found.fetchall()]

    def cases(self, *, section: int | None = None, outcome: CaseOutcome | None = None) -> Iterator[Case]:
        """Cases in the order in which they came; of a section alone, or of an outcome."""
        wanted = {"section": section, "outcome": None if outcome is None else outcome.value}
        given = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in given) or "1"
        found = self._database.execute(
            f"SELECT {COLUMNS} FROM cases WHERE {where} ORDER BY number", tuple(given.values())
        )
        return map(_case, found)

    def used(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of `columns` that have a value in any row."""
        left, used = list(columns), set[str]()
        for (document,) in self._database.execute("SELECT document FROM cases"):
            row = json.loads(document)[3]
            found = [name for name in left if row.get(name) is not None]
            used.update(found)
            left = [name for name in left if name not in used]
            if not left:
                break
        return tuple(name for name in columns if name in used)

    @cached_property
    def by_section(self) -> Mapping[int, Counts]:
        """The counts of each section that has cases, by its number; once all cases are there."""
        counts: dict[int, dict[str, int]] = {}
        for section, outcome, count in self._database.execute(
            "SELECT section, outcome, COUNT(*) FROM cases GROUP BY section, outcome"
        ):
            counts.setdefault(section, {})[outcome] = count
        return {section: Counts(**each) for section, each in counts.items()}

    def _first(self, outcome: CaseOutcome, reason: str) -> tuple[str, ...]:
        found = self._database.execute(
            "SELECT document FROM cases WHERE outcome = ? AND reason = ? ORDER BY number LIMIT ?",
            (outcome.value, reason, self._names_per_reason),
        )
        return tuple(json.loads(document)[0] for (document,) in found)


def _stored(case: Case) -> tuple[int, str, str | None, str]:
    # As JSON: SQLite refuses text with half a character in it, and a device may send such.
    document = json.dumps((case.name, case.message, case.duration_s, dict(case.row)))
    return case.section, case.outcome.value, None if case.reason is None else visible(case.reason), document


def _case(stored: tuple[int, str, str | None, str]) -> Case:
    section, outcome, reason, document = stored
    name, message, duration_s, row = json.loads(document)
    return Case(
        section=section,
        name=name,
        outcome=OUTCOMES[outcome],
        reason=reason,
        message=message,
        duration_s=duration_s,
        row=row,
    )
