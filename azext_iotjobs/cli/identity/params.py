"""Options of identities, of devices and modules, and of what opens a hub."""

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli.input.options import Group, Options, checked, option
from azext_iotjobs.cli.input.shared_params import (
    AUTH_TYPE,
    DEVICE,
    EDITS,
    HOST_KIND,
    HUB,
    IF_MATCH,
    MODULE,
    REQUIRED_HUB,
    WHICH_KEY,
    edge,
    top,
)

SIGN_IN_METHODS = ("shared_private_key", "x509_thumbprint", "x509_ca")


SIGN_IN: Group = (
    option("sign_in", "--auth-method --am", "How it signs in.", arg_type=get_enum_type(SIGN_IN_METHODS)),
    option("first_key", "--primary-key --pk", "Primary key, base64 of 16 to 64 bytes."),
    option("second_key", "--secondary-key --sk", "Secondary key, base64 of 16 to 64 bytes."),
    option("first_thumbprint", "--primary-thumbprint --ptp", "Primary certificate thumbprint, hexadecimal."),
    option("second_thumbprint", "--secondary-thumbprint --stp", "Secondary certificate thumbprint, hexadecimal."),
)


STATUS: Group = (
    option(
        "device_status",
        "--status --sta",
        "A disabled device cannot connect.",
        arg_type=get_enum_type(["enabled", "disabled"]),
    ),
    option("device_status_reason", "--status-reason --star", "Why it has that status."),
)


OWN_CERTIFICATE: Group = (
    option(
        "valid_for_days",
        "--valid-days --vd",
        "Make a self-signed certificate that is valid for so many days (default 365) and use its thumbprint.",
        type=int,
    ),
    option("certificate_dir", "--output-dir --od", "Existing folder for the self-signed certificate and its key."),
)


SCOPE: Group = (option("parent_scope", "--device-scope", "Scope of the parent edge device."),)


RENEWAL: Group = (
    option(
        "renewed_key",
        "--key-type --kt",
        "Which key is made anew; `swap` lets them change places, for one device or module.",
        arg_type=get_enum_type(["primary", "secondary", "both", "swap"]),
    ),
    option("hides_progress", "--no-progress", "Do not tell how far it is.", arg_type=get_three_state_flag()),
    option("exit_zero", "--exit-zero", "End with exit code 0 also when keys were not renewed.", action="store_true"),
)


RENEWED_DEVICES: Group = (
    option(
        "devices",
        "--device-id -d",
        "Device ids with spaces between them, or '*' (quoted) for all that have keys.",
        nargs="+",
        action="extend",
        validator=checked("devices", "--device-id", "DEVICE"),
    ),
    option(
        "with_modules",
        "--include-modules --im",
        "Renew the keys of their modules too.",
        arg_type=get_three_state_flag(),
    ),
)


RENEWED_MODULES: Group = (
    option(
        "modules",
        "--module-id -m",
        "Module ids with spaces between them, or '*' (quoted) for all that have keys.",
        nargs="+",
        action="extend",
        validator=checked("modules", "--module-id", "MODULE"),
    ),
)


PARENT: Group = (
    option(
        "parent_device",
        "--parent-device-id --pd",
        "Id of the parent, an edge device.",
        validator=checked("parent_device", "--parent-device-id", "DEVICE"),
    ),
)


TAKES_OVER: Group = (
    option("takes_over", "--force -f", "Also where there is another parent, in its place.", action="store_true"),
)


CHILDREN: Group = (
    option(
        "child_devices",
        "--child-list --cl",
        "Ids of the children, with spaces between them.",
        nargs="+",
        validator=checked("child_devices", "--child-list", "DEVICE"),
    ),
)


ALL_CHILDREN: Group = (option("all_children", "--remove-all -a", "All children.", action="store_true"),)


POLICY: Group = (
    option("policy", "--policy-name --pn", "Name of the shared access policy. With --login it is that string's own."),
)


HUB_STRING: Group = (
    option("every_policy", "--show-all --all", "Those of all policies, as a list.", action="store_true"),
    option(
        "for_event_hubs",
        "--default-eventhub --eh",
        "That of the hub's Event Hubs endpoint, where devices' messages are read. A local hub has none: "
        "see `az iot local-hub events`.",
        arg_type=get_three_state_flag(),
    ),
)


TOKEN: Group = (
    option("token_life_s", "--duration --du", "Seconds that the token is valid, 1 or more.", type=int),
    option(
        "own_login",
        "--connection-string --cs",
        "Connection string of a hub, device or module to make the token with; no hub is asked. "
        "`--cs @file` reads it from a file and keeps it out of the process list.",
    ),
)


CREATE: Options = (
    HUB,
    AUTH_TYPE,
    DEVICE,
    SIGN_IN,
    STATUS,
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
    SIGN_IN,
    STATUS,
    edge("Whether it is an IoT Edge device."),
    IF_MATCH,
    EDITS,
)
DELETE: Options = (HUB, AUTH_TYPE, DEVICE, IF_MATCH)
RENEW_KEYS: Options = (REQUIRED_HUB, AUTH_TYPE, RENEWED_DEVICES, RENEWAL, IF_MATCH)
SHOW_STRING: Options = (HUB, AUTH_TYPE, DEVICE, WHICH_KEY, HOST_KIND)
SHOW_PARENT: Options = (HUB, AUTH_TYPE, DEVICE)
SET_PARENT: Options = (HUB, AUTH_TYPE, DEVICE, PARENT, TAKES_OVER)
ADD_CHILDREN: Options = (HUB, AUTH_TYPE, DEVICE, CHILDREN, TAKES_OVER)
LIST_CHILDREN: Options = (HUB, AUTH_TYPE, DEVICE)
REMOVE_CHILDREN: Options = (HUB, AUTH_TYPE, DEVICE, CHILDREN, ALL_CHILDREN)
CREATE_MODULE: Options = (HUB, AUTH_TYPE, DEVICE, MODULE, SIGN_IN, OWN_CERTIFICATE)
SHOW_MODULE: Options = (HUB, AUTH_TYPE, DEVICE, MODULE)
LIST_MODULES: Options = (HUB, AUTH_TYPE, DEVICE, top(1000))
UPDATE_MODULE: Options = (HUB, AUTH_TYPE, DEVICE, MODULE, IF_MATCH, EDITS)
DELETE_MODULE: Options = (HUB, AUTH_TYPE, DEVICE, MODULE, IF_MATCH)
RENEW_MODULE_KEYS: Options = (REQUIRED_HUB, AUTH_TYPE, DEVICE, RENEWED_MODULES, RENEWAL, IF_MATCH)
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
