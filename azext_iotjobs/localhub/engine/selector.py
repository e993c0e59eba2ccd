"""Conditions and queries -> rows: applies the query language to the tables."""

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query.column_paths import Columns, Kind
from azext_iotjobs.localhub.query.grouped_sql import group_parts_sql, grouped_sql
from azext_iotjobs.localhub.query.nodes import Collection, Expr, Fields, Query
from azext_iotjobs.localhub.query.parser import parse_condition
from azext_iotjobs.localhub.query.sql import where_sql
from azext_iotjobs.localhub.query.sql_fragments import Sql, filled
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.store.database import IDENTITY_ETAG, TWIN_ETAG, Database, TooSlow
from azext_iotjobs.localhub.store.identities import MESSAGE_COUNT
from azext_iotjobs.localhub.store.presence import Presence

LIMIT_S = 10.0  # of CPU time, for one query or page: the hub does nothing else meanwhile

# The service puts the deadline into a device job's endTimeUtc, not the time of completion.
DEADLINE = "strftime('%Y-%m-%dT%H:%M:%S', substr(jobs.start_at, 1, 19), '+' || jobs.max_execution_s || ' seconds')"
DEADLINE_TEXT = f"({DEADLINE} || substr(jobs.start_at, 20))"


def _section(name: str) -> dict[tuple[str, ...], tuple[str, Kind]]:
    return {
        ("properties", name): (f"twins.{name}", Kind.JSON),
        ("properties", name, "$metadata"): (f"twins.{name}_metadata", Kind.JSON),
        ("properties", name, "$version"): (f"twins.{name}_version", Kind.NUMBER),
    }


