"""Resolves the names of a parsed query: removes prefixes and aliases, and gives the service's names their documented
spelling.

The size of a query is limited here too, since every expression is visited once.
"""

from dataclasses import replace

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.syntax_errors import error_at

# Our limits. SQLite's parser has a stack of 100 entries, its expressions are at most 1000 deep, a chain of AND or OR
# included, and its functions take at most 127 values.
MAX_DEPTH = 15  # of AND, OR, NOT, comparisons and sums; redundant parentheses do not count
MAX_CONDITIONS = 800  # that AND and OR combine
MAX_OPERANDS = 100  # of one calculation
TWIN_NAMES = tuple(
    "deviceId moduleId etag deviceEtag status statusReason statusUpdateTime connectionState lastActivityTime "
    "cloudToDeviceMessageCount authenticationType x509Thumbprint modelId version tags properties capabilities "
    "deviceScope parentScopes configurations".split()
)
JOB_NAMES = tuple(
    "deviceId moduleId jobId jobType status createdDateTimeUtc startTimeUtc endTimeUtc lastUpdatedDateTimeUtc outcome "
    "error".split()
)
# A published sample uses this name for the member createdDateTimeUtc.
ALIASES = {"createdtimeutc": "createdDateTimeUtc"}
# Prefixes of a collection's members; those of modules may also be addressed like those of devices.
PREFIXES = {
    nodes.Collection.DEVICES: (("devices",),),
    nodes.Collection.MODULES: (("devices", "modules"), ("devices",)),
    nodes.Collection.JOBS: (("devices", "jobs"),),
}
# The service's own names below desired and reported properties; no application's name begins with $.
SYSTEM_NAMES = {name.lower(): name for name in ("$version", "$metadata", "$lastUpdated", "$lastUpdatedVersion")}
SECOND_NAMES = {
    "properties": ("desired", "reported"),
    "capabilities": ("iotEdge",),
    "x509Thumbprint": ("primaryThumbprint", "secondaryThumbprint"),
}


class NameResolver:
    """Resolves the names of one query.

    alias: of the collection in FROM, or None.
    """

    def __init__(self, collection: nodes.Collection, alias: str | None) -> None:
        self._collection = collection
        self._alias = alias
        self._own = JOB_NAMES if collection is nodes.Collection.JOBS else TWIN_NAMES
        self._conditions = 0
        self._spelling = {**{name.lower(): name for name in self._own}, **ALIASES}

    def projection(self, projection: nodes.All | nodes.Fields) -> nodes.All | nodes.Fields:
        """A projection with its names resolved."""
        if not isinstance(projection, nodes.Fields):
            return projection
        return nodes.Fields(tuple(self._selected(each) for each in projection.fields))

    def condition(self, expr: nodes.Expr, depth: int = 0) -> nodes.Expr:
        """A condition with its names resolved. Raises QueryError when it is too large."""
        if not isinstance(expr, nodes.And | nodes.Or | nodes.Not):
            self._conditions += 1
            if self._conditions > MAX_CONDITIONS:
                raise QueryError(f"more than {MAX_CONDITIONS} conditions")
        return self._expr(expr, depth)

    def path(self, path: nodes.Path) -> nodes.Path:
        """A path without prefix, in the documented spelling. Raises QueryError for an unknown name of device jobs."""
        parts = self._without_prefix(path.parts)
        first = self._spelling.get(parts[0].lower(), parts[0])
        if self._collection is nodes.Collection.JOBS and first not in self._own:
            raise error_at(f"devices.jobs has no {first[:40]!r}", path.at)
        if len(parts) == 1:
            return replace(path, parts=(first,))
        spelling = {name.lower(): name for name in SECOND_NAMES.get(first, ())}
        rest = (SYSTEM_NAMES.get(part.lower(), part) for part in parts[2:]) if first == "properties" else parts[2:]
        return replace(path, parts=(first, spelling.get(parts[1].lower(), parts[1]), *rest))

    def _selected(self, selected: nodes.Field | nodes.Aggregate) -> nodes.Field | nodes.Aggregate:
        if isinstance(selected, nodes.Field):
            return replace(selected, path=self.path(selected.path))
        return replace(selected, path=selected.path and self.path(selected.path))

    def _expr(self, expr: nodes.Expr, depth: int) -> nodes.Expr:
        if depth > MAX_DEPTH:
            raise QueryError(f"expressions are nested deeper than {MAX_DEPTH} levels")
        match expr:
            case nodes.Path():
                return self.path(expr)
            case nodes.And(items):
                return nodes.And(tuple(self.condition(each, depth + 1) for each in items))
            case nodes.Or(items):
                return nodes.Or(tuple(self.condition(each, depth + 1) for each in items))
            case nodes.Not(item):
                return nodes.Not(self.condition(item, depth + 1))
            case nodes.Compare(operator, left, right):
                return nodes.Compare(operator, self._part(left, depth), self._part(right, depth))
            case nodes.In(operand, options):
                return nodes.In(self._part(operand, depth), options)
            case nodes.Arithmetic(first, rest):
                parts = tuple((sign, self._part(each, depth)) for sign, each in rest)
                return _bounded(nodes.Arithmetic(self._part(first, depth), parts))
            case nodes.Negate(item):
                return nodes.Negate(self._part(item, depth))
            case nodes.IsDefined(path):
                return nodes.IsDefined(self.path(path))
            case nodes.StartsWith(path) | nodes.ArrayContains(path):
                if self._collection is nodes.Collection.JOBS:
                    raise error_at("devices.jobs knows no function but IS_DEFINED", expr.at)
                return replace(expr, path=self.path(path))
            case nodes.Constant() | nodes.Array():
                return expr

    def _part(self, expr: nodes.Expr, depth: int) -> nodes.Expr:
        """An operand; only one that has operands itself is a level deeper."""
        if isinstance(expr, nodes.Path | nodes.Constant | nodes.Array):
            return self._expr(expr, depth)
        is_number = isinstance(expr, nodes.Arithmetic | nodes.Negate)
        return self._expr(expr, depth + 1) if is_number else self.condition(expr, depth + 1)

    def _without_prefix(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        lowered = tuple(part.lower() for part in parts)
        aliases = ((self._alias.lower(),),) if self._alias is not None else ()
        for prefix in (*aliases, *PREFIXES[self._collection]):
            if len(parts) > len(prefix) and lowered[: len(prefix)] == prefix:
                return parts[len(prefix) :]
        return parts


def _bounded(calculation: nodes.Arithmetic) -> nodes.Arithmetic:
    if _operands(calculation) > MAX_OPERANDS:
        raise QueryError(f"a calculation of more than {MAX_OPERANDS} values")
    return calculation


def _operands(expr: nodes.Expr) -> int:
    match expr:
        case nodes.Arithmetic(first, rest):
            return _operands(first) + sum(_operands(each) for _, each in rest)
        case nodes.Negate(item):
            return _operands(item)
    return 1
