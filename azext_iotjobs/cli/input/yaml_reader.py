"""Texts in YAML or JSON -> items that know where they stand."""

import re
from collections.abc import Callable
from typing import Any

import yaml

from azext_iotjobs.cli.input import json_nodes
from azext_iotjobs.cli.input.yaml_items import JSON_NUMBER, Item, Limits, Place, Source
from azext_iotjobs.model.errors import BadValue

SMALL = Limits(size_bytes=256 * 1024, values=50_000, depth=40, digits=17)  # the hub takes numbers of 16 digits
JSON_OBJECT = re.compile(r"\ufeff?\s*\{\s*[\"}]")  # YAML's own objects in braces have no quotes around their keys


def read(content: str, name: str) -> Item:
    """Read a small YAML text, which holds one document.

    name: how errors name it.
    Raises BadValue, with the line.
    """
    source = Source(name=name, limits=SMALL)
    _check_size(content, source)
    node = _composed(lambda: yaml.compose(content, Loader=yaml.BaseLoader), source)
    if node is None:
        raise BadValue(f"{name} is empty.")
    return Item(node, "", source)


def read_documents(content: str, source: Source) -> list[Item]:
    """Read a text that holds YAML documents, or one in JSON. None of them is empty.

    source: where the text is JSON, its notation of numbers and its limit are set here.
    Raises BadValue, with the place.
    """
    if JSON_OBJECT.match(content):
        source.number = JSON_NUMBER
        source.limits = source.limits._replace(values=len(content))  # it has no aliases
        return [Item(json_nodes.read(content, source), "", source)]
    _check_size(content, source)
    nodes = _composed(lambda: list(yaml.compose_all(content, Loader=yaml.BaseLoader)), source)
    items = [Item(node, "", source) for node in nodes]
    there = [each for each in items if each.is_object or each.is_list or each.written.text]
    if not there:
        raise BadValue(f"{source.name} is empty.")
    return there


def _check_size(content: str, source: Source) -> None:
    most = source.limits.size_bytes
    if len(content.encode("utf-8", "surrogatepass")) > most:
        raise BadValue(f"{source.name} is larger than {most // 1024} KB.")


def _composed(compose: Callable[[], Any], source: Source) -> Any:
    """The nodes of a text. Raises BadValue for what is not YAML."""
    try:
        return compose()
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        where = source.name if mark is None else source.at(Place(mark.line + 1, mark.column + 1))
        raise BadValue(f"{where}: this is not YAML: {err.problem or err.context}.", hint=_hint(err)) from None
    except yaml.YAMLError as err:
        raise BadValue(f"{source.name}: this is not YAML: {str(err).splitlines()[0]}.") from None
    except RecursionError:
        raise BadValue(f"{source.name}: it is nested too deeply.") from None


def _hint(err: yaml.MarkedYAMLError) -> str | None:
    if "'$'" in str(err.problem) or "flow" in str(err.context):
        return 'Within braces and brackets, ${…} has to stand in quotes: {at: "${now}"}.'
    return None
