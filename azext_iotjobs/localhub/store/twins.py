"""Twins: rows <-> states."""

from collections.abc import Callable, Iterable

from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.json_values import dump_json
from azext_iotjobs.localhub.rules.twin import Section, TwinState
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.row_reader import NUMBER, TEXT, RowReader, RowValues, read_object

STATE_COLUMNS = tuple(
    "twin_etag version tags desired desired_metadata desired_version reported reported_metadata "
    "reported_version".split()
)


class Twins:
    """The twins in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, address: Address) -> TwinState | None:
        """A device's or module's twin, or None."""
        row = self._database.row("SELECT * FROM twins WHERE device_id = ? AND module_id = ?", address.key)
        return twin_of(row) if row else None

    def create_many(self, addresses: Iterable[Address], twin: TwinState) -> None:
        """Add the twins of new devices or modules, which are alike."""
        marks, values = ", ".join("?" * len(STATE_COLUMNS)), _values(twin)
        self._database.change_many(
            f"INSERT INTO twins (device_id, module_id, {', '.join(STATE_COLUMNS)}) VALUES (?, ?, {marks})",
            [(*each.key, *values) for each in addresses],
        )

    def save(self, address: Address, twin: TwinState) -> int:
        """Store a changed twin; gives how many characters that are."""
        sets, values = ", ".join(f"{column} = ?" for column in STATE_COLUMNS), _values(twin)
        self._database.change(f"UPDATE twins SET {sets} WHERE device_id = ? AND module_id = ?", (*values, *address.key))
        return sum(len(each) for each in values if isinstance(each, str))

    def when_saved(self, callback: Callable[[], None]) -> None:
        """Call `callback` once what was saved is committed."""
        self._database.when_stored(callback)


COUNTERS = ("twin_etag", "version", "desired_version", "reported_version")


def _twin_of(row: RowValues) -> TwinState:
    if min(row[name] for name in COUNTERS) < 0:
        raise TypeError("a counter is negative")
    return TwinState(
        tags=read_object(row["tags"]),
        desired=Section(read_object(row["desired"]), read_object(row["desired_metadata"]), row["desired_version"]),
        reported=Section(read_object(row["reported"]), read_object(row["reported_metadata"]), row["reported_version"]),
        etag=row["twin_etag"],
        version=row["version"],
        configurations=read_object(row["configurations"]),
    )


# The state that a row with the twins' columns holds.
twin_of = RowReader(
    "the twin of device {device_id}, module {module_id}",
    dict.fromkeys(COUNTERS, NUMBER)
    | dict.fromkeys(("tags", "desired", "desired_metadata", "reported", "reported_metadata", "configurations"), TEXT),
    _twin_of,
)


def _values(twin: TwinState) -> tuple[object, ...]:
    return (
        twin.etag,
        twin.version,
        dump_json(twin.tags),
        dump_json(twin.desired.data),
        dump_json(twin.desired.metadata),
        twin.desired.version,
        dump_json(twin.reported.data),
        dump_json(twin.reported.metadata),
        twin.reported.version,
    )
