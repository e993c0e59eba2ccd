"""Options that many commands have."""

import argparse
import itertools
from collections.abc import Callable
from typing import Any

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli import completion

Context = Any  # azure.cli.core.commands.AzArgumentContext
AddOptions = Callable[[Context], None]
Options = dict[str, tuple[AddOptions, ...]]  # command -> what adds its options

# What json_values.py takes; an option of this kind has nargs="+", for the pairs.
# Those of model.result, which is not imported here: every command starts with this file.
ERROR_CLASSES = ("offline", "timeout", "throttled", "not-found", "rejected", "other")
JSON_FORMS = "JSON, `@file`, `-` for standard input, or pairs such as `delay=5 options.mode=fast`"

ETAG = "ETAG"
ALL = "*"

_edit_number = itertools.count()


class EditAction(argparse.Action):
    """Keeps the order in which --set, --add and --remove were typed: the edits are carried out in that order."""

    def __call__(self, _parser: Any, namespace: Any, values: Any, _option: str | None = None) -> None:
        edits = [*(getattr(namespace, self.dest) or []), (next(_edit_number), values)]
        setattr(namespace, self.dest, edits)


def rows(file_help: str, group: str | None = None) -> AddOptions:
    """Rows of devices as a result or in a file; `file_help` says how the file is written."""

    def add(c: Context) -> None:
        c.argument("shown_columns", options_list=["--columns"], arg_group=group,
                   help="Columns to show, with commas between them. `az config set iotjobs.columns=…` keeps a choice. "
                        "Default: all.")  # fmt: skip
        c.argument("rows_file", options_list=["--output-file"], arg_group=group, help=file_help)
        c.argument("rows_form", options_list=["--format"], arg_type=get_enum_type(["csv", "jsonl", "json"]),
                   arg_group=group, help="Form of --output-file. Default: as its name ends: .csv, .json, .jsonl or "
                                        ".ndjson; csv where it ends in none.")  # fmt: skip
        c.argument("overwrites", options_list=["--overwrite"], action="store_true", arg_group=group,
                   help="Write --output-file anew, whatever is in it.")  # fmt: skip

    return add


def hub(c: Context) -> None:
    """Which hub, and a key for it."""
    group = "IoT Hub Identifier"
    c.extra("hub", options_list=["--hub-name", "-n"], arg_group=group, completer=completion.hub_names,
            help="The hub's name, which is looked up in Azure, its host name, or localhost[:PORT] for a running local "
                 "hub.")  # fmt: skip
    c.extra("hub_login", options_list=["--login", "-l"], arg_group=group,
            help="The hub's connection string with a policy key. `-l @file` reads it from a file and keeps it out of "
                 "the process list. When no hub is typed, IOTJOBS_CONNECTION_STRING is used.")  # fmt: skip
    c.extra("hub_group", options_list=["--resource-group", "-g"], arg_group=group,
            help="Resource group of the hub, to narrow its look-up in Azure.")  # fmt: skip


def required_hub(c: Context) -> None:
    """Which hub, where the reference wants its name also beside --login."""
    hub(c)
    c.extra("hub", options_list=["--hub-name", "-n"], arg_group="IoT Hub Identifier", required=True,
            help="The hub's host name, or localhost[:PORT] for a running local hub.")  # fmt: skip


def auth_type(c: Context) -> None:
    """How to sign in."""
    c.extra("hub_auth", options_list=["--auth-type"], arg_type=get_enum_type(["key", "login"]),
            arg_group="Access Control",
            help="`key`: a policy's key, the one given or one that Azure gives. `login`: as az is signed in (Microsoft "
                 "Entra), with a role such as IoT Hub Data Contributor. Default: key, or as in `az configure "
                 "--defaults iothub-data-auth-type=login`.")  # fmt: skip


def checked(dest: str, option: str, kind: str) -> Callable[[Any], None]:
    """What az calls once a line is read: it refuses what cannot be such an id, before anything is asked or sent.

    dest: the option's.  kind: the name of an IdKind in model.ids, or ETAG.  Where an option takes many, * is all.
    """

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
                    ids.check_etag(each, option)
                elif each != ALL or isinstance(typed, str):
                    ids.check_id(getattr(ids, kind), each, option)
        except UserError as err:
            to_az_error(err)

    return check


def device(c: Context) -> None:
    """One device."""
    c.argument("device", options_list=["--device-id", "-d"], completer=completion.device_ids, help="Device id.",
               validator=checked("device", "--device-id", "DEVICE"))  # fmt: skip


def module(c: Context) -> None:
    """One module of a device."""
    c.argument("module", options_list=["--module-id", "-m"], help="Module id.",
               validator=checked("module", "--module-id", "MODULE"))  # fmt: skip


def which_key(c: Context) -> None:
    """One of two keys."""
    c.argument("which_key", options_list=["--key-type", "--kt"], arg_type=get_enum_type(["primary", "secondary"]),
               help="Which of its keys.")  # fmt: skip


def host_kind(c: Context) -> None:
    """Which of a hub's host names."""
    c.argument("host_kind", options_list=["--hostname-type", "--ht"],
               arg_type=get_enum_type(["auto", "classic", "device", "service"]),
               help="Which host name, of a hub on a newer gateway, which has three: HUB.azure-devices.net, "
                    "HUB.device.azure-devices.net, HUB.service.azure-devices.net. auto: the one for what it is used "
                    "for, where the hub is known to have it.")  # fmt: skip


def if_match(c: Context) -> None:
    """An etag that must still hold."""
    c.argument("if_match", options_list=["--etag", "-e"],
               help="Go on only if the hub's copy still has this etag. Default: whatever is there.",
               validator=checked("if_match", "--etag", ETAG))  # fmt: skip


def edits(c: Context) -> None:
    """The generic edits."""
    for dest, option, text in (
        ("set_edits", "--set", "Set a property: `--set path.to.property=value`."),
        ("add_edits", "--add", "Append to a list: `--add path.to.list value`."),
        ("remove_edits", "--remove", "Remove a property or list item: `--remove path.to.property`."),
    ):
        c.argument(dest, options_list=[option], nargs="+", action=EditAction, arg_group="Generic Update", help=text)
    c.argument("as_string", options_list=["--force-string"], action="store_true", arg_group="Generic Update",
               help="With --set and --add, keep values as text instead of reading them as JSON.")  # fmt: skip


def top(default: int | None) -> AddOptions:
    """How many items at most; None: all."""

    def add(c: Context) -> None:
        c.argument("limit", options_list=["--top"], type=int, default=default,
                   help="At most so many items." + (" Default: all." if default is None else ""))  # fmt: skip

    return add


def edge(help_text: str) -> AddOptions:
    """Edge devices alone, or whether it is one."""

    def add(c: Context) -> None:
        c.argument("edge", options_list=["--edge-enabled", "--ee"], arg_type=get_three_state_flag(), help=help_text)

    return add


def success(c: Context) -> None:
    """Which method statuses mean success."""
    c.argument("success", options_list=["--success-status"],
               help="Method statuses with which a device has succeeded: numbers and ranges.")  # fmt: skip


def body(c: Context) -> None:
    """A message's body and properties."""
    c.argument("body", options_list=["--data", "--da"], help="The message's body, as text.")
    c.argument("body_file", options_list=["--data-file-path", "--dfp"],
               help="File whose content is the message's body; it wins over --data.")  # fmt: skip
    c.argument("message_properties", options_list=["--properties", "--props", "-p"],
               help="Properties of the message: `key=value;key=value`.")  # fmt: skip
