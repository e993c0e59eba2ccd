"""Help of twins, of devices and modules."""

from azext_iotjobs.cli.output.help_text import command, group

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
    ("Remove two tags.", "az iot hub device-twin update -n localhost -d pump-1 --remove tags.site --remove tags.floor"),
    (
        "Text that looks like a number stands between single quotes.",
        "az iot hub device-twin update -n localhost -d pump-1 --desired \"fw='4.10'\"",
    ),
)

command(
    "iot hub device-twin replace",
    "Replace a twin's tags and desired properties; those that are not given are removed.",
    (
        "Give a twin one tag and no desired properties.",
        "az iot hub device-twin replace -n localhost -d pump-1 --json '{\"tags\": {\"site\": \"north\"}}'",
    ),
    ("Put back what `device-twin show` wrote into a file.",
     "az iot hub device-twin replace -n localhost -d pump-1 --json twin.json"),
    long="What only the hub and the device write (reported properties, versions, states) may stand in the document and "
    "is left out.",
)  # fmt: skip

command(
    "iot hub device-twin list",
    "List device twins.",
    ("List all twins.", "az iot hub device-twin list -n localhost --top -1"),
)

group("iot hub module-twin", "Manage module twins: tags, desired and reported properties.")

command(
    "iot hub module-twin show",
    "Show a module's twin.",
    ("Read one reported property.",
     "az iot hub module-twin show -n localhost -d pump-1 -m motor --query properties.reported.speed"),
)  # fmt: skip

command(
    "iot hub module-twin update",
    "Merge into a twin's tags and desired properties; null removes a key.",
    ("Set a desired property.",
     "az iot hub module-twin update -n localhost -d pump-1 -m motor --desired '{\"speed\": 45}'"),
    ("The same, by path.",
     "az iot hub module-twin update -n localhost -d pump-1 -m motor --set properties.desired.speed=45"),
)  # fmt: skip

command(
    "iot hub module-twin replace",
    "Replace a twin's tags and desired properties; those that are not given are removed.",
    (
        "Give a twin one desired property and no tags.",
        "az iot hub module-twin replace -n localhost -d pump-1 -m motor "
        '--json \'{"properties": {"desired": {"speed": 45}}}\'',
    ),
)
