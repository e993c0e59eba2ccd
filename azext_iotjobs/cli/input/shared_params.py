"""Options that several command groups have."""

import argparse
import itertools
from typing import Any

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli.hub_access import completers
from azext_iotjobs.cli.input.options import ETAG, Group, extra, option

SUCCESS_STATUS = "200-399"

ID_LIST = "with commas between them; one that holds a comma stands in double quotes."

# What input/json_option.py reads; an option of this kind has nargs="+", for the pairs.
_FORMS = "JSON, `@file`, `-` for standard input, or pairs such as"
JSON_FORMS = f"{_FORMS} `delay=5 options.mode=fast`"
TAG_FORMS = f"{_FORMS} `site=north place.floor=2`"
PATCH_FORMS = f"{_FORMS} `tags.site=north properties.desired.delay=5`"


_edit_number = itertools.count()


class EditAction(argparse.Action):
    """Keeps the order in which --set, --add and --remove were typed: the edits are carried out in that order."""

    def __call__(self, _parser: Any, namespace: Any, values: Any, _option: str | None = None) -> None:
        edits = [*(getattr(namespace, self.dest) or []), (next(_edit_number), values)]
        setattr(namespace, self.dest, edits)


# Which hub, and a key for it.
HUB: Group = (
    extra(
        "our_hub_name",
        "--hub-name -n",
        "The hub's name, which is looked up in Azure, its host name, or localhost[:PORT] for a running local hub.",
        group="IoT Hub Identifier",
        completer=completers.hub_names,
    ),
    extra(
        "our_login",
        "--login -l",
        "The hub's connection string with a policy key. `-l @file` reads it from a file and keeps it out of "
        "the process list. When no hub is typed, IOTJOBS_CONNECTION_STRING is used.",
        group="IoT Hub Identifier",
    ),
    extra(
        "resource_group",
        "--resource-group -g",
        "Resource group of the hub, to narrow its look-up in Azure.",
        group="IoT Hub Identifier",
    ),
)


# Which hub, where the reference wants its name also beside --login.
REQUIRED_HUB: Group = (
    *HUB,
    extra(
        "our_hub_name",
        "--hub-name -n",
        "The hub's host name, or localhost[:PORT] for a running local hub.",
        group="IoT Hub Identifier",
        required=True,
    ),
)


# Where fleet jobs are.
STATE: Group = (
    extra(
        "state_dir",
        "--state-dir",
        "Folder that holds the fleet jobs. Default: iotjobs/fleet-jobs in az's configuration folder.",
        group="Store",
    ),
    extra(
        "store",
        "--store",
        "Database of a team that holds the fleet jobs, in place of a folder: postgresql://ROLE@HOST/DATABASE, without "
        "a password. Default: the environment's IOTJOBS_STORE, or as in `az config set iotjobs.store=postgresql://…`.",
        group="Store",
    ),
    extra(
        "store_auth",
        "--store-auth",
        "`password`: of PGPASSWORD, --store-password-file or ~/.pgpass. `login`: as az is signed in (Microsoft Entra); "
        "the URL's role is that of the user. Default: password, or as in `az config set iotjobs.store_auth=login`.",
        group="Store",
        arg_type=get_enum_type(["password", "login"]),
    ),
    extra(
        "store_password_file",
        "--store-password-file",
        "File whose first line is the store's password.",
        group="Store",
    ),
)


# How to sign in.
AUTH_TYPE: Group = (
    extra(
        "auth_type",
        "--auth-type",
        "`key`: a policy's key, given or looked up in Azure. `login`: as az is signed in (Microsoft Entra), with a "
        "role such as IoT Hub Data Contributor. Default: key, or as in `az configure --defaults "
        "iothub-data-auth-type=login`.",
        group="Access Control",
        arg_type=get_enum_type(["key", "login"]),
    ),
)


# One device.
DEVICE: Group = (
    option(
        "our_device_id",
        "--device-id -d",
        "Device id.",
        completer=completers.device_ids,
        id_kind="DEVICE",
    ),
)


# One module of a device.
MODULE: Group = (option("our_module_id", "--module-id -m", "Module id.", id_kind="MODULE"),)


# One of two keys.
WHICH_KEY: Group = (
    option("our_key_type", "--key-type --kt", "Which of its keys.", arg_type=get_enum_type(["primary", "secondary"])),
)


# Which of a hub's host names.
HOST_KIND: Group = (
    option(
        "our_hostname_type",
        "--hostname-type --ht",
        "Which host name to use, for a hub on a newer gateway, which has three: HUB.azure-devices.net, "
        "HUB.device.azure-devices.net, HUB.service.azure-devices.net. auto: the one that fits the purpose, where the "
        "hub is known to have it.",
        arg_type=get_enum_type(["auto", "classic", "device", "service"]),
    ),
)


# An etag that must still hold.
IF_MATCH: Group = (
    option(
        "our_etag",
        "--etag -e",
        "Change it only if the hub's copy still has this etag. Default: change it whatever its etag is.",
        id_kind=ETAG,
    ),
)


