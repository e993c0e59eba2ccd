"""Help of identities of devices and modules, and of connection strings and tokens."""

from azext_iotjobs.cli.output.help_text import command, group

group("iot hub device-identity", "Manage the registry of devices.")

group("iot hub device-identity connection-string", "The connection string with which a device signs in.")

command(
    "iot hub device-identity create",
    "Register a device.",
    ("Register a device with keys that the hub generates.", "az iot hub device-identity create -n localhost -d pump-1"),
    (
        "Register a device with a self-signed certificate, which is made here.",
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
    "List devices, as a query of the hub shows them.",
    ("List ten device ids.", 'az iot hub device-identity list -n localhost --top 10 --query "[].deviceId" -o tsv'),
)

command(
    "iot hub device-identity update",
    "Change a device's registration; anything that is not given stays as it is.",
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
        "Store it in a variable.",
        "CS=$(az iot hub device-identity connection-string show -n localhost -d pump-1 "
        "--query connectionString -o tsv)",
    ),
)

command(
    "iot hub device-identity renew-key",
    "Renew the keys of devices, or swap a device's two keys.",
    (
        "Renew one key and show the registration.",
        "az iot hub device-identity renew-key -n localhost -d pump-1 --key-type secondary",
    ),
    ("Swap a device's two keys.", "az iot hub device-identity renew-key -n localhost -d pump-1 --kt swap"),
    (
        "Renew both keys of two devices and of their modules.",
        "az iot hub device-identity renew-key -n localhost -d pump-1 pump-2 --kt both --include-modules",
    ),
    ("Renew the primary key of every device.", "az iot hub device-identity renew-key -n localhost -d '*' --kt primary"),
    long="For one device, its registration is printed, keys included. For several devices, for '*' and with "
    "--include-modules the hub renews the keys, 100 with each request. The result lists those that were renewed "
    "(`rotatedKeys`, with the new keys if the hub returns them) and those that were not (`errors`); if there are any "
    "errors, the exit code is 4, with --exit-zero 0. Connected devices stay connected until their token expires.",
)

command(
    "iot hub device-identity import-csv",
    "Register the devices of a CSV file, such as an export of IoT Central.",
    (
        "Import what IoT Central exported; devices keep their keys.",
        "az iot hub device-identity import-csv -n localhost --file devices.csv --results-file results.csv",
    ),
    (
        "Show what would be imported, with two more columns as tags.",
        "az iot hub device-identity import-csv -n localhost --file devices.csv --map Site=tags.site "
        "Floor=tags.place.floor:number --dry-run",
    ),
    (
        "Merge the tags of the file into devices that are registered already.",
        "az iot hub device-identity import-csv -n localhost --file devices.csv --existing update",
    ),
    long="Columns: IOTC_DEVICEID or deviceId; IOTC_DEVICENAME, which becomes the tag `displayName` (another one: `az "
    "config set iotjobs.display_name_tag=about.name`); IOTC_SASKEY_PRIMARY and IOTC_SASKEY_SECONDARY, without which "
    "devices get new keys; IOTC_X509THUMBPRINT_PRIMARY and IOTC_X509THUMBPRINT_SECONDARY, which make devices with "
    "self-signed certificates; authenticationType, status, statusReason, capabilities.iotEdge; tags, a JSON object; "
    "and tags.PATH. Other columns become tags by --map, or are named on stderr.\nThe file is checked whole before "
    "the first device is sent. A row that cannot be imported fails by itself. Exit code 4: rows failed, or with "
    "--dry-run have faults. After Ctrl-C, exit code 6, and after an error the same command with the same "
    "--results-file continues.",
)

command(
    "iot hub device-identity export-csv",
    "Write devices into a CSV file, which can be imported into another hub.",
    (
        "Export all devices with their keys.",
        "az iot hub device-identity export-csv -n localhost --file devices.csv --keys",
    ),
    (
        "Export some columns of some devices.",
        "az iot hub device-identity export-csv -n localhost --file site-a.csv -q \"tags.site = 'A'\" --columns "
        "deviceId,displayName,connectionState,properties.reported.firmware",
    ),
    long="Default columns: IOTC_DEVICEID, IOTC_DEVICENAME, with --keys IOTC_SASKEY_PRIMARY and IOTC_SASKEY_SECONDARY, "
    "IOTC_X509THUMBPRINT_PRIMARY, IOTC_X509THUMBPRINT_SECONDARY, authenticationType, status, statusReason, "
    "capabilities.iotEdge and tags. A hub gives the keys of its first 1,000 devices in one request, and of each "
    "further one in a request of its own; S1 and S2 allow 100 of them a minute per unit.\nA cell that a spreadsheet "
    "would run as a formula begins with an apostrophe, which import-csv takes off again.",
)

group("iot hub device-identity parent", "The edge device through which a device connects to the hub.")

group("iot hub device-identity children", "The devices that connect to the hub through an edge device.")

command(
    "iot hub device-identity parent show",
    "Show the registration of a device's parent.",
    ("Show its id.", "az iot hub device-identity parent show -n localhost -d sensor-1 --query deviceId -o tsv"),
)

command(
    "iot hub device-identity parent set",
    "Give a device a parent, which must be an edge device.",
    ("Give a device a parent.", "az iot hub device-identity parent set -n localhost -d sensor-1 --pd gateway-1"),
    (
        "Replace its parent.",
        "az iot hub device-identity parent set -n localhost -d sensor-1 --parent-device-id gateway-2 --force",
    ),
)

