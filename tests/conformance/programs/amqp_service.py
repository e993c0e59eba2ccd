"""Our own clients of AMQP as a service, in a process with another version of azure-eventhub: all that commands do.

Takes a document on stdin: what the hub is called and with which key, and the device that a message is for. Prints one.
"""

import json
import sys
from typing import Any

from azext_iotjobs.clients.events import EventsClient, find_event_hub
from azext_iotjobs.clients.service_messages import ServiceMessagesClient
from azext_iotjobs.model.amqp import AmqpEndpoint
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_event import EventFilter, Position
from azext_iotjobs.model.message import Ack, NewC2dMessage
from azext_iotjobs.model.target import SasKey

CLOCK = SystemClock()


def first_event(endpoint: AmqpEndpoint, key: SasKey, device: str) -> dict[str, Any]:
    """The body of a device's first event, and where it was found: by asking the hub."""
    hub = find_event_hub(endpoint, key, CLOCK)
    client = EventsClient(hub, "$Default", CLOCK)
    for partition in client.partitions():
        client.state(partition)
        client.follow(partition, Position())
    wanted = EventFilter(device=device)
    while True:
        client.wait()
        for event in client.take():
            if wanted.matches(event):
                client.close()
                return {"name": hub.name, "body": event.body.decode(), "offset": event.offset}


def main() -> None:
    given = json.load(sys.stdin)
    key = SasKey(policy=given["policy"], key=given["key"])
    endpoint = AmqpEndpoint(given["host"], given["port"], given["httpsPort"], ca_file=given["ca"])
    endpoint = endpoint._replace(is_websocket=given["isWebSocket"])
    device = given["device"]
    client = ServiceMessagesClient(endpoint, key, CLOCK)
    client.send(NewC2dMessage(body=b'"hello"', properties={"a": "1"}, message_id="m-1", ack=Ack.FULL), device)
    client.close()
    import azure.eventhub

    result = {"version": azure.eventhub.__version__, "event": first_event(endpoint, key, device)}
    sys.stdout.write(json.dumps(result))


main()
