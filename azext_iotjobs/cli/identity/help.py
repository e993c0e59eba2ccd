"""Help of identities and twins of devices."""

from azext_iotjobs.cli.output.help_text import command, group

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
command(
    "iot hub device-identity renew-key",
    "Make the keys of devices anew, or swap a device's two keys.",
    ("Renew one key and show the registration.",
     "az iot hub device-identity renew-key -n localhost -d pump-1 --key-type secondary"),
    ("Let a device's keys change places.", "az iot hub device-identity renew-key -n localhost -d pump-1 --kt swap"),
    (
        "Renew both keys of two devices and of their modules.",
        "az iot hub device-identity renew-key -n localhost -d pump-1 pump-2 --kt both --include-modules",
    ),
    ("Renew the primary key of every device.", "az iot hub device-identity renew-key -n localhost -d '*' --kt primary"),
    long="For one device, its registration is printed, keys included. For several, for '*' and with --include-modules "
    "the hub renews them, 100 with each request, and the result says which it renewed (`rotatedKeys`, with the new "
    "keys where the hub tells them) and which not (`errors`); the exit code is then 4, with --exit-zero 0. Who is "
    "connected stays connected until its token ends.",
)  # fmt: skip

group("iot hub device-identity parent", "The edge device through which a device speaks to the hub.")
group("iot hub device-identity children", "The devices that speak to the hub through an edge device.")
command(
    "iot hub device-identity parent show",
    "Show the registration of a device's parent.",
    ("Which device is it?",
     "az iot hub device-identity parent show -n localhost -d sensor-1 --query deviceId -o tsv"),
)  # fmt: skip
command(
    "iot hub device-identity parent set",
    "Give a device a parent, which must be an edge device.",
    ("Give a device a parent.", "az iot hub device-identity parent set -n localhost -d sensor-1 --pd gateway-1"),
    ("Put another in its place.",
     "az iot hub device-identity parent set -n localhost -d sensor-1 --parent-device-id gateway-2 --force"),
)  # fmt: skip
command(
    "iot hub device-identity children add",
    "Give devices this edge device as their parent. All are checked before the first is changed.",
    ("Add two children.",
     "az iot hub device-identity children add -n localhost -d gateway-1 --child-list sensor-1 sensor-2"),
)  # fmt: skip
command(
    "iot hub device-identity children list",
    "List the ids of an edge device's children, as the hub's query finds them.",
    ("List them, one a line.", "az iot hub device-identity children list -n localhost -d gateway-1 -o tsv"),
)
command(
    "iot hub device-identity children remove",
    "Take away the parent of an edge device's children; the devices stay.",
    ("Remove one.", "az iot hub device-identity children remove -n localhost -d gateway-1 --child-list sensor-1"),
    ("Remove all.", "az iot hub device-identity children remove -n localhost -d gateway-1 --remove-all"),
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