command(
    "iot hub device-identity children add",
    "Make an edge device the parent of devices. All are checked before the first is changed.",
    (
        "Add two children.",
        "az iot hub device-identity children add -n localhost -d gateway-1 --child-list sensor-1 sensor-2",
    ),
)

command(
    "iot hub device-identity children list",
    "List the ids of an edge device's children, as a query of the hub finds them.",
    ("List them, one a line.", "az iot hub device-identity children list -n localhost -d gateway-1 -o tsv"),
)

command(
    "iot hub device-identity children remove",
    "Remove children from an edge device; the devices stay registered.",
    ("Remove one.", "az iot hub device-identity children remove -n localhost -d gateway-1 --child-list sensor-1"),
    ("Remove all.", "az iot hub device-identity children remove -n localhost -d gateway-1 --remove-all"),
)

group("iot hub module-identity", "Manage the modules of devices: identities with their own keys and twin.")

group("iot hub module-identity connection-string", "The connection string with which a module signs in.")

command(
    "iot hub module-identity create",
    "Register a module of a device.",
    (
        "Register a module with keys that the hub generates.",
        "az iot hub module-identity create -n localhost -d pump-1 -m motor",
    ),
    (
        "Register a module with a self-signed certificate, which is made here.",
        "az iot hub module-identity create -n localhost -d pump-1 -m motor --am x509_thumbprint --valid-days 90 "
        "--output-dir .",
    ),
)

command(
    "iot hub module-identity show",
    "Show a module's registration, keys included.",
    (
        "Show whether it is connected.",
        "az iot hub module-identity show -n localhost -d pump-1 -m motor --query connectionState -o tsv",
    ),
)

command(
    "iot hub module-identity list",
    "List a device's modules, as the registry has them.",
    ("List their ids.", 'az iot hub module-identity list -n localhost -d pump-1 --query "[].moduleId" -o tsv'),
)

command(
    "iot hub module-identity update",
    "Change a module's registration; anything that is not given stays as it is.",
    (
        "Set both of its keys.",
        "az iot hub module-identity update -n localhost -d pump-1 -m motor "
        "--set authentication.symmetricKey.primaryKey=KEY1 authentication.symmetricKey.secondaryKey=KEY2",
    ),
)

command(
    "iot hub module-identity delete",
    "Remove a module and its twin.",
    ("Remove a module.", "az iot hub module-identity delete -n localhost -d pump-1 -m motor"),
)

command(
    "iot hub module-identity renew-key",
    "Renew the keys of a device's modules, or swap a module's two keys.",
    (
        "Renew one key and show the registration.",
        "az iot hub module-identity renew-key -n localhost -d pump-1 -m motor --key-type primary",
    ),
    (
        "Renew both keys of all modules of a device.",
        "az iot hub module-identity renew-key -n localhost -d pump-1 -m '*' --kt both",
    ),
    long="For one module, its registration is printed, keys included; for several, a result for each. See "
    "`az iot hub device-identity renew-key`.",
)

command(
    "iot hub module-identity connection-string show",
    "Show the connection string with which a module signs in.",
    (
        "Store it in a variable.",
        "CS=$(az iot hub module-identity connection-string show -n localhost -d pump-1 -m motor "
        "--query connectionString -o tsv)",
    ),
)

group("iot hub connection-string", "Connection strings of hubs, with the key of a shared access policy.")

command(
    "iot hub connection-string show",
    "Show the connection string of a hub, or of every hub of the subscription.",
    (
        "Store that of the running local hub in a variable.",
        "CS=$(az iot hub connection-string show -n localhost --query connectionString -o tsv)",
    ),
    (
        "Show that of the policy `service`, which may not change the registry.",
        "az iot hub connection-string show -n localhost --policy-name service",
    ),
    (
        "Show it with the host name for services, of a hub on a newer gateway.",
        "az iot hub connection-string show -n my-hub --hostname-type service",
    ),
    ("Show those of all policies.", "az iot hub connection-string show -n localhost --all"),
    ("Show those of every hub in a resource group.", "az iot hub connection-string show --resource-group my-group"),
    long="Without --hub-name and --login, the command shows that of the hub in IOTJOBS_CONNECTION_STRING. If that is "
    "not set, all hubs that az's login can see are listed; those that cannot be shown are named on stderr.\nFor a "
    "hub on a newer gateway the string has the host name for devices, as in azure-iot; every command here finds the "
    "name that it needs.",
)

command(
    "iot hub generate-sas-token",
    "Make a shared access signature: of a hub's policy, a device or a module.",
    (
        "Keep a token for the hub's REST API, which curl sends as the header Authorization.",
        "TOKEN=$(az iot hub generate-sas-token -n localhost --query sas -o tsv)",
    ),
    (
        "Make a token for a device that is valid for a day.",
        "az iot hub generate-sas-token -n localhost -d pump-1 --duration 86400",
    ),
    (
        "Make a token for a module.",
        "az iot hub generate-sas-token -n localhost -d pump-1 -m motor --key-type secondary",
    ),
    (
        "Make a token from a connection string in a file, without a request to a hub.",
        "az iot hub generate-sas-token --connection-string @device.txt",
    ),
    long="The token is for one host name. For a hub on a newer gateway it is the one for services or, with "
    "--device-id, the one for devices; --hostname-type selects another. The host name of a connection string stays as "
    "it is.",
)
