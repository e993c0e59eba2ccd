"""Help of the local hub."""

from azext_iotjobs.cli.output.help_text import command, group

group(
    "iot local-hub",
    "Run an IoT Hub on this machine, without Azure.",
    "It listens on loopback addresses only, unless it is told otherwise. Every command reaches it with -n localhost; "
    "where several run, with -n localhost:PORT or -n 127.0.0.N:PORT.",
)
command(
    "iot local-hub start",
    "Start a local hub, and print its connection string.",
    ("Start in the background.", "az iot local-hub start --detach"),
    ("Start one with its console, and print the console's address.", "az iot local-hub start --in-memory --console"),
    (
        "Start a second one beside it, which forgets everything when it ends. Other commands reach it with "
        "-n 127.0.0.2.",
        "az iot local-hub start --bind 127.0.0.2 --data-dir hub-2 --in-memory --detach",
    ),
    (
        "Start one that throttles and runs one job at a time, as a hub with two units of S1 does.",
        "az iot local-hub start --sku S1 --units 2 --detach",
    ),
    (
        "Start one with the devices of a file, which forgets everything when it ends.",
        "az iot local-hub start --seed fleet.yaml --in-memory --detach",
    ),
    (
        "Store what devices send for three days, for two groups of consumers beside $Default.",
        "az iot local-hub start --keep-events 3 --consumer-groups alerts reports --detach",
    ),
    (
        "Start one that other containers and machines reach as iothub, for as long as this command runs.",
        "az iot local-hub start --bind 0.0.0.0 --dns-name iothub",
    ),
    long="Devices reach it over MQTT and AMQP, both also over WebSocket. Its log is hub.log in the data folder; "
    "--verbose and --debug log more. Without --detach the hub ends when "
    "this command ends, for whatever reason.",
)
command(
    "iot local-hub stop",
    "Shut a local hub down.",
    ("Stop the one that runs.", "az iot local-hub stop"),
    ("Stop the one at an address of its own.", "az iot local-hub stop -n 127.0.0.2:8443"),
    long="The command ends when the hub's process is gone.",
)
command(
    "iot local-hub show",
    "Show the local hub that runs; exit code 3 when none does.",
    ("Read its connection string.", "az iot local-hub show --query connectionString -o tsv"),
    (
        "Read the connection string of its events, for Event Hubs clients.",
        "az iot local-hub show --query eventHubsConnectionString -o tsv",
    ),
    (
        "Show how much of its tier's throttles is used.",
        "az iot local-hub show --query throttles -o table",
    ),
    (
        "Read the URI of its container for imports and exports, with a signature.",
        "az iot local-hub show --query containerUri -o tsv",
    ),
    ("Show the path of its log.", "az iot local-hub show --query logFile -o tsv"),
    long="While something does not work, such as a write to a full disk, `trouble` says what, why and since when.",
)
command(
    "iot local-hub reset",
    "Remove all devices, jobs, messages, events and CAs of a running local hub.",
    ("Do not ask for confirmation.", "az iot local-hub reset --yes"),
    ("Set aside the damaged database of a hub that does not start.", "az iot local-hub reset --data-dir hub-2 --yes"),
    long="The keys of its policies, its own server certificate and the files in its upload folder are kept. Its clock "
    "is set back to the machine's time.",
)
command(
    "iot local-hub seed",
    "Create in a running local hub what a file has and the hub has not.",
    ("Create the devices of a file.", "az iot local-hub seed --file fleet.yaml"),
    ("The same from standard input, such as the output of `export`.", "az iot local-hub seed -n localhost --file -"),
    long="Devices, modules, twins, CA certificates and configurations. The result counts what was created and what was "
    "there, which stays as it is. A mistake anywhere in the file: nothing is created.",
)
command(
    "iot local-hub export",
    "Print what a running local hub holds, as a seed for another one.",
    ("Write it to a file, for `start --seed`.", "az iot local-hub export -o yaml > fleet.yaml"),
    ("With the keys of devices.", "az iot local-hub export --keys > fleet.json"),
    long="Jobs, messages and events are not in it.",
)
command(
    "iot local-hub exec",
    "Run a command with a local hub of its own, which ends with it.",
    ("Run tests with an empty hub.", "az iot local-hub exec -- pytest -k pumps"),
    (
        "Run a script with the devices of a file.",
        "az iot local-hub exec --seed fleet.yaml -- sh -c 'az iot hub device-identity list -o table'",
    ),
    long="The hub is in memory and on free ports, unless options say otherwise. The command starts once the hub is "
    "ready. IOTJOBS_CONNECTION_STRING and the variables that have Python, Node.js and curl trust the hub are in its "
    "environment, and its az sees no other hub. Signals are passed on to it. The exit code is the command's: 128 + N "
    "when signal N ended it, 127 when it is not found, 126 when it may not be run; or that of a hub that did not "
    "start. --output and --query do not apply.",
)
group(
    "iot local-hub snapshot",
    "Keep all that a running local hub holds in a file, and go back to it.",
    "Identities with their keys, twins with their versions, messages, jobs, configurations, CA certificates and "
    "events. The keys of the hub's policies, its own certificates and blobs are not in it, nor are faults.",
)
command(
    "iot local-hub snapshot create",
    "Write a snapshot of a running local hub into a file.",
    ("Make one.", "az iot local-hub snapshot create --file fleet.snapshot"),
    ("Replace an older one.", "az iot local-hub snapshot create --file fleet.snapshot --overwrite"),
    long="The keys of devices are in it: only its owner can read the file.",
)
command(
    "iot local-hub snapshot restore",
    "Bring a running local hub to what a snapshot holds.",
    ("Do not ask for confirmation.", "az iot local-hub snapshot restore --file fleet.snapshot --yes"),
    (
        "Bring another hub to it.",
        "az iot local-hub snapshot restore -n 127.0.0.2 --file fleet.snapshot --yes",
    ),
    long="All that the hub holds is replaced, and its faults are cleared. Devices are disconnected, and connect again. "
    "A file that is damaged, or that a newer version made, is refused, and nothing changes. A hub that is killed "
    "meanwhile has the old state or the new one when it starts.",
)
group(
    "iot local-hub clock",
    "See and move the time by which a running local hub's rules work.",
    "Start and end of jobs, expiry and locks of messages, throttles, retention, rounds of configurations, and how long "
    "connections with a token last. Tokens themselves are judged by the machine's clock, by which clients make them.",
)
command(
    "iot local-hub clock show",
    "Show a local hub's time, and how far it is ahead of this machine's.",
    ("Read its time, such as for the start of a job.", "az iot local-hub clock show --query now -o tsv"),
)
command(
    "iot local-hub clock advance",
    "Move a local hub's clock ahead; what is due by then happens now.",
    ("Let two hours pass.", "az iot local-hub clock advance --by 2h"),
    ("The same for the one at an address of its own.", "az iot local-hub clock advance -n 127.0.0.2:8443 --by 2h"),
    long="The result is the clock as it is then. It goes back only by `az iot local-hub reset`, which removes "
    "all that has a time. A hub that does not run --in-memory starts again with its clock as far ahead.",
)
group(
    "iot local-hub fault",
    "Let something go wrong at a running local hub, to test what a program does about it.",
    "Faults end with --times or --for, when they are cleared, with `az iot local-hub reset`, and with the hub.",
)
command(
    "iot local-hub fault add",
    "Let requests, devices or method calls go wrong.",
    (
        "Refuse the next three requests for twins as a throttled hub does.",
        "az iot local-hub fault add --kind status --status 429 --times 3 --route '/twins/**'",
    ),
    (
        "Drop the connection of a device, and refuse the two that it makes after that.",
        "az iot local-hub fault add --kind drop --operation telemetry -d pump-1 --times 1\n"
        "az iot local-hub fault add --kind connack --code 3 -d pump-1 --times 2",
    ),
    (
        "Leave a tenth of all messages without an acknowledgement, for a minute.",
        "az iot local-hub fault add --kind no-ack --percent 10 --seed 7 --for 60",
    ),
    (
        "Let a method never answer.",
        "az iot local-hub fault add --kind no-answer -d pump-1 --method-name reboot",
    ),
    long="The result has its id. A request or a message that is refused or dropped is not carried out; one that has no "
    "acknowledgement or answer is.",
)
command(
    "iot local-hub fault list",
    "List the faults that were added, and how often each has happened.",
    ("Show them as a table.", "az iot local-hub fault list -o table"),
    long="Those that are over stay in the list until they are cleared.",
)
command(
    "iot local-hub fault clear",
    "Let a fault not happen any more, or all of them.",
    ("Clear all.", "az iot local-hub fault clear"),
    ("Clear one.", "az iot local-hub fault clear --fault-id 1"),
)
group(
    "iot local-hub certificate",
    "Manage the CAs that certify X.509 devices at a running local hub.",
    "A CA counts as verified as soon as it is added. Devices that were registered with --auth-method x509_ca sign in "
    "with certificates issued below it whose common name is the device id. At most 25 CAs.",
)
command(
    "iot local-hub certificate create",
    "Add a CA that certifies devices, or replace the one of the same name.",
    ("Add a root CA.", "az iot local-hub certificate create --name root --path root-ca.pem"),
)
command(
    "iot local-hub certificate list",
    "List the CAs that certify devices.",
    ("List their subjects.", "az iot local-hub certificate list --query [].subject"),
)
command(
    "iot local-hub certificate delete",
    "Remove a CA. Devices that are connected stay connected.",
    ("Remove one.", "az iot local-hub certificate delete --name root"),
)
command(
    "iot local-hub events",
    "Print what devices have sent and send, one JSON document a line.",
    ("Follow all devices until Ctrl-C.", "az iot local-hub events"),
    (
        "Wait for one message of a device, for a minute at most.",
        "az iot local-hub events -d pump-1 --mc 1 --timeout 60",
    ),
    long="The output begins with the newest 1,000 messages, or as many of them as the hub still has. They come over "
    "HTTPS, in the hub's own form; --output and --query do not apply. `az iot hub monitor-events` reads a hub in Azure "
    "the same way as a local one, over AMQP.",
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
    long="The message goes over HTTPS, and its id is printed; `az iot device c2d-message send` sends to a hub in "
    "Azure the same way as to a local one, over AMQP. The message waits for the device for an hour, or until "
    "--expiry-time-utc.",
)
