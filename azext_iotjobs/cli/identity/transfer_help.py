"""Help of the registry's export and import by the hub."""

from azext_iotjobs.cli.output.help_text import command

command(
    "iot hub device-identity export",
    "Have the hub export all devices and modules, with their twins, into a container.",
    (
        "Export the devices of a local hub; the file is in its upload folder.",
        "az iot hub device-identity export -n localhost --bcu "
        '"$(az iot local-hub show --query containerUri -o tsv)" --include-keys',
    ),
    (
        "Export into a container of a storage account.",
        "az iot hub device-identity export -n my-hub --storage-account mystorage --blob-container devices",
    ),
    (
        "Have the hub sign in to the storage account with its own identity.",
        "az iot hub device-identity export -n my-hub --bcu https://mystorage.blob.core.windows.net/devices "
        "--identity [system]",
    ),
    long="The hub does it as a job, which this command only begins: `az iot hub job show` says how it is. The file is "
    "devices.txt, with one JSON object in a line. Without keys its first line says so. One import or export runs at a "
    "time.",
)

command(
    "iot hub device-identity import",
    "Have the hub create, change or delete the devices that a file in a container lists.",
    (
        "Import devices into a local hub, from devices.txt in `registry` of its upload folder; URI is the "
        "`containerUri` of `az iot local-hub show`.",
        'az iot hub device-identity import -n localhost --ibcu "$URI" --obcu "$URI"',
    ),
    (
        "Import from a container of a storage account.",
        "az iot hub device-identity import -n my-hub --isa mystorage --ibc devices --osa mystorage --obc devices",
    ),
    long="The file is devices.txt, with one JSON object in a line: `id`, `status`, and what else it has; `importMode` "
    "says what happens: createOrUpdate (default), create, update, delete, updateTwin, or with IfMatchETag behind it. "
    "The hub does it as a job, which this command only begins. Lines that fail are in importErrors.log of the "
    "output container; the job is completed all the same.",
)
