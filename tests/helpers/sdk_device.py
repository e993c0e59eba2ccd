"""A device made of Microsoft's azure-iot-device SDK. Runs in that SDK's own virtual environment, as a process.

argv: the CA file.  stdin: the connection string on one line; its end is the sign to stop.
stdout: a JSON line for each thing that reaches the device.
"""

import json
import sys

from azure.iot.device import IoTHubDeviceClient, MethodResponse


def main() -> None:
    with open(sys.argv[1], encoding="ascii") as file:
        ca = file.read()
    connection_string = sys.stdin.readline().strip()
    client = IoTHubDeviceClient.create_from_connection_string(connection_string, server_verification_cert=ca)

    def on_method(request):
        tell({"method": request.name, "payload": request.payload})
        answer = MethodResponse.create_from_method_request(request, 202, {"echo": request.payload})
        client.send_method_response(answer)

    def on_desired(patch):
        tell({"desired": patch})
        client.patch_twin_reported_properties({key: patch[key] for key in patch if not key.startswith("$")})

    client.on_method_request_received = on_method
    client.on_twin_desired_properties_patch_received = on_desired
    client.connect()
    client.send_message("hello")
    tell({"ready": client.get_twin()})
    sys.stdin.read()
    client.shutdown()


def tell(document):
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
