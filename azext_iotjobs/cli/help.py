"""Help text and examples of every command; docs/commands.md is made from it.

Written as plain text here and turned into the YAML that knack reads: no quoting of colons and quotes by hand.
"""

import json

from knack.help_files import helps


def _group(name: str, short: str, long: str = "") -> None:
    helps[name] = "\n".join(["type: group", *_summary(short, long)])


def _command(name: str, short: str, *examples: tuple[str, str], long: str = "") -> None:
    lines = ["type: command", *_summary(short, long), "examples:"]
    for title, text in examples:
        # A JSON string is a YAML string too.
        lines += [f"  - name: {json.dumps(title)}", f"    text: {json.dumps(text)}"]
    helps[name] = "\n".join(lines)


def _summary(short: str, long: str) -> list[str]:
    lines = [f"short-summary: {json.dumps(short)}"]
    return [*lines, f"long-summary: {json.dumps(long)}"] if long else lines


_group("iot hub job", "Manage IoT Hub jobs: one twin update or direct method on many devices, run by the hub.")

_command(
    "iot hub job create",
    "Create a job that calls a direct method or updates the twin of each device that a condition selects.",
    (
        "Call a method without a payload on two devices.",
        "az iot hub job create -n localhost --job-id reboot-1 --job-type scheduleDeviceMethod --method-name reboot "
        "--query-condition \"deviceId IN ['pump-1','pump-2']\"",
    ),
    (
        "Set a desired property on every device that has a tag, and wait for the job's end.",
        "az iot hub job create -n localhost --job-id building-45 --job-type scheduleUpdateTwin "
        '--twin-patch \'{"properties":{"desired":{"BuildingNo":45}}}\' '
        "--query-condition \"tags.site = 'north'\" --wait",
    ),
    (
        "Wait for a free slot on a small hub; exit code 4 when a device failed or answered with 500 or more.",
        "az iot hub job create -n localhost --job-id reboot-2 --job-type scheduleDeviceMethod --method-name reboot "
        "--query-condition \"tags.site = 'north'\" --queue --wait --success-status 200-499",
    ),
    (
        "Start later, on all devices, with the payload from a file.",
        "az iot hub job create -n localhost --job-id night-7 --job-type scheduleDeviceMethod --method-name update "
        "--method-payload payload.json --query-condition '*' --start-time 2026-12-01T02:00:00Z",
    ),
)
_command(
    "iot hub job wait",
    "Wait for a job's end, and print it.",
    ("Wait for five minutes at most.", "az iot hub job wait -n localhost --job-id reboot-1 --poll-duration 300"),
    ("Wait until the job's own deadline.", "az iot hub job wait -n localhost --job-id reboot-1 --poll-duration 0"),
    long="Exit codes: 0 all devices succeeded, 4 some or all failed, 5 the job failed or was cancelled, 7 it is still "
    "running, 8 no device matched. Ctrl-C ends the waiting; the job goes on.",
)
_command(
    "iot hub job results",
    "Show what a job did to each of its devices.",
    (
        "The devices that failed, and why, as a table.",
        "az iot hub job results -n localhost --job-id reboot-1 --status failed "
        "--columns deviceId,errorClass,errorText -o table",
    ),
    (
        "All rows into a file that a spreadsheet opens; after a break, the same line goes on.",
        "az iot hub job results -n localhost --job-id reboot-1 --output-file reboot-1.csv",
    ),
    (
        "Devices that answered with 500 or more, as JSON lines.",
        "az iot hub job results -n localhost --job-id reboot-1 --error-class rejected --success-status 200-499 "
        "--output-file - --format jsonl",
    ),
    long="Rows have the columns deviceId, moduleId, status, errorClass, errorCode, errorText, methodStatus, payload, "
    "started, finished, durationSeconds and deleted. Cells of a CSV file that a spreadsheet would run as a formula "
    "begin with an apostrophe.",
)
_command(
    "iot hub job show",
    "Show a job: its status, what it does and how many devices succeeded and failed.",
    ("Show a job's counts.", "az iot hub job show -n localhost --job-id reboot-1 --query deviceJobStatistics"),
    (
        "Why devices failed, and what they answered.",
        "az iot hub job show -n localhost --job-id reboot-1 --summary --query summary",
    ),
)
_command(
    "iot hub job list",
    "List the jobs of the last 30 days, import and export jobs included.",
    ("List what is running.", "az iot hub job list -n localhost --job-status running -o table"),
)
_command(
    "iot hub job cancel",
    "Cancel a job that has not begun; the hub refuses to cancel one that runs or has ended.",
    ("Cancel a scheduled job.", "az iot hub job cancel -n localhost --job-id night-7"),
)
_command(
    "iot hub invoke-device-method",
    "Call a direct method on one device and print the status and payload that it answers.",
    (
        "Call a method with a payload.",
        "az iot hub invoke-device-method -n localhost --device-id pump-1 --method-name reboot "
        "--method-payload '{\"delay\": 5}'",
    ),
    (
        "Call a method with no payload.",
        "az iot hub invoke-device-method -n localhost -d pump-1 --mn reboot --mp null",
    ),
)
_command(
    "iot hub query",
    "Run a query over device twins or over what jobs did to each device.",
    ("Query twins.", "az iot hub query -n localhost -q \"SELECT deviceId FROM devices WHERE tags.site = 'north'\""),
    (
        "See a job's devices.",
        "az iot hub query -n localhost -q \"SELECT * FROM devices.jobs WHERE jobId = 'reboot-1'\"",
    ),
)

