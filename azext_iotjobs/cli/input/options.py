"""Options as data: what az registers of each, and the groups of them that commands have."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

ETAG = "ETAG"
ALL = "*"


class Option(NamedTuple):
    """One option. The handler takes it by the name `dest`: as a parameter, or, if it is an extra, in a group."""

    dest: str
    names: tuple[str, ...]  # as they are typed: --job-id, -j
    settings: Mapping[str, Any]  # what az takes: help, type, nargs, choices, completer, …
    is_extra: bool


Group = tuple[Option, ...]  # options that go together
Options = tuple[Group, ...]  # all of a command's


def option(
    dest: str, names: str, text: str, *, group: str | None = None, id_kind: str | None = None, **settings: Any
) -> Option:
    """An option that is a parameter of its command's handler.

    names: as they are typed, with spaces between them.  text: its line of help.  group: its heading in the help.
    id_kind: what it has to be, before anything is asked or sent: the name of an IdKind in model.ids, or ETAG.
    settings: what az and argparse take beside: type, nargs, action, completer, …; is_deprecated: it is not in the help.
    """
    spelled = tuple(names.split())
    if id_kind is not None:
        settings["validator"] = _checked(dest, spelled[0], id_kind)
    return Option(dest, spelled, {"help": text, "arg_group": group, **settings}, False)


def extra(dest: str, names: str, text: str, **settings: Any) -> Option:
    """An option that its command's handler takes in a group of options, or that the client factory takes out before."""
    if settings.get("action") == "store_true":
        settings.setdefault("default", False)
    return option(dest, names, text, **settings)._replace(is_extra=True)


def positional(dest: str, metavar: str, text: str, **settings: Any) -> Option:
    """What is typed without a name, as a parameter of its command's handler; a command has at most one.

    metavar: what stands for it in the help.
    """
    return Option(dest, (), {"help": text, "metavar": metavar, **settings}, False)


def register(context: Any, options: Options) -> None:
    """Enter a command's options in az's argument context."""
    for group in options:
        for each in group:
            add = context.extra if each.is_extra else context.argument
            settings = dict(each.settings)
            if settings.pop("is_deprecated", False):  # az makes what it says of that
                settings["deprecate_info"] = context.deprecate(hide=True, target=each.names[0])
            if not each.names:
                context.positional(each.dest, **settings)
                continue
            add(each.dest, options_list=list(each.names), **settings)


def _checked(dest: str, name: str, kind: str) -> Callable[[Any], None]:
    """What az calls once a line is read: it refuses what cannot be such an id. Where an option takes many, * is all."""

    def check(namespace: Any) -> None:
        typed = getattr(namespace, dest, None)
        if typed is None:
            return
        from azext_iotjobs.cli.errors import to_az_error
        from azext_iotjobs.model import ids  # here: few lines name everything that can be named
        from azext_iotjobs.model.errors import UserError

        try:
            for each in [typed] if isinstance(typed, str) else typed:
                if kind == ETAG:
                    ids.check_etag(each, name)
                elif each != ALL or isinstance(typed, str):
                    ids.check_id(getattr(ids, kind), each, name)
        except UserError as err:
            to_az_error(err)

    return check