# The generic edits.
EDITS: Group = (
    *(
        extra(dest, name, text, group="Generic Update", nargs="+", action=EditAction)
        for dest, name, text in (
            ("set", "--set", "Set a property: `--set path.to.property=value`."),
            ("add", "--add", "Append to a list: `--add path.to.list value`."),
            ("remove", "--remove", "Remove a property or list item: `--remove path.to.property`."),
        )
    ),
    extra(
        "our_force_string",
        "--force-string",
        "With --set and --add, keep values as text instead of reading them as JSON.",
        group="Generic Update",
        action="store_true",
    ),
)


# Which method statuses mean success.
SUCCESS: Group = (
    extra(
        "success_status",
        "--success-status",
        "Method statuses with which a device has succeeded: numbers and ranges.",
        default=SUCCESS_STATUS,
    ),
)


def device_ids(group: str) -> Group:
    """Devices by their ids."""
    return (extra("our_device_ids", "--device-ids", f"Device ids {ID_LIST}", group=group),)


def devices_file(group: str) -> Group:
    """Devices by a file of their ids."""
    text = "File of device ids: one in a line, a table with a deviceId column, or JSON; - is standard input."
    return (extra("devices_file", "--devices-file", text, group=group),)


def exclude(group: str | None = None) -> Group:
    """Devices to leave out."""
    return (extra("exclude", "--exclude", f"Device ids to leave out, {ID_LIST}", group=group),)


SELECTION: Group = (
    extra(
        "our_query_condition",
        "--query-condition -q",
        "The WHERE part of a twin query that selects the devices, for example \"tags.site = 'north'\". All devices: *.",
        group="Devices",
    ),
    *device_ids("Devices"),
    *devices_file("Devices"),
    *exclude("Devices"),
)


GUARDS: Group = (
    extra(
        "max_devices",
        "--max-devices",
        "Refuse a larger number of devices before anything is sent. To save a limit: "
        "az config set iotjobs.max_devices=N.",
        type=int,
    ),
    extra(
        "dry_run",
        "--dry-run",
        "Show how many devices there are, some of them, and the request; change nothing.",
        action="store_true",
    ),
)


OUTCOME: Group = (
    *SUCCESS,
    extra(
        "exit_zero",
        "--exit-zero",
        "End with exit code 0 even if devices or the job failed, or the time for waiting ran out.",
        action="store_true",
    ),
)


# What a device's twin has to report once it was operated: the fields of VerificationOptions.
def verification(*, is_removable: bool) -> Group:
    """is_removable: `none` takes away what is saved."""
    return (
        extra(
            "verify",
            "--verify",
            "The WHERE part of a twin query that a device's twin has to meet, once the device was operated, before it "
            "counts as completed, for example \"properties.reported.firmware.version = '2.0.1'\". It may begin with "
            "FROM devices.modules WHERE." + (" `none` removes the verification." if is_removable else ""),
            group="Verification",
        ),
        extra(
            "verify_within",
            "--verify-within",
            "Time that a device has for that, once it was operated: 10s to 30d. Default: 10m.",
            group="Verification",
        ),
        extra(
            "verify_failed",
            "--verify-failed",
            "The WHERE part that a twin meets when the device has failed, for example "
            "\"properties.reported.firmware.status = 'failed'\". What it reported before it was operated does not "
            "count." + (" `none` removes it." if is_removable else ""),
            group="Verification",
        ),
    )


# How a device signs in: the fields of SignInOptions.
DEVICE_KEY: Group = (extra("symmetric_key", "--symmetric-key --key", "The device's key. Default: read from the hub."),)


WEBSOCKET: Group = (
    extra(
        "websocket",
        "--websocket",
        "MQTT over WebSocket: port 443, or a local hub's HTTPS port, instead of 8883.",
        action="store_true",
    ),
)


def top(default: int | None) -> Group:
    """How many items at most; None: all."""
    return (
        option(
            "our_top",
            "--top",
            "Maximum number of items." + (" Default: all." if default is None else ""),
            type=int,
            default=default,
        ),
    )


def edge(help_text: str) -> Group:
    """Edge devices alone, or whether it is one."""
    return (option("our_edge_enabled", "--edge-enabled --ee", help_text, arg_type=get_three_state_flag()),)


def payload(default: str) -> Group:
    return (
        extra(
            "our_method_payload",
            "--method-payload --mp",
            f"Payload of the method: {JSON_FORMS}. Default: {default}.",
            nargs="+",
        ),
    )


def certificate(note: str = "") -> Group:
    return (
        *(
            extra(dest, names, f"{text} of an X.509 device{note}.")
            for dest, names, text in (
                ("certificate_file_path", "--certificate-file-path --cp", "PEM file with the certificate"),
                ("key_file_path", "--key-file-path --kp", "PEM file with the private key"),
                ("our_passphrase", "--passphrase --pass", "Passphrase of the private key"),
            )
        ),
    )
