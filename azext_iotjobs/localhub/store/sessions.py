"""What devices listened to when they were here last: rows. They outlive the hub, as MQTT's kept sessions do."""

import sqlite3

from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.json_values import dump_json
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.row_reader import TEXT, RowReader, read_object

Filters = dict[str, int]  # topic filter -> QoS


class Sessions:
    """The kept sessions in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, address: Address) -> Filters | None:
        """What was kept for a device; None for nothing."""
        sql = "SELECT * FROM sessions WHERE device_id = ? AND module_id = ?"
        row = self._database.row(sql, address.key)
        return _filters_of(row) if row else None

    def save(self, address: Address, filters: Filters) -> None:
        """Remember what a device listens to, for its next connection."""
        self._database.change(
            "INSERT INTO sessions (device_id, module_id, filters) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET filters = excluded.filters",
            (*address.key, dump_json(filters)),
        )

    def delete(self, address: Address) -> None:
        """Keep nothing for a device: it begins anew."""
        self._database.change("DELETE FROM sessions WHERE device_id = ? AND module_id = ?", address.key)


def _read(row: sqlite3.Row) -> Filters:
    return {name: int(qos) for name, qos in read_object(row["filters"]).items()}


_filters_of = RowReader("the session of device {device_id}, module {module_id}", {"filters": TEXT}, _read)
