"""The display name of a device: a tag, `displayName` unless az's configuration names another one.

`az config set iotjobs.display_name_tag=about.name` has it kept elsewhere.
"""

from typing import Any

from azext_iotjobs.cli.input.tag_paths import TagPath, parse_tag_path, tag_at

OPTION = "display_name_tag"
DEFAULT = "displayName"


def display_name_tag(cli_ctx: Any) -> TagPath:
    """Where the display name is, below `tags`. Raises BadValue for a configured path that no tag has."""
    configured = cli_ctx.config.get("iotjobs", OPTION, fallback=None)
    return parse_tag_path(configured or DEFAULT, f"iotjobs.{OPTION}")


def display_name(tags: Any, path: TagPath) -> str | None:
    """The display name in a device's tags; None where it has none. A name is text: other values are none."""
    found = tag_at(tags, path)
    return found if isinstance(found, str) and found else None


_noted: TagPath = (DEFAULT,)  # az runs one command a process


def note(cli_ctx: Any) -> None:
    """Remember where the display name is, for tables: they are made of documents alone. Raises as above."""
    global _noted
    _noted = display_name_tag(cli_ctx)


def noted_display_name(document: Any) -> str | None:
    """The display name in a twin, or in what else has its tags."""
    return display_name(document.get("tags"), _noted)
