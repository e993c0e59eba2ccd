"""Tables of a team's store in PostgreSQL, as numbered migrations. A migration that has been released is never changed.

The same tables as in `sqlite/schema.py`, at the format that it had when this one began. Instants are Unix seconds;
those of leases and claims are by the clock of the database. Counts are kept by a trigger for each statement, in the
transaction that moves devices: with a million devices nobody counts them at each step. Batch 0 of `tally` is the
whole run. Who may do what: docs/how-to/team-store.md.
"""

TEXT = 'TEXT COLLATE "C"'  # compared character by character, as SQLite does, whatever the database's own order is

TABLES = f"""
CREATE TABLE fleet_job (
    id {TEXT} PRIMARY KEY, host {TEXT} NOT NULL, version BIGINT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL, created_by {TEXT} NOT NULL, origin {TEXT},
    last_run BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE definition (
    fleet_job {TEXT} NOT NULL REFERENCES fleet_job (id) ON DELETE CASCADE, version BIGINT NOT NULL,
    document {TEXT} NOT NULL, edited_at DOUBLE PRECISION NOT NULL, edited_by {TEXT} NOT NULL,
    PRIMARY KEY (fleet_job, version)
);
CREATE TABLE device_group (
    host {TEXT} NOT NULL, name {TEXT} NOT NULL, condition {TEXT} NOT NULL, PRIMARY KEY (host, name)
);
CREATE TABLE run (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fleet_job {TEXT} NOT NULL REFERENCES fleet_job (id) ON DELETE CASCADE,
    number BIGINT NOT NULL, version BIGINT NOT NULL, run_key {TEXT} NOT NULL, state {TEXT} NOT NULL,
    driver {TEXT} NOT NULL, driver_reason {TEXT} NOT NULL, delivery {TEXT} NOT NULL,
    device_count BIGINT NOT NULL, batch_count BIGINT NOT NULL,
    current BIGINT NOT NULL DEFAULT 1,  -- the first batch that has not ended
    created_at DOUBLE PRECISION NOT NULL, created_by {TEXT} NOT NULL,
    started_at DOUBLE PRECISION, ended_at DOUBLE PRECISION, go_on_at DOUBLE PRECISION,
    reason {TEXT}, ended_by {TEXT},
    wish {TEXT}, wish_by {TEXT}, wish_reason {TEXT}, wish_at DOUBLE PRECISION,
    epoch BIGINT NOT NULL DEFAULT 0,  -- how often somebody took the lease; who has an older one may not write
    lease_owner {TEXT}, lease_machine {TEXT}, lease_pid BIGINT,
    lease_until DOUBLE PRECISION, lease_beat_at DOUBLE PRECISION,
    forgiven BIGINT NOT NULL DEFAULT 0, tier {TEXT}, narrowed {TEXT},
    UNIQUE (fleet_job, number)
);
CREATE TABLE batch (
    run BIGINT NOT NULL REFERENCES run (key) ON DELETE CASCADE, ordinal BIGINT NOT NULL, state {TEXT} NOT NULL,
    size BIGINT NOT NULL, is_retry BIGINT NOT NULL DEFAULT 0,
    started_at DOUBLE PRECISION, ended_at DOUBLE PRECISION, forgiven BIGINT NOT NULL DEFAULT 0,
    gated_at DOUBLE PRECISION, verdicts {TEXT}, answer {TEXT},
    is_of_offline BIGINT NOT NULL DEFAULT 0, joined BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (run, ordinal)
);
CREATE TABLE part (  -- a hub's job, which operates some devices of a batch
    run BIGINT NOT NULL REFERENCES run (key) ON DELETE CASCADE, batch BIGINT NOT NULL, number BIGINT NOT NULL,
    job_id {TEXT} NOT NULL, condition {TEXT} NOT NULL, state {TEXT} NOT NULL,
    intended_at DOUBLE PRECISION, submitted_at DOUBLE PRECISION,
    status {TEXT}, was_cancel_asked BIGINT NOT NULL DEFAULT 0, note {TEXT}, limit_s BIGINT,
    size BIGINT NOT NULL DEFAULT 0,
    open_count BIGINT NOT NULL DEFAULT 0,  -- devices whose end is not recorded
    counts {TEXT}, awaited {TEXT}, seen_at DOUBLE PRECISION,
    PRIMARY KEY (run, batch, number)
);
CREATE TABLE device (
    run BIGINT NOT NULL REFERENCES run (key) ON DELETE CASCADE, seq BIGINT NOT NULL,
    device_id {TEXT} NOT NULL, module_id {TEXT}, batch BIGINT NOT NULL, state {TEXT} NOT NULL DEFAULT 'pending',
    tries BIGINT NOT NULL DEFAULT 0,
    epoch BIGINT,  -- of the lease under which its call was begun
    part BIGINT, due_at DOUBLE PRECISION, was_cut_off BIGINT NOT NULL DEFAULT 0,
    began_at DOUBLE PRECISION, ended_at DOUBLE PRECISION, error_class {TEXT}, error_code {TEXT}, error_text {TEXT},
    method_status BIGINT, payload {TEXT},
    verify_by DOUBLE PRECISION, verified_at DOUBLE PRECISION, reported {TEXT},
    offline_since DOUBLE PRECISION, wait_until DOUBLE PRECISION, times_offline BIGINT NOT NULL DEFAULT 0,
    look_at DOUBLE PRECISION,
    PRIMARY KEY (run, seq)
) WITH (fillfactor = 70);  -- each device is changed some times: most changes stay on its page
CREATE INDEX device_waiting ON device (run, batch, seq) WHERE state = 'pending' AND part IS NULL;
CREATE INDEX device_calling ON device (run) WHERE state = 'calling';
CREATE INDEX part_open ON part (run) WHERE state <> 'closed';
CREATE INDEX device_in_part ON device (run, batch, part) WHERE part IS NOT NULL;
CREATE INDEX device_verifying ON device (run, verify_by, seq) WHERE state = 'verifying';
CREATE INDEX device_to_connect ON device (run, seq) WHERE state = 'waiting';
CREATE INDEX device_to_look_for ON device (run, look_at) WHERE state = 'waiting';
CREATE INDEX device_offline ON device (run, wait_until, seq) WHERE state = 'waiting';
CREATE TABLE tally (
    run BIGINT NOT NULL REFERENCES run (key) ON DELETE CASCADE, batch BIGINT NOT NULL, state {TEXT} NOT NULL,
    class {TEXT} NOT NULL, count BIGINT NOT NULL,
    PRIMARY KEY (run, batch, state, class)
) WITH (fillfactor = 20);  -- few rows, each changed all the time
CREATE TABLE schedule (
    fleet_job {TEXT} PRIMARY KEY REFERENCES fleet_job (id) ON DELETE CASCADE,
    document {TEXT},  -- NULL: it was removed
    set_at DOUBLE PRECISION NOT NULL, set_by {TEXT} NOT NULL, looked_at DOUBLE PRECISION, store_key {TEXT} NOT NULL
);
CREATE TABLE occurrence (
    fleet_job {TEXT} NOT NULL REFERENCES fleet_job (id) ON DELETE CASCADE, at DOUBLE PRECISION NOT NULL,
    state {TEXT} NOT NULL, note {TEXT}, decided_at DOUBLE PRECISION NOT NULL, by {TEXT} NOT NULL,
    is_backfill BIGINT NOT NULL DEFAULT 0, run BIGINT,  -- its number
    epoch BIGINT NOT NULL DEFAULT 0, owner {TEXT}, machine {TEXT}, pid BIGINT, until DOUBLE PRECISION,  -- of a claim
    PRIMARY KEY (fleet_job, at)
);
"""

