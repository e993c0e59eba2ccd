"""Which columns of rows a user wants: typed, saved in az's configuration, or all; and which of them stand in twins."""

import re
from typing import TYPE_CHECKING, Any, NoReturn

from azext_iotjobs.cli.output.result_columns import ALL_COLUMNS
from azext_iotjobs.model.errors import BadValue

if TYPE_CHECKING:  # most results have no columns from twins
    from azext_iotjobs.model.twin_columns import TwinColumn

OPTION, SAVED = "--columns", "iotjobs.columns"
DISPLAY_NAME = "displayName"  # a column: the tag that holds a device's display name
COMMA = r",(?![^\[]*\]\])"  # none that stands in a name in [[ ]]


def chosen_columns(
    cmd: Any, typed: str | None, there: tuple[str, ...], unasked: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    """The columns to show, in the order in which they were asked for: of this command, or of twins.

    there: all that this command has; a saved choice may name others, for other commands.
    unasked: those that are shown where nobody has chosen; None: all of them.
    Raises BadValue for a column that is not there, or stands twice.
    """
    shown = there if unasked is None else unasked
    if typed is not None:
        return _listed(typed, there)
    saved = cmd.cli_ctx.config.get(*SAVED.split("."), fallback=None)
    if saved is None:
        return shown
    names = _listed(saved, ALL_COLUMNS, SAVED)
    return tuple(name for name in names if name in there or name not in ALL_COLUMNS) or shown


def twin_columns(cmd: Any, columns: tuple[str, ...]) -> "tuple[TwinColumn, ...]":
    """Those of the chosen columns that stand in twins. Raises BadValue where they are too long for a query."""
    names = [name for name in columns if name not in ALL_COLUMNS]
    if not names:
        return ()
    from azext_iotjobs.cli.input.display_name import display_name_tag
    from azext_iotjobs.model.twin_columns import TwinColumn, check_length, parse_twin_column

    found = tuple(
        TwinColumn(name, ("tags", *display_name_tag(cmd.cli_ctx)))
        if name == DISPLAY_NAME
        else parse_twin_column(name, OPTION)
        for name in names
    )
    check_length(found, OPTION)
    return found


def names_in(text: str) -> tuple[str, ...]:
    """The names of columns in a list with commas, as they are written."""
    return tuple(name.strip() for name in re.split(COMMA, text))


def _listed(text: str, there: tuple[str, ...], where: str = OPTION) -> tuple[str, ...]:
    names = names_in(text)
    others = [name for name in names if name not in (*there, DISPLAY_NAME)]
    if len(set(names)) < len(names) or any(name in ("", *ALL_COLUMNS) for name in others):
        _refuse(f"{where} {text[:80]!r}: give each column once.", there, where)
    if others:
        from azext_iotjobs.model.twin_columns import parse_twin_column

        for name in others:
            try:
                parse_twin_column(name, where)
            except BadValue as err:
                _refuse(str(err), there, where, err.hint)
    return names


def _refuse(why: str, there: tuple[str, ...], where: str, hint: str | None = None) -> NoReturn:
    hints = (hint, "To remove the saved choice: az config unset iotjobs.columns" if where == SAVED else None)
    raise BadValue(
        f"{why} Results have {', '.join(there)}.", hint=" ".join(each for each in hints if each is not None) or None
    )
