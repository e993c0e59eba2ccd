"""Configurations: rows <-> records, and what a round reads and writes of the twins that they target."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.configuration import ConfigurationSpec, Kind
from azext_iotjobs.localhub.rules.json_values import dump_json, parse_json
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.row_reader import NUMBER, TEXT, TEXT_OR_NULL, RowReader, RowValues, read_object

# The state of an edge device includes that of its modules: it changes when one is changed, made or made anew.
MODULES_STATE = (
    "(SELECT coalesce(sum(modules.desired_version + modules.row_id), 0) FROM twins AS modules "
    "WHERE modules.device_id = twins.device_id AND modules.module_id <> '')"
)
TARGET_COLUMNS = (
    "twins.row_id, twins.device_id, twins.module_id, twins.desired_version, twins.configurations, "
    f"twins.applied_configurations, twins.evaluated_state, CASE WHEN is_edge THEN {MODULES_STATE} ELSE 0 END "
    "AS modules_state"
)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A stored configuration; instants are texts as on the wire."""

    row_id: int  # larger for one created later
    etag: int
    spec: ConfigurationSpec
    created_at: str
    updated_at: str
    metric_results: Mapping[str, int] = field(default_factory=dict)  # {} until the first round
    system_results: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What a round knows of a twin before it reads it."""

    row_id: int
    address: Address
    statuses: Mapping[str, Any]  # as the twin shows them
    applied: list[int]  # rows of the configurations that apply, lowest first
    evaluated_state: int  # the `state` at which that was so
    state: int  # changes with the desired properties; of an edge device, with those of its modules too
    has_modules: bool  # it is an edge device, which has modules of the system at least


class Configurations:
    """The configurations in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, configuration_id: str) -> Configuration | None:
        """A configuration, or None."""
        row = self._database.row("SELECT * FROM configurations WHERE configuration_id = ?", (configuration_id,))
        return _configuration_of(row) if row else None

    def all(self) -> list[Configuration]:
        """Every configuration, oldest first."""
        return _configuration_of.all(self._database.rows("SELECT * FROM configurations ORDER BY row_id"))

    def count(self) -> int:
        """How many there are."""
        row = self._database.row("SELECT count(*) FROM configurations")
        return int(row[0]) if row else 0

    def create(self, spec: ConfigurationSpec, now_text: str) -> None:
        """Add a configuration."""
        values = {**_columns(spec), "etag": 1, "created_at": now_text, "updated_at": now_text}
        marks = ", ".join("?" * len(values))
        self._database.change(
            f"INSERT INTO configurations ({', '.join(values)}) VALUES ({marks})", tuple(values.values())
        )

    def update(self, row_id: int, spec: ConfigurationSpec, now_text: str) -> None:
        """Store a changed configuration with a new etag."""
        values = {**_columns(spec), "updated_at": now_text}
        sets = ", ".join(f"{name} = ?" for name in values)
        self._database.change(
            f"UPDATE configurations SET {sets}, etag = etag + 1 WHERE row_id = ?", (*values.values(), row_id)
        )

    def delete(self, row_id: int) -> None:
        """Remove a configuration; the twins show it until the next round."""
        self._database.change("DELETE FROM configurations WHERE row_id = ?", (row_id,))

    def save_results(self, row_id: int, *, system: Mapping[str, int], metrics: Mapping[str, int]) -> None:
        """Store the results of a configuration's metrics."""
        self._database.change(
            "UPDATE configurations SET system_results = ?, metric_results = ? WHERE row_id = ?",
            (dump_json(dict(system)), dump_json(dict(metrics)), row_id),
        )

    def is_there_work(self) -> bool:
        """Whether there are configurations, or twins that show one."""
        # The condition must be the index's, verbatim, or the index would not be used.
        sql = (
            "SELECT EXISTS (SELECT 1 FROM configurations) OR EXISTS (SELECT 1 FROM twins WHERE configurations <> '{}')"
        )
        row = self._database.row(sql)
        return row is not None and bool(row[0])

    def last_twin(self) -> int:
        """The row of the twin that was created last; 0 when there is none."""
        row = self._database.row("SELECT coalesce(max(row_id), 0) FROM twins")
        return int(row[0]) if row else 0

    def with_status(self, after: int, until: int) -> list[int]:
        """The rows of twins, after one and up to another, that show a configuration."""
        sql = "SELECT row_id FROM twins WHERE configurations <> '{}' AND row_id > ? AND row_id <= ?"
        return [int(row["row_id"]) for row in self._database.rows(sql, (after, until))]

    def targets(self, row_ids: Iterable[int]) -> list[Target]:
        """Twins by their rows."""
        rows = self._database.rows(
            f"SELECT {TARGET_COLUMNS} FROM twins JOIN identities USING (device_id, module_id) "
            "WHERE twins.row_id IN (SELECT value FROM json_each(?)) ORDER BY twins.row_id",
            (dump_json(list(row_ids)),),
        )
        return _target_of.all(rows)

    def target(self, row_id: int) -> Target | None:
        """A twin by its row, or None."""
        return next(iter(self.targets([row_id])), None)

    def save_statuses(self, address: Address, statuses: Mapping[str, Any]) -> None:
        """Store what a twin shows of configurations."""
        self._database.change(
            "UPDATE twins SET configurations = ? WHERE device_id = ? AND module_id = ?",
            (dump_json(dict(statuses)), *address.key),
        )

    def save_evaluated(self, row_id: int, statuses: Mapping[str, Any], applied: Sequence[int], state: int) -> None:
        """Store what a twin shows of configurations, and which of them apply to it in a state."""
        self._database.change(
            "UPDATE twins SET configurations = ?, applied_configurations = ?, evaluated_state = ? WHERE row_id = ?",
            (dump_json(dict(statuses)), dump_json(list(applied)), state, row_id),
        )


