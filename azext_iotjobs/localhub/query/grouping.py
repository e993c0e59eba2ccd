"""Which fields and aggregates a query may select, and their names."""

from dataclasses import replace

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.syntax_errors import error_at

# Our limits: SQLite returns at most 2000 columns, and its functions take at most 127 values.
MAX_GROUP_PATHS = 32
MAX_AGGREGATES = 100


def with_unnamed(fields: tuple[nodes.Field | nodes.Aggregate, ...]) -> nodes.Fields:
    """The selected members; unnamed aggregates are named $1, $2, … Raises QueryError for duplicate names."""
    # What the service calls an aggregate without alias is not published.
    unnamed, named = 0, list[nodes.Field | nodes.Aggregate]()
    for field in fields:
        unnamed += not field.name and isinstance(field, nodes.Aggregate)
        named.append(field if field.name or isinstance(field, nodes.Field) else replace(field, name=f"${unnamed}"))
    names = [field.name for field in named]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise QueryError(f"two members of the result are named {twice[:40]!r}; name one with AS")
    return nodes.Fields(tuple(named))


def check_grouping(query: nodes.Query, group_by_at: nodes.Position) -> None:
    """Raise QueryError for what the collection does not allow, and for a field without a value in a group.

    grouped_at: where GROUP BY stands.
    """
    if query.group_by and query.collection is not nodes.Collection.DEVICES:
        raise error_at(f"GROUP BY is for devices alone, not for {query.collection.value}", group_by_at)
    if len(query.group_by) > MAX_GROUP_PATHS:
        raise error_at(f"GROUP BY of more than {MAX_GROUP_PATHS} paths", query.group_by[MAX_GROUP_PATHS].at)
    if not isinstance(query.projection, nodes.Fields):
        if query.group_by:
            raise error_at("SELECT * cannot be grouped", group_by_at)
        return
    if query.collection is nodes.Collection.JOBS:
        raise error_at("devices.jobs can only be read with SELECT *", _place(query.projection.fields[0]))
    aggregates = query.projection.aggregates
    if aggregates and query.collection is nodes.Collection.MODULES:
        raise error_at("aggregates are for devices alone, not for devices.modules", aggregates[0].at)
    if len(aggregates) > MAX_AGGREGATES:
        raise error_at(f"more than {MAX_AGGREGATES} aggregates", aggregates[MAX_AGGREGATES].at)
    for field in query.projection.fields:
        if query.is_grouped and isinstance(field, nodes.Field) and field.path not in query.group_by:
            name = ".".join(field.path.parts)
            raise error_at(f"{name[:40]!r} is neither in GROUP BY nor an aggregate", field.path.at)


def _place(field: nodes.Field | nodes.Aggregate) -> nodes.Position:
    return field.at if isinstance(field, nodes.Aggregate) else field.path.at
