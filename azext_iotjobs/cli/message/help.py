"""Help of messages, from devices and to them."""

from azext_iotjobs.cli.output.help_text import command, group

command(
    "iot device send-d2c-message",
    "Send a message, or several, as a device, over MQTT, until the hub has acknowledged them.",
    ("Send a text.", "az iot device send-d2c-message -n localhost -d pump-1 --data 'valve open'"),
    (
        "Send JSON that the hub can route by, with a property.",
        "az iot device send-d2c-message -n localhost -d pump-1 --data '{\"t\": 21}' "
        "--properties '$.ct=application/json;$.ce=utf-8;site=north'",
    ),
    (
        "Sign in with a certificate, through the HTTPS port, and announce a model.",
        "az iot device send-d2c-message -n localhost -d pump-1 --certificate-file-path pump-1-cert.pem "
        "--key-file-path pump-1-key.pem --websocket --model-id 'dtmi:com:example:Thermostat;1'",
    ),
    long="System properties are $.mid, $.cid, $.uid, $.ct and $.ce. A hub allows one connection per device: if the "
    "device is connected, that connection ends. Messages that wait for the device stay in its queue.",
)

group("iot device c2d-message", "Send messages to devices over AMQP; receive and settle them as a device, over HTTPS.")

command(
    "iot device c2d-message send",
    "Send a message to a device.",
    ("Send a text.", "az iot device c2d-message send -n localhost -d pump-1 --data 'open the valve'"),
    (
        "Send JSON with a property, and wait until the device has completed it: exit code 4 if it does not.",
        "az iot device c2d-message send -n localhost -d pump-1 --data '{\"valve\": 1}' --content-type application/json "
        "--properties 'site=north' --ack full --wait",
    ),
    (
        "Send a file as it is; the message expires at a time, in milliseconds since 1970.",
        "az iot device c2d-message send -n localhost -d pump-1 --data-file-path firmware.bin "
        "--content-type application/octet-stream --expiry-time-utc 1893456000000",
    ),
    long="Nothing is printed when the hub has accepted the message; it waits for the device for an hour, or until "
    "--expiry-time-utc. With a content type of application/json, --data has to be JSON. A file is read as text in "
    "UTF-8, unless the content type is application/octet-stream. With --wait the feedback is shown as YAML, or as -o "
    "has it, and the exit code is 4 when the device did not complete the message.",
)

command(
    "iot hub monitor-feedback",
    "Show what became of messages to devices that were sent with --ack.",
    ("Show feedback until Ctrl-C.", "az iot hub monitor-feedback -n localhost"),
    (
        "Wait for the feedback about one message: exit code 4 if the device did not complete it.",
        "az iot hub monitor-feedback -n localhost --wait-on-msg order-17",
    ),
    (
        "Show feedback about one device, as JSON lines.",
        "az iot hub monitor-feedback -n localhost -d pump-1 -o json | cat",
    ),
    long="Records are YAML, or as -o has it. A hub gives each record once: what is shown is removed from the hub. "
    "Records that --device-id or --wait-on-msg leaves out stay there for whoever asks for them next, and so do others "
    "that came in one message with them.",
)

command(
    "iot device c2d-message receive",
    "Receive the oldest message that waits; nothing is printed when there is none.",
    (
        "Look at the oldest message; it waits again when its lock ends.",
        "az iot device c2d-message receive -n localhost -d pump-1",
    ),
    ("Receive and complete it.", "az iot device c2d-message receive -n localhost -d pump-1 --complete"),
    long="The message is locked for --lock-timeout seconds; until then it can be settled by its etag.",
)

command(
    "iot device c2d-message complete",
    "Complete a received message: it leaves the queue.",
    ("With the etag that was printed.", "az iot device c2d-message complete -n localhost -d pump-1 --etag LOCK-TOKEN"),
)

command(
    "iot device c2d-message abandon",
    "Abandon a received message: it waits again.",
    ("With the etag that was printed.", "az iot device c2d-message abandon -n localhost -d pump-1 --etag LOCK-TOKEN"),
)

command(
    "iot device c2d-message reject",
    "Reject a received message: it leaves the queue as one that could not be handled.",
    ("With the etag that was printed.", "az iot device c2d-message reject -n localhost -d pump-1 --etag LOCK-TOKEN"),
)

command(
    "iot device c2d-message purge",
    "Remove all messages that wait for a device.",
    ("Count what was removed.", "az iot device c2d-message purge -n localhost -d pump-1 --query totalMessagesPurged"),
)
