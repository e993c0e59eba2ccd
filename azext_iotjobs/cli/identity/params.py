"""Options of identities and twins, of devices and modules."""

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli.input.shared_params import (
    JSON_FORMS,
    Context,
    Options,
    auth_type,
    checked,
    device,
    edge,
    edits,
    host_kind,
    hub,
    if_match,
    module,
    required_hub,
    top,
    which_key,
)

SIGN_IN_METHODS = ("shared_private_key", "x509_thumbprint", "x509_ca")


def _sign_in(c: Context) -> None:
    c.argument("sign_in", options_list=["--auth-method", "--am"], arg_type=get_enum_type(SIGN_IN_METHODS),
               help="How it signs in.")  # fmt: skip
    c.argument("first_key", options_list=["--primary-key", "--pk"], help="Primary key, base64 of 16 to 64 bytes.")
    c.argument("second_key", options_list=["--secondary-key", "--sk"], help="Secondary key, base64 of 16 to 64 bytes.")
    c.argument("first_thumbprint", options_list=["--primary-thumbprint", "--ptp"],
               help="Primary certificate thumbprint, hexadecimal.")  # fmt: skip
    c.argument("second_thumbprint", options_list=["--secondary-thumbprint", "--stp"],
               help="Secondary certificate thumbprint, hexadecimal.")  # fmt: skip


def _status(c: Context) -> None:
    c.argument("device_status", options_list=["--status", "--sta"], arg_type=get_enum_type(["enabled", "disabled"]),
               help="A disabled device cannot connect.")  # fmt: skip
    c.argument("device_status_reason", options_list=["--status-reason", "--star"], help="Why it has that status.")


def _own_certificate(c: Context) -> None:
    c.argument("valid_for_days", options_list=["--valid-days", "--vd"], type=int,
               help="Make a self-signed certificate that is valid for so many days (default 365) and use its "
                    "thumbprint.")  # fmt: skip
    c.argument("certificate_dir", options_list=["--output-dir", "--od"],
               help="Existing folder for the self-signed certificate and its key.")  # fmt: skip


def _scope(c: Context) -> None:
    c.argument("parent_scope", options_list=["--device-scope"], help="Scope of the parent edge device.")


def _renewal(c: Context) -> None:
    c.argument("renewed_key", options_list=["--key-type", "--kt"],
               arg_type=get_enum_type(["primary", "secondary", "both", "swap"]),
               help="Which key is made anew; `swap` lets them change places, for one device or module.")  # fmt: skip
    c.argument("hides_progress", options_list=["--no-progress"], arg_type=get_three_state_flag(),
               help="Do not tell how far it is.")  # fmt: skip
    c.argument("always_zero", options_list=["--exit-zero"], action="store_true",
               help="End with exit code 0 also when keys were not renewed.")  # fmt: skip


def _renewed_devices(c: Context) -> None:
    c.argument("devices", options_list=["--device-id", "-d"], nargs="+", action="extend",
               help="Device ids with spaces between them, or '*' (quoted) for all that have keys.",
               validator=checked("devices", "--device-id", "DEVICE"))  # fmt: skip
    c.argument("with_modules", options_list=["--include-modules", "--im"], arg_type=get_three_state_flag(),
               help="Renew the keys of their modules too.")  # fmt: skip


def _renewed_modules(c: Context) -> None:
    c.argument("modules", options_list=["--module-id", "-m"], nargs="+", action="extend",
               help="Module ids with spaces between them, or '*' (quoted) for all that have keys.",
               validator=checked("modules", "--module-id", "MODULE"))  # fmt: skip


def _parent(c: Context) -> None:
    c.argument("parent_device", options_list=["--parent-device-id", "--pd"], help="Id of the parent, an edge device.",
               validator=checked("parent_device", "--parent-device-id", "DEVICE"))  # fmt: skip


def _takes_over(c: Context) -> None:
    c.argument("takes_over", options_list=["--force", "-f"], action="store_true",
               help="Also where there is another parent, in its place.")  # fmt: skip


def _children(c: Context) -> None:
    c.argument("child_devices", options_list=["--child-list", "--cl"], nargs="+",
               help="Ids of the children, with spaces between them.",
               validator=checked("child_devices", "--child-list", "DEVICE"))  # fmt: skip


def _all_children(c: Context) -> None:
    c.argument("all_children", options_list=["--remove-all", "-a"], action="store_true", help="All children.")


def _twin_replace(c: Context) -> None:
    c.argument("twin_json", options_list=["--json", "-j"], nargs="+",
               help=f"Tags and properties.desired as they are to be, or a whole twin: {JSON_FORMS}.")  # fmt: skip


def _twin_update(c: Context) -> None:
    c.argument("desired_patch", options_list=["--desired"], nargs="+",
               help=f"Desired properties to merge: {JSON_FORMS}.")  # fmt: skip
    c.argument("tags_patch", options_list=["--tags"], nargs="+",
               help=f"Tags to merge: {JSON_FORMS}.")  # fmt: skip


OPTIONS: Options = {
    "iot hub device-identity create": (
        hub, auth_type, device, _sign_in, _status, _own_certificate, _scope, edge("Make it an IoT Edge device."),
    ),
    "iot hub device-identity show": (hub, auth_type, device),
    "iot hub device-identity list": (hub, auth_type, edge("Only IoT Edge devices."), top(1000)),
    "iot hub device-identity update": (
        hub, auth_type, device, _sign_in, _status, edge("Whether it is an IoT Edge device."), if_match, edits,
    ),
    "iot hub device-identity delete": (hub, auth_type, device, if_match),
    "iot hub device-identity renew-key": (required_hub, auth_type, _renewed_devices, _renewal, if_match),
    "iot hub device-identity connection-string show": (hub, auth_type, device, which_key, host_kind),
    "iot hub device-identity parent show": (hub, auth_type, device),
    "iot hub device-identity parent set": (hub, auth_type, device, _parent, _takes_over),
    "iot hub device-identity children add": (hub, auth_type, device, _children, _takes_over),
    "iot hub device-identity children list": (hub, auth_type, device),
    "iot hub device-identity children remove": (hub, auth_type, device, _children, _all_children),
    "iot hub device-twin show": (hub, auth_type, device),
    "iot hub device-twin update": (hub, auth_type, device, _twin_update, if_match, edits),
    "iot hub device-twin replace": (hub, auth_type, device, _twin_replace, if_match),
    "iot hub device-twin list": (hub, auth_type, edge("Only IoT Edge devices."), top(1000)),
    "iot hub module-identity create": (hub, auth_type, device, module, _sign_in, _own_certificate),
    "iot hub module-identity show": (hub, auth_type, device, module),
    "iot hub module-identity list": (hub, auth_type, device, top(1000)),
    "iot hub module-identity update": (hub, auth_type, device, module, if_match, edits),
    "iot hub module-identity delete": (hub, auth_type, device, module, if_match),
    "iot hub module-identity renew-key": (required_hub, auth_type, device, _renewed_modules, _renewal, if_match),
    "iot hub module-identity connection-string show": (
        hub, auth_type, device, module, which_key, host_kind,
    ),
    "iot hub module-twin show": (hub, auth_type, device, module),
    "iot hub module-twin update": (hub, auth_type, device, module, _twin_update, if_match, edits),
    "iot hub module-twin replace": (hub, auth_type, device, module, _twin_replace, if_match),
}  # fmt: skip