def _columns(spec: ConfigurationSpec) -> dict[str, object]:
    return {
        "configuration_id": spec.configuration_id,
        "schema_version": spec.schema_version,
        "content_type": spec.content_type,
        "labels": None if spec.labels is None else dump_json(dict(spec.labels)),
        "kind": spec.kind.value,
        "content": dump_json(spec.content),
        "target_condition": spec.target_condition,
        "priority": spec.priority,
        "metric_queries": dump_json(dict(spec.metric_queries)),
    }


def _read_configuration(row: RowValues) -> Configuration:
    spec = ConfigurationSpec(
        configuration_id=row["configuration_id"],
        schema_version=row["schema_version"],
        content_type=row["content_type"],
        labels=None if row["labels"] is None else _texts(row["labels"]),
        kind=Kind(row["kind"]),
        content=read_object(row["content"]),
        target_condition=row["target_condition"],
        priority=row["priority"],
        metric_queries=_texts(row["metric_queries"]),
    )
    return Configuration(
        row_id=row["row_id"],
        etag=row["etag"],
        spec=spec,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        metric_results=_numbers(row["metric_results"]),
        system_results=_numbers(row["system_results"]),
    )


def _read_target(row: RowValues) -> Target:
    applied = parse_json(row["applied_configurations"])
    if not isinstance(applied, list) or not all(isinstance(each, int) for each in applied):
        raise TypeError("JSON that is not a list of numbers")
    return Target(
        row_id=row["row_id"],
        address=Address(row["device_id"], row["module_id"] or None),
        statuses=read_object(row["configurations"]),
        applied=applied,
        evaluated_state=row["evaluated_state"],
        state=row["desired_version"] + row["modules_state"],
        has_modules=row["modules_state"] > 0,
    )


def _texts(text: str) -> dict[str, str]:
    value = read_object(text)
    if not all(isinstance(each, str) for each in value.values()):
        raise TypeError("JSON that is not an object of texts")
    return value


def _numbers(text: str) -> dict[str, int]:
    value = read_object(text)
    if not all(isinstance(each, int) for each in value.values()):
        raise TypeError("JSON that is not an object of numbers")
    return value


_configuration_of = RowReader(
    "configuration {configuration_id}",
    {
        **dict.fromkeys(
            (
                "configuration_id kind content target_condition metric_queries created_at updated_at metric_results "
                "system_results"
            ).split(),
            TEXT,
        ),
        **dict.fromkeys(("schema_version", "content_type", "labels"), TEXT_OR_NULL),
        **dict.fromkeys(("row_id", "etag", "priority"), NUMBER),
    },
    _read_configuration,
)
_target_of = RowReader(
    "the twin of device {device_id}, module {module_id}",
    {
        **dict.fromkeys(("device_id", "module_id", "configurations", "applied_configurations"), TEXT),
        **dict.fromkeys(("desired_version", "evaluated_state", "modules_state"), NUMBER),
    },
    _read_target,
)