# A statement may move one device or all of a run: its rows are counted by state once.
COUNTS = """
CREATE FUNCTION devices_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tally AS kept (run, batch, state, class, count)
    SELECT run, batch, state, class, sum(moved) FROM (
        SELECT run, unnest(ARRAY[0, batch]) AS batch, state,
            CASE WHEN state = 'failed' THEN coalesce(error_class, 'other') ELSE '' END AS class, -1 AS moved FROM gone
        UNION ALL
        SELECT run, unnest(ARRAY[0, batch]), state,
            CASE WHEN state = 'failed' THEN coalesce(error_class, 'other') ELSE '' END, 1 FROM come
    ) AS each GROUP BY run, batch, state, class HAVING sum(moved) <> 0
    ON CONFLICT (run, batch, state, class) DO UPDATE SET count = kept.count + excluded.count;
    UPDATE part SET open_count = open_count + moved FROM (
        SELECT run, batch, part, sum(moved) AS moved FROM (
            SELECT run, batch, part, -1 AS moved FROM gone WHERE part IS NOT NULL AND state = 'pending'
            UNION ALL
            SELECT run, batch, part, 1 FROM come WHERE part IS NOT NULL AND state = 'pending'
        ) AS each GROUP BY run, batch, part HAVING sum(moved) <> 0
    ) AS of_part WHERE part.run = of_part.run AND part.batch = of_part.batch AND part.number = of_part.part;
    RETURN NULL;
END $$;
CREATE TRIGGER devices_moved AFTER UPDATE ON device REFERENCING OLD TABLE AS gone NEW TABLE AS come
FOR EACH STATEMENT EXECUTE FUNCTION devices_moved();
"""

