"""The target condition of a configuration -> nodes: a job's condition, of the members that may decide."""

from collections.abc import Iterator

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.nodes import Collection
from azext_iotjobs.localhub.query.parser import parse_condition
from azext_iotjobs.localhub.query.syntax_errors import error_at


def parse_target(text: str) -> nodes.Condition | None:
    """A target condition; None for an empty one, which targets nothing.

    Raises QueryError, also for members of twins other than deviceId, tags and reported properties, and of modules
    moduleId. Source: IoT Hub devguide "automatic device management", target conditions.
    """
    if not text.strip():
        return None
    condition = parse_condition(text)
    for path in _paths(condition.where):
        if not _may_decide(path.parts, condition.collection):
            name = ".".join(path.parts)[:100]
            raise error_at(f"{name!r} cannot be in a target condition", path.at)
    return condition


def _may_decide(parts: tuple[str, ...], collection: Collection) -> bool:
    if parts[0] == "moduleId":
        return collection is Collection.MODULES
    return parts[0] in ("deviceId", "tags") or parts[:2] == ("properties", "reported")


def _paths(expr: nodes.Expr | None) -> Iterator[nodes.Path]:
    """Every path in an expression."""
    match expr:
        case nodes.Path():
            yield expr
        case nodes.And(items) | nodes.Or(items):
            for item in items:
                yield from _paths(item)
        case nodes.Not(item) | nodes.Negate(item):
            yield from _paths(item)
        case nodes.Compare(_, left, right):
            yield from _paths(left)
            yield from _paths(right)
        case nodes.In(operand):
            yield from _paths(operand)
        case nodes.Arithmetic(first, rest):
            yield from _paths(first)
            for _, item in rest:
                yield from _paths(item)
        case nodes.IsDefined(path) | nodes.StartsWith(path) | nodes.ArrayContains(path):
            yield path


def check_metric(query: nodes.Query) -> None:
    """Raise QueryError for a query that cannot be a metric: one of device jobs."""
    if query.collection is Collection.JOBS:
        raise QueryError("a metric counts devices or modules, not device jobs")
