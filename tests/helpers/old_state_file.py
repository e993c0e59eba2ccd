"""A file of fleet jobs as an older version wrote it: what later migrations added is taken away again."""

import sqlite3

UNDO = {  # by the number of the migration
    2: ("ALTER TABLE fleet_job DROP COLUMN last_run",),
    3: (
        "DROP TRIGGER device_in_job",
        *(
            f"ALTER TABLE part DROP COLUMN {each}"
            for each in ("limit_s", "size", "open_count", "counts", "awaited", "seen_at")
        ),
        *(f"ALTER TABLE run DROP COLUMN {each}" for each in ("tier", "narrowed")),
    ),
    4: (
        "DROP INDEX device_verifying",
        *(f"ALTER TABLE device DROP COLUMN {each}" for each in ("verify_by", "verified_at", "reported")),
    ),
    5: tuple(f"ALTER TABLE batch DROP COLUMN {each}" for each in ("gated_at", "verdicts", "answer")),
    6: (
        *(f"DROP INDEX {each}" for each in ("device_to_connect", "device_to_look_for", "device_offline")),
        *(
            f"ALTER TABLE device DROP COLUMN {each}"
            for each in ("offline_since", "wait_until", "times_offline", "look_at")
        ),
        *(f"ALTER TABLE batch DROP COLUMN {each}" for each in ("is_of_offline", "joined")),
    ),
    7: ("DROP TABLE schedule", "DROP TABLE occurrence"),
    8: ("DROP INDEX occurrence_open", "DROP INDEX run_unfinished", "DROP INDEX occurrence_of_run"),
}


def make_older(raw: sqlite3.Connection, version: int) -> None:
    """Give an open file the format `version`, 1 or more."""
    for number in sorted(UNDO, reverse=True):
        if number > version:
            for statement in UNDO[number]:
                raw.execute(statement)
    raw.execute(f"PRAGMA user_version = {version}")
