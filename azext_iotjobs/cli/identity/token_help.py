"""Help of what opens a hub: connection strings and tokens."""

from azext_iotjobs.cli.output.help_text import command, group

group("iot hub connection-string", "Connection strings of hubs, with the key of a shared access policy.")
command(
    "iot hub connection-string show",
    "Show the connection string of a hub, or of every hub of the subscription.",
    (
        "Keep that of the running local hub in a variable.",
        "CS=$(az iot hub connection-string show -n localhost --query connectionString -o tsv)",
    ),
    ("Only the right to connect to services.", "az iot hub connection-string show -n localhost --policy-name service"),
    (
        "With the host name that services call, of a hub on a newer gateway.",
        "az iot hub connection-string show -n my-hub --hostname-type service",
    ),
    ("Those of all policies.", "az iot hub connection-string show -n localhost --all"),
    ("Of every hub in a resource group.", "az iot hub connection-string show --resource-group my-group"),
    long="Without --hub-name and --login it is the hub of IOTJOBS_CONNECTION_STRING; where that is not set, all hubs "
    "that az's login sees are listed, and those that cannot be shown are named on stderr.\n\nA hub on a newer "
    "gateway is shown with its host name for devices, as azure-iot shows it; every command here finds the one "
    "that it calls.",
)
command(
    "iot hub generate-sas-token",
    "Make a shared access signature: of a hub's policy, a device or a module.",
    (
        "Call the hub's REST API with curl.",
        "TOKEN=$(az iot hub generate-sas-token -n localhost --query sas -o tsv)",
    ),
    ("Let a device in for a day.", "az iot hub generate-sas-token -n localhost -d pump-1 --duration 86400"),
    ("Let a module in.", "az iot hub generate-sas-token -n localhost -d pump-1 -m motor --key-type secondary"),
    (
        "Without asking a hub, from a hub's, device's or module's connection string in a file.",
        "az iot hub generate-sas-token --connection-string @device.txt",
    ),
    long="The token is for one host: of a hub on a newer gateway the one that services call, with --device-id the one "
    "that devices connect to; --hostname-type names another. A connection string's own name stays as it is.",
)
