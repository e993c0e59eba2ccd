"""Which columns of rows a user wants: typed, kept in az's configuration, or all."""

from typing import Any

from azext_iotjobs.model.errors import BadValue


def chosen_columns(
    cmd: Any, typed: str | None, there: tuple[str, ...], elsewhere: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The columns to show, in the order in which they were asked for.

    there: all that this command has.  elsewhere: others, that a kept choice may name for other commands.
    Raises BadValue for a column that is not there, or stands twice.
    """
    if typed is not None:
        return _listed(typed, there)
    kept = cmd.cli_ctx.config.get("iotjobs", "columns", fallback=None)
    if kept is None:
        return there
    return tuple(name for name in _listed(kept, (*there, *elsewhere)) if name in there) or there


def _listed(text: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in allowed]
    if unknown or len(set(names)) < len(names):
        raise BadValue(
            f"--columns {text[:80]!r}: give each column once, from {', '.join(allowed)}.",
            hint="To remove a saved choice: az config unset iotjobs.columns",
        )
    return names