PARENTS = "CASE WHEN identities.is_edge THEN identities.parent_scopes ELSE nullif(identities.parent_scopes, '[]') END"
TWIN_COLUMNS = Columns(
    {
        ("deviceId",): ("twins.device_id", Kind.TEXT),
        ("moduleId",): ("nullif(twins.module_id, '')", Kind.TEXT),
        ("etag",): (f"{TWIN_ETAG}(twins.twin_etag)", Kind.TEXT),
        ("deviceEtag",): (f"{IDENTITY_ETAG}(identities.etag)", Kind.TEXT),
        ("status",): ("identities.status", Kind.TEXT),
        ("statusReason",): ("identities.status_reason", Kind.TEXT),
        ("statusUpdateTime",): ("identities.status_updated_at", Kind.TEXT),
        ("connectionState",): ("identities.connection_state", Kind.TEXT),
        ("lastActivityTime",): ("identities.last_activity_at", Kind.TEXT),
        ("authenticationType",): ("identities.sign_in", Kind.TEXT),
        ("cloudToDeviceMessageCount",): (MESSAGE_COUNT, Kind.NUMBER),
        ("x509Thumbprint", "primaryThumbprint"): ("json_quote(identities.primary_thumbprint)", Kind.JSON),
        ("x509Thumbprint", "secondaryThumbprint"): ("json_quote(identities.secondary_thumbprint)", Kind.JSON),
        ("modelId",): ("identities.model_id", Kind.TEXT),
        ("version",): ("twins.version", Kind.NUMBER),
        ("capabilities", "iotEdge"): ("identities.is_edge", Kind.BOOLEAN),
        ("deviceScope",): ("identities.device_scope", Kind.TEXT),
        # An edge device has a list of parents, possibly empty; other devices without parents have no such member, and
        # twins without tags have no tags.
        ("parentScopes",): (PARENTS, Kind.JSON),
        ("tags",): ("nullif(twins.tags, '{}')", Kind.JSON),
        ("configurations",): ("nullif(twins.configurations, '{}')", Kind.JSON),
        **_section("desired"),
        **_section("reported"),
    }
)
DEVICE_JOB_COLUMNS = Columns(
    {
        ("deviceId",): ("device_jobs.device_id", Kind.TEXT),
        ("moduleId",): ("nullif(device_jobs.module_id, '')", Kind.TEXT),
        ("jobId",): ("device_jobs.job_id", Kind.TEXT),
        ("jobType",): ("jobs.type", Kind.TEXT),
        ("status",): ("device_jobs.status", Kind.TEXT),
        ("createdDateTimeUtc",): ("device_jobs.created_at", Kind.TEXT),
        ("startTimeUtc",): ("jobs.start_at", Kind.TEXT),
        ("endTimeUtc",): (DEADLINE_TEXT, Kind.TEXT),
        ("lastUpdatedDateTimeUtc",): ("device_jobs.updated_at", Kind.TEXT),
        ("outcome",): ("device_jobs.outcome", Kind.JSON),
        ("error",): ("device_jobs.error", Kind.JSON),
    }
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """The SQL of a collection."""

    tables: str
    fields: str  # columns of a row
    key: str  # orders rows, for paging
    always: str  # condition for rows of the collection
    columns: Columns


_TWINS = {
    "tables": "twins JOIN identities USING (device_id, module_id)",
    "fields": f"twins.*, identities.*, {MESSAGE_COUNT} AS message_count",
    "key": "twins.row_id",
}
SOURCES = {
    Collection.DEVICES: Source(**_TWINS, always="twins.module_id = ''", columns=TWIN_COLUMNS),
    Collection.MODULES: Source(**_TWINS, always="twins.module_id <> ''", columns=TWIN_COLUMNS),
    Collection.JOBS: Source(
        tables="device_jobs JOIN jobs USING (job_id)",
        fields="device_jobs.*, jobs.type AS job_type, jobs.start_at AS job_start_at, "
        "jobs.max_execution_s AS job_max_execution_s",
        key="device_jobs.row_id",
        always="TRUE",
        columns=DEVICE_JOB_COLUMNS,
    ),
}

EVERY = Sql("TRUE")  # the condition of all rows
TABLE = re.compile(r"\b(twins|identities|device_jobs|jobs|messages)\.")  # whose column SQL names


class Selector:
    """Finds the rows that an expression selects.

    limit_s: of CPU time, for one query or page of one.
    presence: written to the rows before each query; None: there is none.
    """

    def __init__(self, database: Database, presence: Presence | None = None, *, limit_s: float = LIMIT_S) -> None:
        self._database = database
        self._presence = presence
        self.limit_s = limit_s

    @property
    def generation(self) -> int:
        """Another number once all rows are others."""
        return self._database.generation

    def page(self, collection: Collection, where: Expr | None, *, after: int, count: int) -> list[sqlite3.Row]:
        """At most `count` rows after row `after`, in the order of their creation; the column `row_key` is a row's key.

        Raises QueryError when it takes too long.
        """
        source = SOURCES[collection]
        return self.rows(page_sql(source, where, behind(source, after), count=count))

    def rows_between(self, collection: Collection, where: Expr | None, *, after: int, until: int) -> list[int]:
        """The keys of the rows that match, after one row and up to another. Raises QueryError as `page` does."""
        source = SOURCES[collection]
        condition = _condition(source, where, between(source, after, until))
        sql = f"SELECT {source.key} AS row_key FROM {_tables(source, condition)} WHERE {condition.text}"
        return [int(row["row_key"]) for row in self.rows(Sql(sql, condition.values))]

    def groups(self, query: Query, *, after: str, count: int) -> list[sqlite3.Row]:
        """At most `count` groups after the sort key `after`, for `grouped_result`. Raises QueryError as `page` does."""
        return self.rows(groups_sql(query, after=after, count=count))

    def devices(self, condition_text: str) -> list[Address]:
        """The devices that a job's condition selects now. Raises QueryError."""
        condition = parse_condition(condition_text)
        rows = self.rows(devices_sql(SOURCES[condition.collection], condition.where))
        return [Address(row["device_id"], row["module_id"] or None) for row in rows]

    def rows(self, sql: Sql) -> list[sqlite3.Row]:
        """The rows of a SELECT. Raises QueryError when it takes too long."""
        try:
            return self.rows_within(self.limit_s, sql)
        except TooSlow as err:
            raise self.too_slow() from err

    def rows_within(self, limit_s: float, sql: Sql) -> list[sqlite3.Row]:
        """The rows of a SELECT. limit_s: of CPU time. Raises TooSlow."""
        if self._presence is not None:
            self._presence.write()
        return self._database.rows_within(limit_s, sql.text, sql.values)

    def too_slow(self) -> QueryError:
        """The error of a query that takes longer than its limit."""
        return QueryError(f"it takes more than {self.limit_s:g} s of computing on this hub")

    def last_key(self, source: Source) -> int:
        """The key of the newest row of a collection; 0: there is none."""
        table, _, column = source.key.partition(".")
        row = self._database.row(f"SELECT max({column}) AS last FROM {table}")
        return 0 if row is None or row["last"] is None else int(row["last"])


def behind(source: Source, after: int) -> Sql:
    """The condition of the rows after one."""
    return Sql(f"{source.key} > ?", (after,))


def between(source: Source, after: int, until: int) -> Sql:
    """The condition of the rows after one and up to another."""
    return Sql(f"{source.key} > ? AND {source.key} <= ?", (after, until))


def among(source: Source, keys: Sequence[int]) -> Sql:
    """The condition of some rows."""
    return Sql(f"{source.key} IN (SELECT value FROM json_each(?))", (json.dumps(keys),))


def page_sql(source: Source, where: Expr | None, rows: Sql, *, count: int) -> Sql:
    """A SELECT of the first `count` rows, of those with the condition `rows`."""
    condition = _condition(source, where, rows)
    sql = (
        f"SELECT {source.fields}, {source.key} AS row_key FROM {source.tables} "
        f"WHERE {condition.text} ORDER BY {source.key} LIMIT ?"
    )
    return Sql(sql, (*condition.values, count))


def groups_sql(query: Query, *, after: str, count: int) -> Sql:
    """A SELECT of at most `count` groups after a sort key."""
    source = SOURCES[query.collection]
    rows = _grouped_rows(query, source, _condition(source, query.where))
    return grouped_sql(query, rows, source.columns, after=after, count=count)


def groups_of_sql(query: Query, rows: Sql) -> Sql:
    """A SELECT of the groups of the rows with the condition `rows`, for `AddedGroups`."""
    source = SOURCES[query.collection]
    condition = _condition(source, query.where, rows)
    return group_parts_sql(query, _grouped_rows(query, source, condition), source.columns)


def devices_sql(source: Source, where: Expr | None, rows: Sql = EVERY) -> Sql:
    """A SELECT of the ids of devices and modules, of the rows with the condition `rows`."""
    condition = _condition(source, where, rows)
    sql = f"SELECT device_id, module_id FROM {_tables(source, condition)} WHERE {condition.text} ORDER BY {source.key}"
    return Sql(sql, condition.values)


def _grouped_rows(query: Query, source: Source, condition: Sql) -> Sql:
    aggregates = query.projection.aggregates if isinstance(query.projection, Fields) else ()
    paths = (*query.group_by, *(each.path for each in aggregates if each.path is not None))
    columns = (found[0] for path in paths if (found := source.columns.find(path.parts)) is not None)
    return Sql(f"FROM {_tables(source, condition, *columns)} WHERE {condition.text}", condition.values)


def _tables(source: Source, condition: Sql, *columns: str) -> str:
    """The tables that hold what is read: a row of the second for each row that is looked at costs more than the rest.

    columns: that are read beside the condition's.
    """
    table = source.key.partition(".")[0]
    named = {name for text in (condition.text, *columns) for name in TABLE.findall(text)}
    return table if named <= {table} else source.tables


def _condition(source: Source, where: Expr | None, rows: Sql = EVERY) -> Sql:
    """The condition of a collection's rows, of an expression, and `rows`."""
    if where is None:
        return filled(f"{{}} AND {source.always}", rows)
    text, values = where_sql(where, source.columns)
    return filled(f"{{}} AND {source.always} AND ({{}})", rows, Sql(text, tuple(values)))
