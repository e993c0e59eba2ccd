"""The client of AMQP 1.0 within azure-eventhub: large messages in both directions, in frames as small as it is told.

Takes a document on stdin: where the hub is, a device's token and a service's. Prints what was received.
"""

import hashlib
import json
import sys
import time
from typing import Any, NamedTuple

from azure.eventhub._pyamqp import ReceiveClient, SendClient
from azure.eventhub._pyamqp.authentication import JWTTokenAuth
from azure.eventhub._pyamqp.message import Message

SAS = b"servicebus.windows.net:sastoken"
LIMIT_S = 30.0


class Token(NamedTuple):
    """A token, as the library wants to be given it."""

    token: str
    expires_on: float


def options(given: dict[str, Any], name: str, token: str) -> dict[str, Any]:
    """How to connect, without TLS."""
    auth = JWTTokenAuth(name, name, lambda: Token(token, time.time() + 300), token_type=SAS)
    return {
        "auth": auth,
        "custom_endpoint_address": f"https://localhost:{given['port']}",
        "use_tls": False,
        "max_frame_size": given["maxFrameBytes"],
    }


def until_ready(client: Any) -> None:
    client.open()
    deadline = time.monotonic() + LIMIT_S
    while not client.client_ready():
        assert time.monotonic() < deadline, "the link was not attached"


def receive(given: dict[str, Any], partition: str) -> list[str]:
    """The digests of the bodies of a partition's events."""
    source = f"amqps://localhost/local-hub/ConsumerGroups/$Default/Partitions/{partition}"
    client = ReceiveClient("localhost", source, **options(given, "localhost", given["serviceToken"]))
    until_ready(client)
    messages = client.receive_message_batch(max_batch_size=10, timeout=2)
    client.close()
    return [hashlib.sha256(b"".join(each.data)).hexdigest() for each in messages]


def main() -> None:
    given = json.load(sys.stdin)
    target = f"amqps://localhost/devices/{given['device']}/messages/events"
    sender = SendClient("localhost", target, **options(given, target, given["deviceToken"]))
    until_ready(sender)
    body = bytes(range(256)) * (given["bodyBytes"] // 256)
    sender.send_message(Message(data=[body]), timeout=LIMIT_S)
    sender.close()
    found = [digest for partition in given["partitions"] for digest in receive(given, partition)]
    sys.stdout.write(json.dumps({"sent": hashlib.sha256(body).hexdigest(), "received": found}))


main()
