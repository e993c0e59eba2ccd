"""Options of identities of devices and modules, and of connection strings and tokens."""

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli.identity.transfer_params import KEYS_TOO, STORAGE_IDENTITY, container
from azext_iotjobs.cli.input.options import Group, Options, extra, option
from azext_iotjobs.cli.input.shared_params import (
    AUTH_TYPE,
    DEVICE,
    EDITS,
    HOST_KIND,
    HUB,
    IF_MATCH,
    MODULE,
    REQUIRED_HUB,
    SELECTION,
    WHICH_KEY,
    edge,
    top,
)

SIGN_IN_METHODS = ("shared_private_key", "x509_thumbprint", "x509_ca")


def authentication(default: str | None) -> Group:
    """How a device or module signs in; `default` is that of --auth-method."""
    methods = get_enum_type(SIGN_IN_METHODS)
    return (
        extra("our_auth_method", "--auth-method --am", "How it signs in.", arg_type=methods, default=default),
        extra("our_primary_key", "--primary-key --pk", "Primary key, base64 of 16 to 64 bytes."),
        extra("our_secondary_key", "--secondary-key --sk", "Secondary key, base64 of 16 to 64 bytes."),
        extra("our_primary_thumbprint", "--primary-thumbprint --ptp", "Primary certificate thumbprint, hexadecimal."),
        extra(
            "our_secondary_thumbprint", "--secondary-thumbprint --stp", "Secondary certificate thumbprint, hexadecimal."
        ),
    )


def status(default: str | None) -> Group:
    """Whether a device may connect; `default` is that of --status."""
    return (
        extra(
            "our_status",
            "--status --sta",
            "A disabled device cannot connect.",
            arg_type=get_enum_type(["enabled", "disabled"]),
            default=default,
        ),
        extra("our_status_reason", "--status-reason --star", "Why it has that status."),
    )


OWN_CERTIFICATE: Group = (
    extra(
        "our_valid_days",
        "--valid-days --vd",
        "Make a self-signed certificate that is valid for this many days (default 365), and use its thumbprint.",
        type=int,
    ),
    extra("our_output_dir", "--output-dir --od", "Existing folder for the self-signed certificate and its key."),
)

SCOPE: Group = (option("our_device_scope", "--device-scope", "Scope of the parent edge device."),)


def renewal(no_progress: bool | None) -> Group:
    """Which key is renewed, and what is reported; `no_progress` is the default of --no-progress, as in azure-iot."""
    return (
        extra(
            "our_key_type",
            "--key-type --kt",
            "Which key to renew; `swap` exchanges the two, for one device or module.",
            arg_type=get_enum_type(["primary", "secondary", "both", "swap"]),
            required=True,
        ),
        extra(
            "our_no_progress",
            "--no-progress",
            "Do not report progress.",
            arg_type=get_three_state_flag(),
            default=no_progress,
        ),
        extra("exit_zero", "--exit-zero", "End with exit code 0 even if keys were not renewed.", action="store_true"),
    )


RENEWED_DEVICES: Group = (
    option(
        "our_device_ids",
        "--device-id -d",
        "Device ids with spaces between them, or '*' (quoted) for all that have keys.",
        nargs="+",
        action="extend",
        id_kind="DEVICE",
    ),
    option(
        "our_include_modules",
        "--include-modules --im",
        "Renew the keys of their modules too.",
        arg_type=get_three_state_flag(),
    ),
)

RENEWED_MODULES: Group = (
    option(
        "our_module_ids",
        "--module-id -m",
        "Module ids with spaces between them, or '*' (quoted) for all that have keys.",
        nargs="+",
        action="extend",
        id_kind="MODULE",
    ),
)

PARENT: Group = (
    option(
        "parent_device_id",
        "--parent-device-id --pd",
        "Id of the parent, an edge device.",
        id_kind="DEVICE",
    ),
)

FORCE: Group = (option("our_force", "--force -f", "Replace another parent that a device has.", action="store_true"),)

CHILDREN: Group = (
    option(
        "our_child_list",
        "--child-list --cl",
        "Ids of the children, with spaces between them.",
        nargs="+",
        id_kind="DEVICE",
    ),
)

ALL_CHILDREN: Group = (option("our_remove_all", "--remove-all -a", "All children.", action="store_true"),)

POLICY: Group = (
    option(
        "our_policy_name",
        "--policy-name --pn",
        "Name of the shared access policy. With --login it is that of the connection string.",
    ),
)

HUB_STRING: Group = (
    option("our_show_all", "--show-all --all", "Show those of all policies, as a list.", action="store_true"),
    option(
        "our_default_eventhub",
        "--default-eventhub --eh",
        "Show the connection string of the hub's Event Hubs endpoint, where devices' messages are read.",
        arg_type=get_three_state_flag(),
    ),
)

TOKEN: Group = (
    option("our_duration", "--duration --du", "Seconds that the token is valid, 1 or more.", type=int),
    option(
        "our_connection_string",
        "--connection-string --cs",
        "Connection string of a hub, device or module to make the token with, without a request to a hub. "
        "`--cs @file` reads it from a file and keeps it out of the process list.",
    ),
)

