"""Stored MQTT sessions: the subscriptions of devices, which outlive connections and the hub."""

from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.json_values import dump_json
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.row_reader import TEXT, RowReader, RowValues, read_object

Filters = dict[str, int]  # topic filter -> QoS


class Sessions:
    """The stored sessions in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, address: Address) -> Filters | None:
        """The stored subscriptions of a device; None when there are none."""
        sql = "SELECT * FROM sessions WHERE device_id = ? AND module_id = ?"
        row = self._database.row(sql, address.key)
        return _filters_of(row) if row else None

    def save(self, address: Address, filters: Filters) -> None:
        """Store a device's subscriptions for its next session."""
        self._database.change(
            "INSERT INTO sessions (device_id, module_id, filters) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET filters = excluded.filters",
            (*address.key, dump_json(filters)),
        )

    def delete(self, address: Address) -> None:
        """Remove a device's stored subscriptions."""
        self._database.change("DELETE FROM sessions WHERE device_id = ? AND module_id = ?", address.key)


def _read(row: RowValues) -> Filters:
    return {name: int(qos) for name, qos in read_object(row["filters"]).items()}


_filters_of = RowReader("the session of device {device_id}, module {module_id}", {"filters": TEXT}, _read)
