"""Help of the modules of edge devices."""

from azext_iotjobs.cli.output.help_text import command, group

group("iot edge", "Manage the modules of IoT Edge devices.")

command(
    "iot edge set-modules",
    "Set modules of an edge device, and list all that it has.",
    (
        "Set them from a deployment manifest.",
        "az iot edge set-modules -n localhost -d gateway-1 --content manifest.json",
    ),
    (
        "Change one desired property of a module that is there.",
        "az iot edge set-modules -n localhost -d gateway-1 "
        '--content \'{"modulesContent": {"camera": {"properties.desired.rate": 5}}}\'',
    ),
    long="Modules that do not exist are created, and those that are not named stay as they are. It lasts until a "
    "deployment that targets the device is evaluated.",
)

command(
    "iot edge export-modules",
    "Show the modules of an edge device as a deployment manifest.",
    (
        "Write them to a file, which set-modules takes for another device.",
        "az iot edge export-modules -n localhost -d gateway-1 | tee manifest.json",
    ),
    long="It has the desired properties of each module, those of $edgeAgent and $edgeHub included.",
)
