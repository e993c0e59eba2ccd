"""Write the table of members in docs/reference/fleet-job-file.md from the schema of files of fleet jobs.

`make docs` calls this; a test keeps the page equal to what it produces.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from azext_iotjobs.cli.fleet_job.job_file.form import json_schema

PAGE = Path(__file__).parents[1] / "reference" / "fleet-job-file.md"
PART = re.compile(r"(?<=<!-- made: members -->\n).*?(?=<!-- end -->)", re.DOTALL)
UNREAD = "Not read."  # what `fleet-job show` prints of the past
LARGEST = 10**15  # a bound from here on only keeps numbers exact


def page(written: str) -> str:
    """The page with its table made anew."""
    made, count = PART.subn(table().replace("\\", r"\\"), written)
    if count != 1:
        raise ValueError(f"{PAGE.name} must have one part that is marked as made: members")
    return made


def table() -> str:
    """A row for each member that is read."""
    rows = [f"| `{name}` | {means} | {may_be} |\n" for name, means, may_be in members(json_schema())]
    return "| member | is | may be |\n|---|---|---|\n" + "".join(rows)


def members(schema: dict[str, Any], above: str = "") -> Iterator[tuple[str, str, str]]:
    """Path, meaning and form of each member, those of members below it.

    schema: of an object. above: the path that it is at, with a dot at its end.
    """
    for name, each in schema.get("properties", {}).items():
        means = each.get("description", UNREAD)
        if means == UNREAD:
            continue
        needed = "**Required.** " if name in schema.get("required", ()) else ""
        yield above + name, f"{needed}{means.replace('|', '&#124;')}", form(each)
        yield from members(each, f"{above}{name}.")


def form(schema: dict[str, Any]) -> str:
    """What a value may be, in words."""
    if "properties" in schema:
        return "members, below"
    kinds = "; ".join(dict.fromkeys(filter(None, map(_kind, schema.get("anyOf", [schema])))))
    return re.sub(r"^(.+); a list of these: \1$", r"\1; a list of these", kinds)


def _kind(schema: dict[str, Any]) -> str:
    types = schema.get("type", [])
    names = {types} if isinstance(types, str) else set(types)
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"] if not str(word).isdigit())
    if "pattern" in schema:
        return "a share, such as `20%`"
    if "properties" in schema:
        return f"`{{{', '.join(schema['properties'])}}}`"
    if "array" in names:
        return f"a list of these: {form(schema['items'])}"
    words = {"string": "text", "boolean": "`true`, `false`", "object": "an object"}
    if given := next((words[each] for each in words if each in names), None):
        return given
    if names & {"integer", "number"}:
        return _number(schema, whole="integer" in names)
    return "" if names or "$ref" in schema else "any JSON"


def _number(schema: dict[str, Any], whole: bool) -> str:
    kind = "a whole number" if whole else "a number"
    least, above, most = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    bounded = most is not None and most < LARGEST
    if above is not None:
        return f"{kind} above {above:,}" + (f", {most:,.0f} at most" if bounded else "")
    if least is None or least <= -LARGEST:
        return kind
    return f"{kind}, {least:,.0f} to {most:,.0f}" if bounded else f"{kind}, {least:,.0f} or more"


def write() -> None:
    """Bring the page up to date."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