# Who did what, by the role that signed in, which nobody can write otherwise: the log is its owner's.
LOG = f"""
CREATE TABLE change_log (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    role {TEXT} NOT NULL, application {TEXT}, change {TEXT} NOT NULL, subject {TEXT} NOT NULL, detail {TEXT}
);
CREATE FUNCTION log_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    now_ jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
    subject text := coalesce(now_->>'fleet_job', now_->>'id', now_->>'name', now_->>'run');
BEGIN
    IF TG_TABLE_NAME = 'batch' THEN
        SELECT fleet_job || ' run ' || number INTO subject FROM run WHERE key = (now_->>'run')::bigint;
    ELSIF TG_TABLE_NAME = 'run' THEN
        subject := subject || ' run ' || (now_->>'number');
    END IF;
    INSERT INTO change_log (role, application, change, subject, detail) VALUES (
        session_user, current_setting('application_name'), lower(TG_OP) || ' ' || TG_TABLE_NAME, subject,
        CASE TG_TABLE_NAME
            WHEN 'run' THEN
                concat_ws(', ', now_->>'state', 'asked to ' || (now_->>'wish') || ' by ' || (now_->>'wish_by'))
            WHEN 'batch' THEN 'batch ' || (now_->>'ordinal') || ': ' || coalesce(now_->>'answer', 'no answer')
            WHEN 'definition' THEN 'version ' || (now_->>'version') || ' by ' || (now_->>'edited_by')
            WHEN 'schedule' THEN
                CASE WHEN now_->>'document' IS NULL THEN 'removed' ELSE 'set by ' || (now_->>'set_by') END
        END);
    RETURN NULL;
END $$;
CREATE TRIGGER fleet_job_gone AFTER DELETE ON fleet_job FOR EACH ROW EXECUTE FUNCTION log_change();
CREATE TRIGGER defined AFTER INSERT ON definition FOR EACH ROW EXECUTE FUNCTION log_change();
CREATE TRIGGER grouped AFTER INSERT OR UPDATE OR DELETE ON device_group FOR EACH ROW EXECUTE FUNCTION log_change();
CREATE TRIGGER scheduled AFTER INSERT OR UPDATE OF document ON schedule FOR EACH ROW EXECUTE FUNCTION log_change();
CREATE TRIGGER run_made AFTER INSERT OR DELETE ON run FOR EACH ROW EXECUTE FUNCTION log_change();
CREATE TRIGGER run_changed AFTER UPDATE OF state, wish ON run FOR EACH ROW
WHEN (OLD.state <> NEW.state OR OLD.wish IS DISTINCT FROM NEW.wish) EXECUTE FUNCTION log_change();
CREATE TRIGGER answered AFTER UPDATE OF answer ON batch FOR EACH ROW
WHEN (OLD.answer IS DISTINCT FROM NEW.answer) EXECUTE FUNCTION log_change();
"""

WHAT_IS_OPEN = """
CREATE INDEX occurrence_open ON occurrence (fleet_job, at) WHERE state IN ('claimed', 'waiting');
CREATE INDEX run_unfinished ON run (fleet_job) WHERE state NOT IN ('completed', 'canceled');
CREATE INDEX occurrence_of_run ON occurrence (fleet_job, run) WHERE run IS NOT NULL;
"""  # for those who look at all schedules

MOVING_SCHEDULES = f"""
ALTER TABLE schedule ADD COLUMN moving {TEXT};
ALTER TABLE schedule ADD COLUMN moving_to {TEXT};
"""  # of a schedule that has left this store, until it is known to be in the other: its document, and which store

MIGRATIONS = ((TABLES, COUNTS, LOG), (WHAT_IS_OPEN,), (MOVING_SCHEDULES,))
