"""Help of az iot device simulate."""

from azext_iotjobs.cli.output.help_text import command, group

group("iot device", "Act as a device of an IoT Hub.")

command(
    "iot device simulate",
    "Simulate one device or many, which send messages and answer direct methods.",
    (
        "Answer every method with status 201 and a payload.",
        "az iot device simulate -n localhost -d pump-1 --method-response-code 201 "
        '--method-response-payload \'{"result":"Direct method successful"}\'',
    ),
    (
        "Send ten messages, one a second, with properties.",
        "az iot device simulate -n localhost -d pump-1 --msg-count 10 --msg-interval 1 --properties 'site=north'",
    ),
    (
        "Over HTTPS: send messages, and reject those that arrive.",
        "az iot device simulate -n localhost -d pump-1 --protocol http --receive-settle reject",
    ),
    (
        "Over HTTPS, with headers of the hub's and a property of the application's.",
        "az iot device simulate -n localhost -d pump-1 --protocol http --msg-count 1 "
        "--properties 'iothub-messageid=1;content-type=text/plain;iothub-app-site=north'",
    ),
    (
        "Sign in with a certificate, through the HTTPS port.",
        "az iot device simulate -n localhost -d pump-1 --certificate-file-path pump-1-cert.pem "
        "--key-file-path pump-1-key.pem --websocket",
    ),
    (
        "Many devices: register 100, answer methods until Ctrl-C, and remove them.",
        "az iot device simulate -n localhost --prefix pump- --count 100 --create --delete-after",
    ),
    (
        "In the background, with some updates that fail; it ends with the local hub.",
        "az iot device simulate -n localhost --prefix pump- --count 100 --create --behaviour firmware-update --detach",
    ),
    (
        "Only show which devices would run: those that match a condition, except one, 500 at most.",
        "az iot device simulate -n localhost --query-condition \"tags.site = 'north'\" --exclude pump-7 "
        "--max-devices 500 --dry-run",
    ),
    (
        "The second of five parts of the devices, on the second of five machines.",
        'az iot device simulate -n localhost --query-condition "tags.simulated = true" --shard 2/5 --seed 7',
    ),
    (
        "One result, and one exit code, of what five machines with the same --seed have printed.",
        "az iot device simulate --merge 1.json 2.json 3.json 4.json 5.json",
    ),
    (
        "For a cluster: a Job of five pods, each of which simulates a part of the devices.",
        "az iot device simulate --prefix pump- --count 500 --shards 5 --until 1h --export kubernetes --image "
        "registry.example/az-iotjobs:1 | kubectl apply -f -",
    ),
    (
        "Devices that sign in with certificates of a test CA.",
        "az iot device simulate -n localhost --prefix pump- --count 3 --create --delete-after "
        "--issue-from-ca ca.pem --ca-key ca.key",
    ),
    (
        "Remove the devices that a killed run has left.",
        "az iot device simulate -n localhost --clean-up",
    ),
    (
        "Fail with exit code 4 unless every device has answered a call within five minutes.",
        "az iot device simulate -n localhost --prefix pump- --count 100 --create --delete-after "
        '--expect "method reboot on all within 5m"',
    ),
    (
        "The same in a pipeline, with the expectations as its test results and as a page.",
        "az iot device simulate -n localhost --prefix pump- --count 100 --create --delete-after "
        '--expect "method reboot on all within 5m" --report expectations.xml --report expectations.html',
    ),
    (
        "For an hour, with every call in a file, and metrics for Prometheus.",
        'az iot device simulate -n localhost -q "tags.simulated = true" --until 1h --events calls.jsonl '
        "--metrics-port 9464",
    ),
    (
        "Devices that fail, lag and disappear, in the same way each time.",
        "az iot device simulate -n localhost --prefix pump- --count 100 --create --method reboot=200 "
        '--method \'status=200:{"level": "${random.int(0, 100)}"}\' --method-delay 0.1-2 --failure-rate 5% '
        "--offline-rate 0.1 --seed 7",
    ),
    (
        "Devices whose firmware is updated in stages, which `az iot hub query` shows.",
        "az iot device simulate -n localhost --prefix pump- --count 100 --create --behaviour firmware-update",
    ),
    (
        "Your own rules, for methods, the twin, telemetry, presence and groups of devices.",
        "az iot device simulate -n localhost --device-ids pump-1,pump-2 --behaviour-file fleet.yaml",
    ),
    long="One device runs until all its messages are sent, or until Ctrl-C; method calls, cloud-to-device messages "
    "and twin patches are printed as they arrive. Many devices send no messages unless an option about messages is "
    "given; they run until what --until or --expect names has happened, or until Ctrl-C, and the result sums up what "
    "they did. With --detach they run in the background: the command ends once all are connected, and says where the "
    "log is, which has the result too. See docs/how-to/simulator.md.",
)

group("iot device simulation", "See and end the simulations of many devices that run on this machine.")

command(
    "iot device simulation list",
    "List the simulations that run: their devices, rates, expectations and trouble.",
    ("What runs now.", "az iot device simulation list -o table"),
    (
        "Which expectations have not come true yet.",
        'az iot device simulation list --query "[].expectations[?!cameTrue]"',
    ),
    long="Those of this user, of many devices, in terminals and with --detach. Rates are of the last ten seconds.",
)
command(
    "iot device simulation show",
    "Show how a simulation fares.",
    ("One of those that run.", "az iot device simulation show --simulation-id 20261129-120000-0a1b2c3d"),
)
command(
    "iot device simulation stop",
    "End a simulation as Ctrl-C does, and wait until its devices are disconnected.",
    ("One of those that run.", "az iot device simulation stop --simulation-id 20261129-120000-0a1b2c3d"),
    long="It writes its result where it would have written it, and removes its devices then if it was started with "
    "--delete-after.",
)
