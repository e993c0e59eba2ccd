"""Help of the twins of devices and modules."""

from azext_iotjobs.cli.output.help_text import command, group

group("iot hub device-twin", "Manage device twins: tags, desired and reported properties.")

command(
    "iot hub device-twin show",
    "Show a device's twin.",
    (
        "Read one desired property.",
        "az iot hub device-twin show -n localhost -d pump-1 --query properties.desired.BuildingNo",
    ),
)

command(
    "iot hub device-twin update",
    "Merge into a twin's tags and desired properties; null removes a key.",
    (
        "Set a desired property and a tag.",
        "az iot hub device-twin update -n localhost -d pump-1 --desired '{\"BuildingNo\": 45}' "
        '--tags \'{"site": "north"}\'',
    ),
    (
        "Set the same with key=value pairs.",
        "az iot hub device-twin update -n localhost -d pump-1 --desired BuildingNo=45 --tags site=north",
    ),
    ("Remove two tags.", "az iot hub device-twin update -n localhost -d pump-1 --remove tags.site --remove tags.floor"),
    (
        "Put text that looks like a number between single quotes.",
        "az iot hub device-twin update -n localhost -d pump-1 --desired \"fw='4.10'\"",
    ),
)

command(
    "iot hub device-twin replace",
    "Replace a twin's tags and desired properties; those that are not given are removed.",
    (
        "Give a twin one tag and no desired properties.",
        'az iot hub device-twin replace -n localhost -d pump-1 --json \'{"tags": {"site": "north"}}\'',
    ),
    (
        "Restore what `device-twin show` wrote to a file.",
        "az iot hub device-twin replace -n localhost -d pump-1 --json twin.json",
    ),
    long="The document may also contain what only the hub and the device write (reported properties, versions, "
    "states); that is ignored.",
)

command(
    "iot hub device-twin list",
    "List device twins.",
    ("List all twins.", "az iot hub device-twin list -n localhost --top -1"),
)

group("iot hub module-twin", "Manage module twins: tags, desired and reported properties.")

command(
    "iot hub module-twin show",
    "Show a module's twin.",
    (
        "Read one reported property.",
        "az iot hub module-twin show -n localhost -d pump-1 -m motor --query properties.reported.speed",
    ),
)

command(
    "iot hub module-twin update",
    "Merge into a twin's tags and desired properties; null removes a key.",
    (
        "Set a desired property.",
        "az iot hub module-twin update -n localhost -d pump-1 -m motor --desired '{\"speed\": 45}'",
    ),
    (
        "Set the same by its path.",
        "az iot hub module-twin update -n localhost -d pump-1 -m motor --set properties.desired.speed=45",
    ),
)

command(
    "iot hub module-twin replace",
    "Replace a twin's tags and desired properties; those that are not given are removed.",
    (
        "Give a twin one desired property and no tags.",
        "az iot hub module-twin replace -n localhost -d pump-1 -m motor "
        '--json \'{"properties": {"desired": {"speed": 45}}}\'',
    ),
)
