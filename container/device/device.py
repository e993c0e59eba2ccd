"""A device's program, as an example: it reads its twin, sends one message and ends."""

import os
from pathlib import Path

from azure.iot.device import IoTHubDeviceClient, Message

client = IoTHubDeviceClient.create_from_connection_string(
    os.environ["DEVICE_CONNECTION_STRING"],
    server_verification_cert=Path(os.environ["CA_FILE"]).read_text(),
)
client.connect()
interval = client.get_twin()["desired"]["intervalSeconds"]
client.send_message(Message(f'{{"intervalSeconds": {interval}}}'))
client.shutdown()
print(f"The hub has the message; the next one would be due in {interval} s.")
