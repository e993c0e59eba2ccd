"""Tables, as numbered migrations: each is executed once, in one transaction with the new version number.

`module_id` is '' for a device itself. Instants are texts with seven fraction digits, which sort by time.
"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE identities (
            device_id TEXT NOT NULL,
            module_id TEXT NOT NULL DEFAULT '',
            generation_id TEXT NOT NULL,
            etag INTEGER NOT NULL,
            status TEXT NOT NULL,
            status_reason TEXT,
            status_updated_at TEXT NOT NULL,
            connection_state TEXT NOT NULL,
            connection_updated_at TEXT NOT NULL,
            last_activity_at TEXT NOT NULL,
            sign_in TEXT NOT NULL,
            primary_key TEXT,
            secondary_key TEXT,
            primary_thumbprint TEXT,
            secondary_thumbprint TEXT,
            is_edge INTEGER NOT NULL,
            device_scope TEXT,
            parent_scopes TEXT NOT NULL,
            PRIMARY KEY (device_id, module_id)
        )
        """,
        """
        CREATE TABLE twins (
            row_id INTEGER PRIMARY KEY AUTOINCREMENT,
            device_id TEXT NOT NULL,
            module_id TEXT NOT NULL DEFAULT '',
            twin_etag INTEGER NOT NULL,
            version INTEGER NOT NULL,
            tags TEXT NOT NULL,
            desired TEXT NOT NULL,
            desired_metadata TEXT NOT NULL,
            desired_version INTEGER NOT NULL,
            reported TEXT NOT NULL,
            reported_metadata TEXT NOT NULL,
            reported_version INTEGER NOT NULL,
            UNIQUE (device_id, module_id),
            FOREIGN KEY (device_id, module_id) REFERENCES identities ON DELETE CASCADE
        )
        """,
        """
        CREATE TABLE jobs (
            row_id INTEGER PRIMARY KEY AUTOINCREMENT,
            job_id TEXT NOT NULL UNIQUE,
            type TEXT NOT NULL,
            status TEXT NOT NULL,
            condition TEXT NOT NULL,
            method TEXT,
            patch TEXT,
            created_at TEXT NOT NULL,
            start_at TEXT NOT NULL,
            ended_at TEXT,
            max_execution_s INTEGER NOT NULL,
            failure_reason TEXT
        )
        """,
        """
        CREATE TABLE device_jobs (
            row_id INTEGER PRIMARY KEY AUTOINCREMENT,
            job_id TEXT NOT NULL REFERENCES jobs (job_id) ON DELETE CASCADE,
            device_id TEXT NOT NULL,
            module_id TEXT NOT NULL DEFAULT '',
            status TEXT NOT NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            outcome TEXT NOT NULL,
            error TEXT,
            UNIQUE (job_id, device_id, module_id)
        )
        """,
        "CREATE INDEX device_jobs_by_status ON device_jobs (job_id, status)",
    ),
    (
        "ALTER TABLE identities ADD COLUMN managed_by TEXT",
        """
        CREATE TABLE sessions (
            device_id TEXT NOT NULL,
            module_id TEXT NOT NULL,
            filters TEXT NOT NULL,
            PRIMARY KEY (device_id, module_id),
            FOREIGN KEY (device_id, module_id) REFERENCES identities ON DELETE CASCADE
        )
        """,
        """
        CREATE TABLE messages (
            row_id INTEGER PRIMARY KEY AUTOINCREMENT,
            device_id TEXT NOT NULL,
            module_id TEXT NOT NULL,
            message TEXT NOT NULL,
            body BLOB NOT NULL,
            ack TEXT NOT NULL,
            enqueued_at TEXT NOT NULL,
            expires_at TEXT NOT NULL,
            delivery_count INTEGER NOT NULL DEFAULT 0,
            lock_token TEXT,
            locked_until TEXT,
            FOREIGN KEY (device_id, module_id) REFERENCES identities ON DELETE CASCADE
        )
        """,
        "CREATE INDEX messages_by_device ON messages (device_id, module_id, lock_token)",
        "CREATE INDEX messages_by_expiry ON messages (expires_at)",
        "CREATE INDEX messages_by_lock ON messages (locked_until) WHERE lock_token IS NOT NULL",
        """
        CREATE TABLE feedback (
            row_id INTEGER PRIMARY KEY AUTOINCREMENT,
            message_id TEXT NOT NULL,
            device_id TEXT NOT NULL,
            generation_id TEXT NOT NULL,
            fate TEXT NOT NULL,
            at TEXT NOT NULL,
            lock_token TEXT,
            locked_until TEXT
        )
        """,
    ),
    (
        """
        CREATE TABLE authorities (
            name TEXT PRIMARY KEY,
            der BLOB NOT NULL,
            subject TEXT NOT NULL,
            thumbprint TEXT NOT NULL,
            ends_at TEXT NOT NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        )
        """,
        # Every new connection checks whether there is one.
        """
        CREATE INDEX identities_with_certificates ON identities (sign_in)
            WHERE sign_in IN ('selfSigned', 'certificateAuthority')
        """,
    ),
    ("ALTER TABLE identities ADD COLUMN model_id TEXT NOT NULL DEFAULT ''",),
    (
        # Uploads of files that devices have begun and not ended; they end with their device.
        """
        CREATE TABLE file_uploads (
            correlation_id TEXT PRIMARY KEY,
            device_id TEXT NOT NULL,
            module_id TEXT NOT NULL DEFAULT '',
            blob_name TEXT NOT NULL,
            expires_at TEXT NOT NULL,
            FOREIGN KEY (device_id, module_id) REFERENCES identities ON DELETE CASCADE
        )
        """,
        "CREATE INDEX file_uploads_by_device ON file_uploads (device_id, expires_at)",
        """
        CREATE TABLE file_notifications (
            row_id INTEGER PRIMARY KEY AUTOINCREMENT,
            device_id TEXT NOT NULL,
            blob_uri TEXT NOT NULL,
            blob_name TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            size_bytes INTEGER NOT NULL,
            enqueued_at TEXT NOT NULL,
            expires_at TEXT NOT NULL,
            delivery_count INTEGER NOT NULL DEFAULT 0,
            lock_token TEXT,
            locked_until TEXT
        )
        """,
        "CREATE INDEX file_notifications_by_expiry ON file_notifications (expires_at)",
        """
        CREATE TABLE transfer_jobs (
            row_id INTEGER PRIMARY KEY AUTOINCREMENT,
            job_id TEXT NOT NULL UNIQUE,
            type TEXT NOT NULL,
            status TEXT NOT NULL,
            spec TEXT NOT NULL,
            progress INTEGER NOT NULL DEFAULT 0,
            started_at TEXT NOT NULL,
            ended_at TEXT,
            failure_reason TEXT,
            input_etag TEXT,
            position INTEGER NOT NULL DEFAULT 0
        )
        """,
        """
        CREATE TABLE transfer_errors (
            row_id INTEGER PRIMARY KEY AUTOINCREMENT,
            job_id TEXT NOT NULL REFERENCES transfer_jobs (job_id) ON DELETE CASCADE,
            line TEXT NOT NULL
        )
        """,
    ),
    (
        """
        CREATE TABLE configurations (
            row_id INTEGER PRIMARY KEY AUTOINCREMENT,
            configuration_id TEXT NOT NULL UNIQUE,
            etag INTEGER NOT NULL,
            schema_version TEXT,
            content_type TEXT,
            labels TEXT,
            kind TEXT NOT NULL,
            content TEXT NOT NULL,
            target_condition TEXT NOT NULL,
            priority INTEGER NOT NULL,
            metric_queries TEXT NOT NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            metric_results TEXT NOT NULL DEFAULT '{}',
            system_results TEXT NOT NULL DEFAULT '{}'
        )
        """,
        # As services see them: id -> status.
        "ALTER TABLE twins ADD COLUMN configurations TEXT NOT NULL DEFAULT '{}'",
        # Row ids of those that apply, lowest first, and the $version of the desired properties that they were applied
        # to: as long as nothing of this changes, there is nothing to do.
        "ALTER TABLE twins ADD COLUMN applied_configurations TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE twins ADD COLUMN evaluated_state INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX twins_with_configurations ON twins (row_id) WHERE configurations <> '{}'",
    ),
    # How far the hub's clock is ahead of the machine's; no row: not at all.
    ("CREATE TABLE clock (row_id INTEGER PRIMARY KEY CHECK (row_id = 1), offset_s REAL NOT NULL)",),
    (
        # Each device with a parent asks whether there is such an edge device.
        "CREATE INDEX identities_by_edge_scope ON identities (device_scope) WHERE is_edge",
        # Few are disabled: the others are counted as all but these.
        "CREATE INDEX identities_disabled ON identities (module_id) WHERE status <> 'enabled'",
    ),
)
