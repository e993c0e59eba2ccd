"""Options of device identities and twins."""

from azure.cli.core.commands.parameters import get_enum_type

from azext_iotjobs.cli.params.shared import (
    JSON_FORMS,
    Context,
    Options,
    auth_type,
    device,
    edge,
    edits,
    hub,
    if_match,
    top,
)

SIGN_IN_METHODS = ("shared_private_key", "x509_thumbprint", "x509_ca")


def _identity(c: Context) -> None:
    c.argument("sign_in", options_list=["--auth-method", "--am"], arg_type=get_enum_type(SIGN_IN_METHODS),
               help="How the device signs in.")  # fmt: skip
    c.argument("first_key", options_list=["--primary-key", "--pk"], help="Primary key, base64 of 16 to 64 bytes.")
    c.argument("second_key", options_list=["--secondary-key", "--sk"], help="Secondary key, base64 of 16 to 64 bytes.")
    c.argument("first_thumbprint", options_list=["--primary-thumbprint", "--ptp"],
               help="Primary certificate thumbprint, hexadecimal.")  # fmt: skip
    c.argument("second_thumbprint", options_list=["--secondary-thumbprint", "--stp"],
               help="Secondary certificate thumbprint, hexadecimal.")  # fmt: skip
    c.argument("device_status", options_list=["--status", "--sta"], arg_type=get_enum_type(["enabled", "disabled"]),
               help="A disabled device cannot connect.")  # fmt: skip
    c.argument("device_status_reason", options_list=["--status-reason", "--star"], help="Why it has that status.")


def _identity_create(c: Context) -> None:
    c.argument("parent_scope", options_list=["--device-scope"], help="Scope of the parent edge device.")
    c.argument("valid_for_days", options_list=["--valid-days", "--vd"], type=int,
               help="Make a self-signed certificate that is valid for so many days (default 365) and use its "
                    "thumbprint.")  # fmt: skip
    c.argument("certificate_dir", options_list=["--output-dir", "--od"],
               help="Existing folder for the self-signed certificate and its key.")  # fmt: skip


def _which_key(c: Context) -> None:
    c.argument("which_key", options_list=["--key-type", "--kt"], arg_type=get_enum_type(["primary", "secondary"]),
               help="Which of the device's keys.")  # fmt: skip


def _twin_update(c: Context) -> None:
    c.argument("desired_patch", options_list=["--desired"], nargs="+",
               help=f"Desired properties to merge: {JSON_FORMS}.")  # fmt: skip
    c.argument("tags_patch", options_list=["--tags"], nargs="+",
               help=f"Tags to merge: {JSON_FORMS}.")  # fmt: skip


OPTIONS: Options = {
    "iot hub device-identity create": (
        hub, auth_type, device, _identity, _identity_create, edge("Make it an IoT Edge device."),
    ),
    "iot hub device-identity show": (hub, auth_type, device),
    "iot hub device-identity list": (hub, auth_type, edge("Only IoT Edge devices."), top(1000)),
    "iot hub device-identity update": (
        hub, auth_type, device, _identity, edge("Whether it is an IoT Edge device."), if_match, edits,
    ),
    "iot hub device-identity delete": (hub, auth_type, device, if_match),
    "iot hub device-identity connection-string show": (hub, auth_type, device, _which_key),
    "iot hub device-twin show": (hub, auth_type, device),
    "iot hub device-twin update": (hub, auth_type, device, _twin_update, if_match, edits),
    "iot hub device-twin list": (hub, auth_type, edge("Only IoT Edge devices."), top(1000)),
}  # fmt: skip