_group("iot hub device-identity", "Manage the registry of devices.")
_group("iot hub device-identity connection-string", "The connection string with which a device signs in.")
_command(
    "iot hub device-identity create",
    "Register a device.",
    ("Register a device with keys that the hub makes.", "az iot hub device-identity create -n localhost -d pump-1"),
    (
        "Register a device with a self-signed certificate, made here.",
        "az iot hub device-identity create -n localhost -d pump-2 --am x509_thumbprint --valid-days 90 --output-dir .",
    ),
)
_command(
    "iot hub device-identity show",
    "Show a device's registration, keys included.",
    ("Show a device's status.", "az iot hub device-identity show -n localhost -d pump-1 --query status"),
)
_command(
    "iot hub device-identity list",
    "List devices, as the hub's query shows them.",
    ("List ten device ids.", 'az iot hub device-identity list -n localhost --top 10 --query "[].deviceId" -o tsv'),
)
_command(
    "iot hub device-identity update",
    "Change a device's registration; what is not named stays as it is.",
    ("Disable a device.", "az iot hub device-identity update -n localhost -d pump-1 --status disabled --star stolen"),
    ("The same, by path.", "az iot hub device-identity update -n localhost -d pump-1 --set status=disabled"),
)
_command(
    "iot hub device-identity delete",
    "Remove a device and its twin.",
    ("Remove a device.", "az iot hub device-identity delete -n localhost -d pump-1"),
)
_command(
    "iot hub device-identity connection-string show",
    "Show the connection string with which a device signs in.",
    (
        "Keep it in a variable.",
        "CS=$(az iot hub device-identity connection-string show -n localhost -d pump-1 "
        "--query connectionString -o tsv)",
    ),
)

_group("iot hub device-twin", "Manage device twins: tags, desired and reported properties.")
_command(
    "iot hub device-twin show",
    "Show a device's twin.",
    ("Read one desired property.", "az iot hub device-twin show -n localhost -d pump-1 "
     "--query properties.desired.BuildingNo"),
)  # fmt: skip
_command(
    "iot hub device-twin update",
    "Merge into a twin's tags and desired properties; null removes a key.",
    (
        "Set a desired property and a tag.",
        "az iot hub device-twin update -n localhost -d pump-1 --desired '{\"BuildingNo\": 45}' "
        '--tags \'{"site": "north"}\'',
    ),
    ("Remove a tag.", "az iot hub device-twin update -n localhost -d pump-1 --remove tags.site"),
)
_command(
    "iot hub device-twin list",
    "List device twins.",
    ("List all twins.", "az iot hub device-twin list -n localhost --top -1"),
)

_group("iot device", "Act as a device of an IoT Hub.")
_command(
    "iot device simulate",
    "Simulate a device: it sends messages, answers direct methods and echoes desired properties.",
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
        "Over HTTPS: send messages, and reject those that are sent to it.",
        "az iot device simulate -n localhost -d pump-1 --protocol http --receive-settle reject",
    ),
    (
        "Sign in with a certificate, through the HTTPS port.",
        "az iot device simulate -n localhost -d pump-1 --certificate-file-path pump-1-cert.pem "
        "--key-file-path pump-1-key.pem --websocket",
    ),
    long="Ends when all messages are sent, or with Ctrl-C. Method calls, cloud-to-device messages and twin patches are "
    "printed as they arrive.",
)

