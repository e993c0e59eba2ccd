"""Help of identities and twins of modules."""

from azext_iotjobs.cli.output.help_text import command, group

group("iot hub module-identity", "Manage the modules of devices: identities with keys and a twin of their own.")
group("iot hub module-identity connection-string", "The connection string with which a module signs in.")
command(
    "iot hub module-identity create",
    "Register a module of a device.",
    ("Register a module with keys that the hub makes.",
     "az iot hub module-identity create -n localhost -d pump-1 -m motor"),
    (
        "Register a module with a self-signed certificate, made here.",
        "az iot hub module-identity create -n localhost -d pump-1 -m motor --am x509_thumbprint --valid-days 90 "
        "--output-dir .",
    ),
)  # fmt: skip
command(
    "iot hub module-identity show",
    "Show a module's registration, keys included.",
    ("Is it connected?",
     "az iot hub module-identity show -n localhost -d pump-1 -m motor --query connectionState -o tsv"),
)  # fmt: skip
command(
    "iot hub module-identity list",
    "List a device's modules, as the registry has them.",
    ("List their ids.",
     'az iot hub module-identity list -n localhost -d pump-1 --query "[].moduleId" -o tsv'),
)  # fmt: skip
command(
    "iot hub module-identity update",
    "Change a module's registration; what is not named stays as it is.",
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
    "Make the keys of a device's modules anew, or swap a module's two keys.",
    ("Renew one key and show the registration.",
     "az iot hub module-identity renew-key -n localhost -d pump-1 -m motor --key-type primary"),
    ("Renew both keys of all modules of a device.",
     "az iot hub module-identity renew-key -n localhost -d pump-1 -m '*' --kt both"),
    long="For one module, its registration is printed, keys included; for several, what became of each. See "
    "`az iot hub device-identity renew-key`.",
)  # fmt: skip
command(
    "iot hub module-identity connection-string show",
    "Show the connection string with which a module signs in.",
    (
        "Keep it in a variable.",
        "CS=$(az iot hub module-identity connection-string show -n localhost -d pump-1 -m motor "
        "--query connectionString -o tsv)",
    ),
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