IMPORTED: Group = (
    extra(
        "file",
        "--file -f",
        "CSV file with a row for each device; - is standard input. One column is IOTC_DEVICEID or deviceId.",
        required=True,
    ),
    extra(
        "map",
        "--map",
        "Columns that become tags: COLUMN=tags.path, with spaces between them. Cells are text, or with `:number`, "
        "`:boolean` or `:json` after the path what that says.",
        nargs="+",
        action="extend",
    ),
    extra(
        "existing",
        "--existing",
        "What happens to a device that is registered already: `skip` leaves it as it is, `fail` counts it as failed, "
        "`update` merges its tags and sets its status. No device gets another key by it.",
        arg_type=get_enum_type(["skip", "fail", "update"]),
        default="skip",
    ),
    extra(
        "replace_keys",
        "--replace-keys",
        "With --existing update: give devices the keys or thumbprints of the file in place of those that they have. "
        "A device that does not know its new key can no longer connect.",
        action="store_true",
    ),
    extra(
        "results_file",
        "--results-file",
        "File for what became of each row; its name ends in .csv, .jsonl or .json. Started again with it, an import "
        "that was ended continues after the last row that is done.",
    ),
    extra("overwrite", "--overwrite", "Replace --results-file if it exists.", action="store_true"),
    extra(
        "dry_run", "--dry-run", "Check the file and show what would be imported; change nothing.", action="store_true"
    ),
    extra("exit_zero", "--exit-zero", "End with exit code 0 even if rows failed.", action="store_true"),
)

EXPORTED: Group = (
    extra(
        "file",
        "--file -f",
        "CSV file to write. It appears once it is whole. - is stdout.",
        required=True,
    ),
    extra(
        "our_include_keys",
        "--include-keys --ik --keys",
        "Export the keys of devices too: with them an import into another hub keeps the devices' secrets. The file "
        "can be read by its owner alone.",
        action="store_true",
    ),
    extra(
        "columns",
        "--columns",
        "Columns, with commas between them: those of the default, members of twins such as connectionState, or paths "
        "such as tags.site and properties.reported.firmware. Default: those that an import needs.",
    ),
    extra("overwrite", "--overwrite", "Replace --file if it exists.", action="store_true"),
)


CREATE: Options = (
    HUB,
    AUTH_TYPE,
    DEVICE,
    authentication("shared_private_key"),
    status("enabled"),
    OWN_CERTIFICATE,
    SCOPE,
    edge("Make it an IoT Edge device."),
)
SHOW: Options = (HUB, AUTH_TYPE, DEVICE)
LIST: Options = (HUB, AUTH_TYPE, edge("Only IoT Edge devices."), top(1000))
UPDATE: Options = (
    HUB,
    AUTH_TYPE,
    DEVICE,
    authentication(None),
    status(None),
    edge("Whether it is an IoT Edge device."),
    IF_MATCH,
    EDITS,
)
DELETE: Options = (HUB, AUTH_TYPE, DEVICE, IF_MATCH)
RENEW_KEYS: Options = (REQUIRED_HUB, AUTH_TYPE, RENEWED_DEVICES, renewal(False), IF_MATCH)
SHOW_STRING: Options = (HUB, AUTH_TYPE, DEVICE, WHICH_KEY, HOST_KIND)
SHOW_PARENT: Options = (HUB, AUTH_TYPE, DEVICE)
SET_PARENT: Options = (HUB, AUTH_TYPE, DEVICE, PARENT, FORCE)
ADD_CHILDREN: Options = (HUB, AUTH_TYPE, DEVICE, CHILDREN, FORCE)
LIST_CHILDREN: Options = (HUB, AUTH_TYPE, DEVICE)
REMOVE_CHILDREN: Options = (HUB, AUTH_TYPE, DEVICE, CHILDREN, ALL_CHILDREN)
EXPORT: Options = (HUB, AUTH_TYPE, container("", "to write to", ""), KEYS_TOO, STORAGE_IDENTITY)
IMPORT: Options = (
    HUB,
    AUTH_TYPE,
    container("input-", "to read from", "i"),
    container("output-", "for the log of errors", "o"),
    STORAGE_IDENTITY,
)
IMPORT_CSV: Options = (HUB, AUTH_TYPE, IMPORTED)
EXPORT_CSV: Options = (HUB, AUTH_TYPE, SELECTION, EXPORTED)
CREATE_MODULE: Options = (HUB, AUTH_TYPE, DEVICE, MODULE, authentication("shared_private_key"), OWN_CERTIFICATE)
SHOW_MODULE: Options = (HUB, AUTH_TYPE, DEVICE, MODULE)
LIST_MODULES: Options = (HUB, AUTH_TYPE, DEVICE, top(1000))
UPDATE_MODULE: Options = (HUB, AUTH_TYPE, DEVICE, MODULE, IF_MATCH, EDITS)
DELETE_MODULE: Options = (HUB, AUTH_TYPE, DEVICE, MODULE, IF_MATCH)
RENEW_MODULE_KEYS: Options = (REQUIRED_HUB, AUTH_TYPE, DEVICE, RENEWED_MODULES, renewal(None), IF_MATCH)
SHOW_MODULE_STRING: Options = (
    HUB,
    AUTH_TYPE,
    DEVICE,
    MODULE,
    WHICH_KEY,
    HOST_KIND,
)


SHOW_HUB_STRING: Options = (HUB, POLICY, WHICH_KEY, HUB_STRING, HOST_KIND)
GENERATE_TOKEN: Options = (HUB, AUTH_TYPE, DEVICE, MODULE, POLICY, WHICH_KEY, TOKEN, HOST_KIND)
