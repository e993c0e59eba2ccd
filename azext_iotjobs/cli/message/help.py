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

group("iot device c2d-message", "Handle the cloud-to-device messages of a device, over HTTPS.")

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
