"""Microsoft's service SDK for Python, azure-iot-hub, and its Event Hubs SDK. Runs in their virtual environment.

Driven as tests/helpers/driven.py says. The argument is a file of the CAs to trust.
"""

import json
import sys
import time
from typing import Any, NamedTuple

import certifi

CA = sys.argv[1]
certifi.where = lambda: CA  # the SDK's AMQP library trusts what certifi has, and takes no other file

from azure.eventhub._pyamqp import ReceiveClient  # noqa: E402
from azure.eventhub._pyamqp.authentication import JWTTokenAuth  # noqa: E402
from azure.eventhub._pyamqp.error import AMQPException, AMQPLinkRedirect  # noqa: E402
from azure.iot.hub import IoTHubRegistryManager  # noqa: E402

SAS = b"servicebus.windows.net:sastoken"
Members = dict[str, str] | None


class Token(NamedTuple):
    """A token, as the SDK wants to be given it."""

    token: str
    expires_on: float


class Service:
    """The commands of the protocol: each method is one."""

    def __init__(self) -> None:
        self.manager: Any = None

    def open(self, connection_string: str) -> None:
        self.manager = IoTHubRegistryManager.from_connection_string(connection_string)

    def send(self, device: str, body: str, properties: Members = None) -> None:
        self.manager.send_c2d_message(device, body, properties or {})

    def discover(self, host: str, token: str) -> dict[str, Any]:
        """Where the Event Hubs endpoint is, as the hub says to whoever attaches to its own address."""
        source = f"amqps://{host}/messages/events/$management"
        # As the reference does: a token of IoT Hub's own, which the SDK is made to take for one of its service.
        auth = JWTTokenAuth(source, host, lambda: Token(token, time.time() + 300), token_type=SAS)
        client = ReceiveClient(host, source, auth=auth, timeout=10, connection_verify=CA)
        try:
            client.open()
            client.receive_message_batch(max_batch_size=1, timeout=5)
        except AMQPLinkRedirect as redirect:
            found = {name: getattr(redirect, name) for name in ("hostname", "network_host", "port", "address")}
            return {"condition": str(redirect.condition), **found}
        except AMQPException as err:
            return {"condition": str(err.condition)}
        finally:
            client.close()
        return {}


def tell(**document: Any) -> None:
    sys.stdout.write(json.dumps(document, default=str) + "\n")
    sys.stdout.flush()


def main() -> None:
    service = Service()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            tell(number=asked["number"], result=getattr(service, asked["do"])(*asked["with"]))
        except Exception as err:  # noqa: BLE001 - whatever the SDK raises is the answer
            tell(number=asked["number"], error={"name": type(err).__name__, "message": str(err)})


if __name__ == "__main__":
    main()