_command(
    "iot device send-d2c-message",
    "Send a message, or several, as a device, over HTTPS.",
    ("Send a text.", "az iot device send-d2c-message -n localhost -d pump-1 --data 'valve open'"),
    (
        "Send JSON that the hub can route by, with a property.",
        "az iot device send-d2c-message -n localhost -d pump-1 --data '{\"t\": 21}' "
        "--properties '$.ct=application/json;$.ce=utf-8;site=north'",
    ),
    long="System properties are $.mid, $.cid, $.uid, $.ct and $.ce.",
)
_group("iot device c2d-message", "Handle the cloud-to-device messages of a device, over HTTPS.")
_command(
    "iot device c2d-message receive",
    "Receive the oldest message that waits; nothing is printed when there is none.",
    ("Look at it; it waits again when its lock ends.", "az iot device c2d-message receive -n localhost -d pump-1"),
    ("Receive and complete it.", "az iot device c2d-message receive -n localhost -d pump-1 --complete"),
    long="The message is locked for --lock-timeout seconds; its etag settles it meanwhile.",
)
_command(
    "iot device c2d-message complete",
    "Complete a received message: it leaves the queue.",
    ("With the etag that was printed.", "az iot device c2d-message complete -n localhost -d pump-1 --etag LOCK-TOKEN"),
)
_command(
    "iot device c2d-message abandon",
    "Abandon a received message: it waits again.",
    ("With the etag that was printed.", "az iot device c2d-message abandon -n localhost -d pump-1 --etag LOCK-TOKEN"),
)
_command(
    "iot device c2d-message reject",
    "Reject a received message: it leaves the queue as one that could not be handled.",
    ("With the etag that was printed.", "az iot device c2d-message reject -n localhost -d pump-1 --etag LOCK-TOKEN"),
)
_command(
    "iot device c2d-message purge",
    "Remove all messages that wait for a device.",
    ("Count what was removed.", "az iot device c2d-message purge -n localhost -d pump-1 --query totalMessagesPurged"),
)

_group(
    "iot local-hub",
    "Run an IoT Hub on this machine: devices, twins, direct methods, jobs and queries without Azure.",
    "It listens on loopback addresses only. Every command reaches it with -n localhost.",
)
_command(
    "iot local-hub start",
    "Start a local hub, and print its connection string.",
    ("Start in the background.", "az iot local-hub start --detach"),
    (
        "Start a second one beside it, forgetting everything at its end.",
        "az iot local-hub start --bind 127.0.0.2 --data-dir hub-2 --in-memory --detach",
    ),
)
_command(
    "iot local-hub stop",
    "End a local hub cleanly.",
    ("End the one that runs.", "az iot local-hub stop"),
)
_command(
    "iot local-hub show",
    "Show the local hub that runs; exit code 3 when none does.",
    ("Read its connection string.", "az iot local-hub show --query connectionString -o tsv"),
)
_command(
    "iot local-hub reset",
    "Remove all devices, twins, jobs, messages and CA certificates of a running local hub.",
    ("Without being asked.", "az iot local-hub reset --yes"),
    long="Its policies' keys and its own server certificate stay.",
)
_group(
    "iot local-hub certificate",
    "Manage the CAs that vouch for X.509 devices at a running local hub.",
    "A CA counts as verified as soon as it is here. Devices that were registered with --auth-method x509_ca sign in "
    "with certificates below it whose common name is the device id. At most 25.",
)
_command(
    "iot local-hub certificate create",
    "Let a CA vouch for devices, in the place of one of the same name.",
    ("Let a root CA vouch.", "az iot local-hub certificate create --name root --path root-ca.pem"),
)
_command(
    "iot local-hub certificate list",
    "List the CAs that vouch for devices.",
    ("List their subjects.", "az iot local-hub certificate list --query [].subject"),
)
_command(
    "iot local-hub certificate delete",
    "Let a CA vouch no more. Devices that are connected stay so.",
    ("Remove one.", "az iot local-hub certificate delete --name root"),
)
_command(
    "iot local-hub events",
    "Print what devices sent and send, one JSON document a line.",
    ("Follow all devices until Ctrl-C.", "az iot local-hub events"),
    (
        "Wait for one message of a device, for a minute at most.",
        "az iot local-hub events -d pump-1 --mc 1 --timeout 60",
    ),
    long="Begins with what the hub still keeps: the newest 1,000 messages since its start. Ours, in place of the event "
    "hub that Azure has; --output and --query do not apply.",
)
_command(
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
