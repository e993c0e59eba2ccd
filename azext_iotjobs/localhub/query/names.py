"""Names in a parsed query -> places: prefixes and aliases go, the service's own names get their documented spelling.

This is also where a query's size is bounded, since every expression passes here once.
"""

from dataclasses import replace

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query import nodes

# Bounds of ours. SQLite's parser holds 100 open things and its expressions are at most 1000 deep, a chain of AND or OR
# included.
MAX_DEPTH = 15  # of AND, OR and NOT in one another; parentheses that change nothing do not count
MAX_CONDITIONS = 800  # between AND and OR
TWIN_NAMES = (
    "deviceId", "moduleId", "etag", "deviceEtag", "status", "statusReason", "statusUpdateTime", "connectionState",
    "lastActivityTime", "cloudToDeviceMessageCount", "authenticationType", "x509Thumbprint", "modelId", "version",
    "tags", "properties", "capabilities", "deviceScope", "parentScopes",
)  # fmt: skip
JOB_NAMES = (
    "deviceId", "moduleId", "jobId", "jobType", "status", "createdDateTimeUtc", "startTimeUtc", "endTimeUtc",
    "lastUpdatedDateTimeUtc", "outcome", "error",
)  # fmt: skip
# What a published sample calls the member that records call createdDateTimeUtc.
ALIASES = {"createdtimeutc": "createdDateTimeUtc"}
SECOND_NAMES = {"properties": ("desired", "reported"), "capabilities": ("iotEdge",)}


class Names:
    """Resolves the names of one query.

    alias: what FROM calls the collection; None when it does not.
    """

    def __init__(self, collection: nodes.Collection, alias: str | None) -> None:
        self._collection = collection
        self._alias = alias
        own = JOB_NAMES if collection is nodes.Collection.JOBS else TWIN_NAMES
        self._conditions = 0
        self._spelling = {**{name.lower(): name for name in own}, **ALIASES}

    def projection(self, projection: nodes.All | nodes.Count | nodes.Fields) -> nodes.All | nodes.Count | nodes.Fields:
        """A projection with its names resolved."""
        if not isinstance(projection, nodes.Fields):
            return projection
        return nodes.Fields(tuple(replace(each, path=self._path(each.path)) for each in projection.fields))

    def expr(self, expr: nodes.Expr, depth: int = 0) -> nodes.Expr:
        """An expression with its names resolved. Raises QueryError when it is too large."""
        if depth > MAX_DEPTH:
            raise QueryError(f"AND, OR and NOT are nested deeper than {MAX_DEPTH} levels")
        if not isinstance(expr, nodes.And | nodes.Or | nodes.Not):
            self._conditions += 1
            if self._conditions > MAX_CONDITIONS:
                raise QueryError(f"more than {MAX_CONDITIONS} conditions")
        match expr:
            case nodes.And(items):
                return nodes.And(tuple(self.expr(each, depth + 1) for each in items))
            case nodes.Or(items):
                return nodes.Or(tuple(self.expr(each, depth + 1) for each in items))
            case nodes.Not(item):
                return nodes.Not(self.expr(item, depth + 1))
            case nodes.Compare(operator, left, right):
                return nodes.Compare(operator, self._operand(left), self._operand(right))
            case nodes.In(operand, options):
                return nodes.In(self._operand(operand), options)
            case nodes.IsDefined(path):
                return nodes.IsDefined(self._path(path))
            case nodes.StartsWith(path, prefix):
                return nodes.StartsWith(self._path(path), prefix)
            case nodes.Truth(operand):
                return nodes.Truth(self._operand(operand))

    def _operand(self, operand: nodes.Operand) -> nodes.Operand:
        return self._path(operand) if isinstance(operand, nodes.Path) else operand

    def _path(self, path: nodes.Path) -> nodes.Path:
        parts = self._without_prefix(path.parts)
        first = self._spelling.get(parts[0].lower(), parts[0])
        if len(parts) == 1:
            return nodes.Path((first,))
        spelling = {name.lower(): name for name in SECOND_NAMES.get(first, ())}
        return nodes.Path((first, spelling.get(parts[1].lower(), parts[1]), *parts[2:]))

    def _without_prefix(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        if self._alias is not None and len(parts) > 1 and parts[0] == self._alias:
            return parts[1:]
        prefix = tuple(self._collection.value.split("."))
        lowered = tuple(part.lower() for part in parts)
        if len(parts) > len(prefix) and lowered[: len(prefix)] == prefix:
            return parts[len(prefix) :]
        return parts
