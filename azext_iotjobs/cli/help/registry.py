"""Help of device identities and twins."""

from azext_iotjobs.cli.help.writing import command, group

group("iot hub device-identity", "Manage the registry of devices.")
group("iot hub device-identity connection-string", "The connection string with which a device signs in.")
command(
    "iot hub device-identity create",
    "Register a device.",
    ("Register a device with keys that the hub makes.", "az iot hub device-identity create -n localhost -d pump-1"),
    (
        "Register a device with a self-signed certificate, made here.",
        "az iot hub device-identity create -n localhost -d pump-2 --am x509_thumbprint --valid-days 90 --output-dir .",
    ),
)
command(
    "iot hub device-identity show",
    "Show a device's registration, keys included.",
    ("Show a device's status.", "az iot hub device-identity show -n localhost -d pump-1 --query status"),
)
command(
    "iot hub device-identity list",
    "List devices, as the hub's query shows them.",
    ("List ten device ids.", 'az iot hub device-identity list -n localhost --top 10 --query "[].deviceId" -o tsv'),
)
command(
    "iot hub device-identity update",
    "Change a device's registration; what is not named stays as it is.",
    ("Disable a device.", "az iot hub device-identity update -n localhost -d pump-1 --status disabled --star stolen"),
    ("The same, by path.", "az iot hub device-identity update -n localhost -d pump-1 --set status=disabled"),
)
command(
    "iot hub device-identity delete",
    "Remove a device and its twin.",
    ("Remove a device.", "az iot hub device-identity delete -n localhost -d pump-1"),
)
command(
    "iot hub device-identity connection-string show",
    "Show the connection string with which a device signs in.",
    (
        "Keep it in a variable.",
        "CS=$(az iot hub device-identity connection-string show -n localhost -d pump-1 "
        "--query connectionString -o tsv)",
    ),
)

group("iot hub device-twin", "Manage device twins: tags, desired and reported properties.")
command(
    "iot hub device-twin show",
    "Show a device's twin.",
    ("Read one desired property.", "az iot hub device-twin show -n localhost -d pump-1 "
     "--query properties.desired.BuildingNo"),
)  # fmt: skip
command(
    "iot hub device-twin update",
    "Merge into a twin's tags and desired properties; null removes a key.",
    (
        "Set a desired property and a tag.",
        "az iot hub device-twin update -n localhost -d pump-1 --desired '{\"BuildingNo\": 45}' "
        '--tags \'{"site": "north"}\'',
    ),
    (
        "The same as pairs.",
        "az iot hub device-twin update -n localhost -d pump-1 --desired BuildingNo=45 --tags site=north",
    ),
    ("Remove a tag.", "az iot hub device-twin update -n localhost -d pump-1 --remove tags.site"),
)
command(
    "iot hub device-twin list",
    "List device twins.",
    ("List all twins.", "az iot hub device-twin list -n localhost --top -1"),
)
