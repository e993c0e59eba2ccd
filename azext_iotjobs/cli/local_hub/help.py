"""Help of the local hub."""

from azext_iotjobs.cli.output.help_text import command, group

group(
    "iot local-hub",
    "Run an IoT Hub on this machine: devices, twins, direct methods, jobs and queries without Azure.",
    "It listens on loopback addresses only. Every command reaches it with -n localhost; where several run, with "
    "-n localhost:PORT or -n 127.0.0.N:PORT.",
)
command(
    "iot local-hub start",
    "Start a local hub, and print its connection string.",
    ("Start in the background.", "az iot local-hub start --detach"),
    (
        "Start a second one beside it, forgetting everything at its end.",
        "az iot local-hub start --bind 127.0.0.2 --data-dir hub-2 --in-memory --detach",
    ),
    (
        "One that throttles, and runs one job at a time, as two units of S1 do.",
        "az iot local-hub start --sku S1 --units 2 --detach",
    ),
    long="Its log is hub.log in the data folder; --verbose and --debug say more there. Without --detach it ends with "
    "this command, however that ends.",
)
command(
    "iot local-hub stop",
    "End a local hub cleanly.",
    ("End the one that runs.", "az iot local-hub stop"),
    ("End the one at an address of its own.", "az iot local-hub stop -n 127.0.0.2:8443"),
    long="Comes back when its process is gone.",
)
command(
    "iot local-hub show",
    "Show the local hub that runs; exit code 3 when none does.",
    ("Read its connection string.", "az iot local-hub show --query connectionString -o tsv"),
    (
        "What was used of the throttles of its tier.",
        "az iot local-hub show --query throttles -o table",
    ),
    ("The path of its log.", "az iot local-hub show --query logFile -o tsv"),
    long="While something does not work, such as a disk that is full, `trouble` says what, why and since when.",
)
command(
    "iot local-hub reset",
    "Remove all devices, twins, jobs, messages and CA certificates of a running local hub.",
    ("Without being asked.", "az iot local-hub reset --yes"),
    ("Set the damaged database of one that does not start aside.", "az iot local-hub reset --data-dir hub-2 --yes"),
    long="Its policies' keys and its own server certificate stay.",
)
group(
    "iot local-hub certificate",
    "Manage the CAs that vouch for X.509 devices at a running local hub.",
    "A CA counts as verified as soon as it is here. Devices that were registered with --auth-method x509_ca sign in "
    "with certificates below it whose common name is the device id. At most 25.",
)
command(
    "iot local-hub certificate create",
    "Let a CA vouch for devices, in the place of one of the same name.",
    ("Let a root CA vouch.", "az iot local-hub certificate create --name root --path root-ca.pem"),
)
command(
    "iot local-hub certificate list",
    "List the CAs that vouch for devices.",
    ("List their subjects.", "az iot local-hub certificate list --query [].subject"),
)
command(
    "iot local-hub certificate delete",
    "Let a CA vouch no more. Devices that are connected stay so.",
    ("Remove one.", "az iot local-hub certificate delete --name root"),
)
command(
    "iot local-hub events",
    "Print what devices sent and send, one JSON document a line.",
    ("Follow all devices until Ctrl-C.", "az iot local-hub events"),
    (
        "Wait for one message of a device, for a minute at most.",
        "az iot local-hub events -d pump-1 --mc 1 --timeout 60",
    ),
    long="Begins with what the hub still keeps: the newest 1,000 messages since its start, 32 MiB at most. Ours, in "
    "place of the event hub that Azure has; --output and --query do not apply.",
)
command(
    "iot local-hub send",
    "Send a cloud-to-device message through a running local hub.",
    ("Send a text.", "az iot local-hub send -d pump-1 --data 'open the valve'"),
    (
        "Send JSON with a property, and ask for feedback.",
        "az iot local-hub send -d pump-1 --data '{\"valve\": 1}' --content-type application/json "
        "--properties 'site=north' --ack full",
    ),
    long="Ours, in place of the AMQP that services use in Azure. The message waits, for an hour unless told otherwise, "
    "until the device takes it.",
)
