"""Tables of the file of fleet jobs, as numbered migrations. A migration that has been released is never changed.

Instants are Unix seconds. Counts are kept by triggers, in the transaction that moves a device: with a million devices
nobody counts them at each step. Batch 0 of `tally` is the whole run.
"""

_CLASS = "CASE WHEN {0}.state = 'failed' THEN coalesce({0}.error_class, 'other') ELSE '' END"


def _less(batch: str) -> str:
    return f"""
        UPDATE tally SET count = count - 1
        WHERE run = OLD.run AND batch = {batch} AND state = OLD.state AND class = {_CLASS.format("OLD")};
    """


def _more(batch: str) -> str:
    return f"""
        INSERT INTO tally (run, batch, state, class, count)
        VALUES (NEW.run, {batch}, NEW.state, {_CLASS.format("NEW")}, 1)
        ON CONFLICT (run, batch, state, class) DO UPDATE SET count = count + 1;
    """


FIRST = (
    """
    CREATE TABLE fleet_job (
        id TEXT PRIMARY KEY, host TEXT NOT NULL, version INTEGER NOT NULL,
        created_at REAL NOT NULL, created_by TEXT NOT NULL, origin TEXT
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE definition (
        fleet_job TEXT NOT NULL REFERENCES fleet_job (id) ON DELETE CASCADE, version INTEGER NOT NULL,
        document TEXT NOT NULL, edited_at REAL NOT NULL, edited_by TEXT NOT NULL,
        PRIMARY KEY (fleet_job, version)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE device_group (
        host TEXT NOT NULL, name TEXT NOT NULL, condition TEXT NOT NULL, PRIMARY KEY (host, name)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE run (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        fleet_job TEXT NOT NULL REFERENCES fleet_job (id) ON DELETE CASCADE,
        number INTEGER NOT NULL, version INTEGER NOT NULL, run_key TEXT NOT NULL, state TEXT NOT NULL,
        driver TEXT NOT NULL, driver_reason TEXT NOT NULL, delivery TEXT NOT NULL,
        device_count INTEGER NOT NULL, batch_count INTEGER NOT NULL,
        current INTEGER NOT NULL DEFAULT 1,  -- the first batch that has not ended
        created_at REAL NOT NULL, created_by TEXT NOT NULL, started_at REAL, ended_at REAL, go_on_at REAL,
        reason TEXT, ended_by TEXT,
        wish TEXT, wish_by TEXT, wish_reason TEXT, wish_at REAL,
        epoch INTEGER NOT NULL DEFAULT 0,  -- how often somebody took the lease; who has an older one may not write
        lease_owner TEXT, lease_machine TEXT, lease_pid INTEGER, lease_until REAL, lease_beat_at REAL,
        forgiven INTEGER NOT NULL DEFAULT 0,
        UNIQUE (fleet_job, number)
    )
    """,
    """
    CREATE TABLE batch (
        run INTEGER NOT NULL REFERENCES run (key) ON DELETE CASCADE, ordinal INTEGER NOT NULL, state TEXT NOT NULL,
        size INTEGER NOT NULL, is_retry INTEGER NOT NULL DEFAULT 0, started_at REAL, ended_at REAL,
        forgiven INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (run, ordinal)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE part (  -- a hub's job, which operates some devices of a batch
        run INTEGER NOT NULL REFERENCES run (key) ON DELETE CASCADE, batch INTEGER NOT NULL, number INTEGER NOT NULL,
        job_id TEXT NOT NULL, condition TEXT NOT NULL, state TEXT NOT NULL, intended_at REAL, submitted_at REAL,
        status TEXT, was_cancel_asked INTEGER NOT NULL DEFAULT 0, note TEXT,
        PRIMARY KEY (run, batch, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE device (
        run INTEGER NOT NULL REFERENCES run (key) ON DELETE CASCADE, seq INTEGER NOT NULL,
        device_id TEXT NOT NULL, module_id TEXT, batch INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'pending',
        tries INTEGER NOT NULL DEFAULT 0,
        epoch INTEGER,  -- of the lease under which its call was begun
        part INTEGER, due_at REAL, was_cut_off INTEGER NOT NULL DEFAULT 0,
        began_at REAL, ended_at REAL, error_class TEXT, error_code TEXT, error_text TEXT,
        method_status INTEGER, payload TEXT,
        PRIMARY KEY (run, seq)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX device_waiting ON device (run, batch, seq) WHERE state = 'pending' AND part IS NULL",
    "CREATE INDEX device_calling ON device (run) WHERE state = 'calling'",
    "CREATE INDEX part_open ON part (run) WHERE state <> 'closed'",
    "CREATE INDEX device_in_part ON device (run, batch, part) WHERE part IS NOT NULL",
    """
    CREATE TABLE tally (
        run INTEGER NOT NULL REFERENCES run (key) ON DELETE CASCADE, batch INTEGER NOT NULL, state TEXT NOT NULL,
        class TEXT NOT NULL, count INTEGER NOT NULL,
        PRIMARY KEY (run, batch, state, class)
    ) WITHOUT ROWID
    """,
    f"""
    CREATE TRIGGER device_moved AFTER UPDATE OF state, batch, error_class ON device
    WHEN OLD.state <> NEW.state OR OLD.batch <> NEW.batch OR OLD.error_class IS NOT NEW.error_class
    BEGIN
        {_less("0")} {_less("OLD.batch")} {_more("0")} {_more("NEW.batch")}
    END
    """,
)

SECOND = (  # the number of a run that was pruned is not given again: reruns mean runs by their numbers
    "ALTER TABLE fleet_job ADD COLUMN last_run INTEGER NOT NULL DEFAULT 0",
    "UPDATE fleet_job SET last_run = coalesce((SELECT max(number) FROM run WHERE fleet_job = id), 0)",
)

_IN_JOB = "({0}.part IS NOT NULL AND {0}.state = 'pending')"


def _moved_in_job(whose: str, by: str) -> str:
    return f"""
        UPDATE part SET open_count = open_count {by}
        WHERE {_IN_JOB.format(whose)} AND run = {whose}.run AND batch = {whose}.batch AND number = {whose}.part;
    """


THIRD = (  # the progress of hub jobs, for those who look at a run; a run's tier and its fewer devices
    "ALTER TABLE part ADD COLUMN limit_s INTEGER",
    "ALTER TABLE part ADD COLUMN size INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE part ADD COLUMN open_count INTEGER NOT NULL DEFAULT 0",  # devices whose end is not recorded
    "ALTER TABLE part ADD COLUMN counts TEXT",  # the hub's own, as last seen
    "ALTER TABLE part ADD COLUMN awaited TEXT",
    "ALTER TABLE part ADD COLUMN seen_at REAL",
    "ALTER TABLE run ADD COLUMN tier TEXT",
    "ALTER TABLE run ADD COLUMN narrowed TEXT",
    """
    UPDATE part SET
        size = (SELECT count(*) FROM device INDEXED BY device_in_part
                WHERE device.run = part.run AND device.batch = part.batch AND device.part = part.number),
        open_count = (SELECT count(*) FROM device INDEXED BY device_in_part
                      WHERE device.run = part.run AND device.batch = part.batch AND device.part = part.number
                      AND device.state = 'pending')
    WHERE state <> 'closed'
    """,
    f"""
    CREATE TRIGGER device_in_job AFTER UPDATE OF state, part ON device
    WHEN {_IN_JOB.format("OLD")} <> {_IN_JOB.format("NEW")}
    BEGIN
        {_moved_in_job("OLD", "- 1")} {_moved_in_job("NEW", "+ 1")}
    END
    """,
)

FOURTH = (  # verification: until when a device is looked at, when it was seen to report so, and what it reported
    "ALTER TABLE device ADD COLUMN verify_by REAL",
    "ALTER TABLE device ADD COLUMN verified_at REAL",
    "ALTER TABLE device ADD COLUMN reported TEXT",
    "CREATE INDEX device_verifying ON device (run, verify_by, seq) WHERE state = 'verifying'",
)

FIFTH = (  # where a batch stands with its gates
    "ALTER TABLE batch ADD COLUMN gated_at REAL",  # since then they are evaluated
    "ALTER TABLE batch ADD COLUMN verdicts TEXT",
    "ALTER TABLE batch ADD COLUMN answer TEXT",  # whether somebody approved it; who, why
)

WHEN_ONLINE = (  # how a device waits to connect, or did; and the batches into which those are moved that have connected
    "ALTER TABLE device ADD COLUMN offline_since REAL",
    "ALTER TABLE device ADD COLUMN wait_until REAL",
    "ALTER TABLE device ADD COLUMN times_offline INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE device ADD COLUMN look_at REAL",  # it is not looked for before
    "CREATE INDEX device_to_connect ON device (run, seq) WHERE state = 'waiting'",
    "CREATE INDEX device_to_look_for ON device (run, look_at) WHERE state = 'waiting'",
    "CREATE INDEX device_offline ON device (run, wait_until, seq) WHERE state = 'waiting'",
    "ALTER TABLE batch ADD COLUMN is_of_offline INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE batch ADD COLUMN joined INTEGER NOT NULL DEFAULT 0",
)

SCHEDULES = (  # schedules, and what became of their occurrences
    """
    CREATE TABLE schedule (
        fleet_job TEXT PRIMARY KEY REFERENCES fleet_job (id) ON DELETE CASCADE,
        document TEXT,  -- NULL: it was removed
        set_at REAL NOT NULL, set_by TEXT NOT NULL, looked_at REAL, store_key TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE occurrence (
        fleet_job TEXT NOT NULL REFERENCES fleet_job (id) ON DELETE CASCADE, at REAL NOT NULL,
        state TEXT NOT NULL, note TEXT, decided_at REAL NOT NULL, by TEXT NOT NULL,
        is_backfill INTEGER NOT NULL DEFAULT 0, run INTEGER,  -- its number
        epoch INTEGER NOT NULL DEFAULT 0, owner TEXT, machine TEXT, pid INTEGER, until REAL,  -- of a claim
        PRIMARY KEY (fleet_job, at)
    ) WITHOUT ROWID
    """,
)

WHAT_IS_OPEN = (  # for those who look at all schedules
    "CREATE INDEX occurrence_open ON occurrence (fleet_job, at) WHERE state IN ('claimed', 'waiting')",
    "CREATE INDEX run_unfinished ON run (fleet_job) WHERE state NOT IN ('completed', 'canceled')",
    "CREATE INDEX occurrence_of_run ON occurrence (fleet_job, run) WHERE run IS NOT NULL",
)

MOVING_SCHEDULES = (  # of a schedule that has left this store, until it is known to be in the other
    "ALTER TABLE schedule ADD COLUMN moving TEXT",  # its document
    "ALTER TABLE schedule ADD COLUMN moving_to TEXT",  # into which store, for people
)

MIGRATIONS = (FIRST, SECOND, THIRD, FOURTH, FIFTH, WHEN_ONLINE, SCHEDULES, WHAT_IS_OPEN, MOVING_SCHEDULES)
