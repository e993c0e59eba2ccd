"""What devices listened to when they were here last: rows. They outlive the hub, as MQTT's kept sessions do."""

import json

from azext_iotjobs.localhub.address import Address
from azext_iotjobs.localhub.rules.jsonvalues import dump_json
from azext_iotjobs.localhub.store.database import Database

Filters = dict[str, int]  # topic filter -> QoS


class Sessions:
    """The kept sessions in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, address: Address) -> Filters | None:
        """What was kept for a device; None for nothing."""
        sql = "SELECT filters FROM sessions WHERE device_id = ? AND module_id = ?"
        row = self._database.row(sql, address.key)
        return {str(name): int(qos) for name, qos in json.loads(row["filters"]).items()} if row else None

    def keep(self, address: Address, filters: Filters) -> None:
        """Remember what a device listens to, for its next connection."""
        self._database.change(
            "INSERT INTO sessions (device_id, module_id, filters) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET filters = excluded.filters",
            (*address.key, dump_json(filters)),
        )

    def forget(self, address: Address) -> None:
        """Keep nothing for a device: it begins anew."""
        self._database.change("DELETE FROM sessions WHERE device_id = ? AND module_id = ?", address.key)
