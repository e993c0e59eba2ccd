"""Builds nodes from the grammar's rules, and a query that its collection allows from the whole."""

from typing import Any

from lark import Token, Transformer

from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.constants import number_of, string_of, top_of
from azext_iotjobs.localhub.query.grouping import check_grouping, with_unnamed
from azext_iotjobs.localhub.query.resolver import NameResolver
from azext_iotjobs.localhub.query.syntax_errors import error_at, position

MAX_PATH_NAMES = 32  # our limit
OPERATORS = {"!=": nodes.Operator.NE, **{each.value: each for each in nodes.Operator}}


class Builder(Transformer[Token, Any]):
    """Builds a node from each rule; names are resolved once the whole query is known."""

    def query(self, parts: list[Any]) -> nodes.Query:
        _, _, top, projection, _, collection, alias, _, where, groups = parts
        names = NameResolver(collection, alias)
        group_by_at, paths = groups or ((1, 1), ())
        query = nodes.Query(
            projection=names.projection(projection),
            collection=collection,
            where=names.condition(where) if where is not None else None,
            top=None if top is None else top_of(top),
            group_by=tuple(names.path(path) for path in paths),
        )
        check_grouping(query, group_by_at)
        return query

    def everything(self, _parts: list[Any]) -> nodes.Condition:
        return nodes.Condition(collection=nodes.Collection.DEVICES, where=None)

    def of_collection(self, parts: list[Any]) -> nodes.Condition:
        _, collection, alias, _, where = parts
        return nodes.Condition(collection=collection, where=NameResolver(collection, alias).condition(where))

    def plain(self, parts: list[Any]) -> nodes.Condition:
        collection = nodes.Collection.DEVICES
        return nodes.Condition(collection=collection, where=NameResolver(collection, None).condition(parts[0]))

    def all(self, _parts: list[Any]) -> nodes.All:
        return nodes.All()

    def fields(self, parts: list[nodes.Field | nodes.Aggregate]) -> nodes.Fields:
        return with_unnamed(tuple(parts))

    def field(self, parts: list[Any]) -> nodes.Field:
        path, _, name = parts
        return nodes.Field(path, path.parts[-1] if name is None else str(name))

    def count(self, parts: list[Any]) -> nodes.Aggregate:
        word, _, name = parts
        return nodes.Aggregate(nodes.Function.COUNT, None, str(name or ""), position(word))

    def aggregate(self, parts: list[Any]) -> nodes.Aggregate:
        word, path, _, name = parts
        return nodes.Aggregate(nodes.Function(word.lower()), path, str(name or ""), position(word))

    def groups(self, parts: list[Any]) -> tuple[nodes.Position, list[nodes.Path]]:
        return position(parts[0]), parts[1:]

    def collection(self, parts: list[Token]) -> nodes.Collection:
        name = ".".join(parts).lower()
        for each in nodes.Collection:
            if each.value == name:
                return each
        raise error_at(f"there is no collection {name[:40]!r}", position(parts[0]))

    def alias(self, parts: list[Any]) -> str:
        return str(parts[-1])

    def name(self, parts: list[Token]) -> Token:
        (token,) = parts
        return token.update(value=token[2:-2]) if token.type == "QUOTED" else token

    def path(self, parts: list[Token]) -> nodes.Path:
        if len(parts) > MAX_PATH_NAMES:
            raise error_at(f"a path of more than {MAX_PATH_NAMES} names", position(parts[MAX_PATH_NAMES]))
        return nodes.Path(tuple(map(str, parts)), position(parts[0]))

    def array(self, parts: list[nodes.Constant]) -> nodes.Array:
        return nodes.Array(tuple(parts))

    def or_(self, parts: list[Any]) -> nodes.Or:
        return nodes.Or(tuple(parts[::2]))

    def and_(self, parts: list[Any]) -> nodes.And:
        return nodes.And(tuple(parts[::2]))

    def not_(self, parts: list[Any]) -> nodes.Not:
        return nodes.Not(parts[1])

    def compare(self, parts: list[Any]) -> nodes.Compare:
        left, operator, right = parts
        return nodes.Compare(OPERATORS[str(operator)], left, right)

    def in_(self, parts: list[Any]) -> nodes.In:
        return nodes.In(parts[0], parts[2])

    def nin(self, parts: list[Any]) -> nodes.Not:
        return nodes.Not(nodes.In(parts[0], parts[2]))

    def arithmetic(self, parts: list[Any]) -> nodes.Arithmetic:
        signs = (nodes.Sign(str(sign)) for sign in parts[1::2])
        return nodes.Arithmetic(parts[0], tuple(zip(signs, parts[2::2], strict=True)))

    def negate(self, parts: list[Any]) -> nodes.Constant | nodes.Negate:
        item = parts[1]
        # A number with its sign is a constant, which is never rounded.
        if isinstance(item, nodes.Constant) and isinstance(item.value, int | float) and item.value is not True:
            return nodes.Constant(-item.value) if item.value is not False else nodes.Negate(item)
        return nodes.Negate(item)

    def is_defined(self, parts: list[Any]) -> nodes.IsDefined:
        return nodes.IsDefined(parts[1])

    def starts_with(self, parts: list[Any]) -> nodes.StartsWith:
        word, path, prefix = parts
        return nodes.StartsWith(path, string_of(prefix), position(word))

    def array_contains(self, parts: list[Any]) -> nodes.ArrayContains:
        word, path, item = parts
        return nodes.ArrayContains(path, item, position(word))

    def string(self, parts: list[Token]) -> nodes.Constant:
        return nodes.Constant(string_of(parts[0]))

    def number(self, parts: list[Token]) -> nodes.Constant:
        return nodes.Constant(number_of(parts[0]))

    def true(self, _parts: list[Any]) -> nodes.Constant:
        return nodes.Constant(True)

    def false(self, _parts: list[Any]) -> nodes.Constant:
        return nodes.Constant(False)

    def null(self, _parts: list[Any]) -> nodes.Constant:
        return nodes.Constant(None)

    def undefined(self, _parts: list[Any]) -> nodes.Constant:
        return nodes.Constant(nodes.UNDEFINED)
