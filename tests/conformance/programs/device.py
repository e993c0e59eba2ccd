"""A device or module made of Microsoft's azure-iot-device SDK. Runs in that SDK's own virtual environment.

Driven as tests/helpers/driven.py says. Methods are answered with 202 and {"echo": payload}; "late" after 6 s, "fail"
with 500. Desired properties are reported back.
"""

import json
import sys
import threading
import time
from typing import Any

from azure.iot.device import X509, IoTHubDeviceClient, IoTHubModuleClient, Message, MethodResponse

SYSTEM = ("message_id", "correlation_id", "user_id", "content_type", "content_encoding", "expiry_time_utc")

Members = dict[str, str] | None

_writing = threading.Lock()


class Device:
    """The commands of the protocol: each method is one."""

    def __init__(self) -> None:
        self.client: Any = None
        self.ca: str | None = None

    def open(self, options: dict[str, Any]) -> None:
        """options: connectionString, or hostName, deviceId, certificate, key; ca, webSocket, module, retrySeconds."""
        more = {"websockets": options.get("webSocket", False), "keep_alive": options.get("keepAlive", 60)}
        self.ca = options.get("ca")
        if "ca" in options:
            with open(options["ca"], encoding="ascii") as file:
                more["server_verification_cert"] = file.read()
        if "retrySeconds" in options:
            more["connection_retry_interval"] = options["retrySeconds"]
        kind = IoTHubModuleClient if options.get("module") else IoTHubDeviceClient
        if "certificate" in options:
            certificate = X509(options["certificate"], options["key"])
            self.client = kind.create_from_x509_certificate(
                certificate, options["hostName"], options["deviceId"], **more
            )
        else:
            self.client = kind.create_from_connection_string(options["connectionString"], **more)
        self.client.on_connection_state_change = lambda: tell(event="connection", connected=self.client.connected)
        self.client.on_background_exception = lambda error: tell(event="trouble", error=repr(error))
        self.client.connect()

    def listen(self) -> None:
        self.client.on_method_request_received = self._on_method
        self.client.on_twin_desired_properties_patch_received = self._on_desired

    def listenForMessages(self) -> None:
        self.client.on_message_received = self._on_message

    def send(self, body: str, properties: Members = None, system: Members = None) -> None:
        message = Message(body)
        for name, value in (system or {}).items():
            setattr(message, name, value)
        for name, value in (properties or {}).items():
            message.custom_properties[name] = value
        self.client.send_message(message)

    def sendTo(self, output: str, body: str) -> None:
        self.client.send_message_to_output(Message(body), output)

    def sendMany(self, count: int) -> None:
        for number in range(count):
            self.client.send_message(f"{number}")

    def twin(self) -> Any:
        return self.client.get_twin()

    def report(self, patch: dict[str, Any]) -> None:
        self.client.patch_twin_reported_properties(patch)

    def place(self, name: str) -> Any:
        return self.client.get_storage_info_for_blob(name)

    def notify(self, correlation_id: str, is_success: bool, status: int, text: str) -> None:
        self.client.notify_blob_upload_status(correlation_id, is_success, status, text)

    def upload(self, place: dict[str, str], size: int) -> int:
        """Write a blob with azure-storage-blob; gives the status that its user would notify the hub of."""
        from azure.storage.blob import BlobClient

        url = "https://{hostName}/{containerName}/{blobName}{sasToken}".format(**place)
        sizes = {"max_single_put_size": 1 << 20, "max_block_size": 1 << 20}
        with BlobClient.from_blob_url(url, connection_verify=self.ca, **sizes) as blob:
            blob.upload_blob(b"x" * size, overwrite=True)
        return 201

    def container(self, uri: str, ca: str) -> dict[str, Any]:
        """Write, list, read in part, describe and remove blobs of a container with azure-storage-blob."""
        from azure.core.exceptions import ResourceExistsError
        from azure.storage.blob import ContainerClient, ContentSettings

        with ContainerClient.from_container_url(uri, connection_verify=ca) as container:
            settings = ContentSettings(content_type="text/plain")
            blob = container.upload_blob(
                "python/\u00fc b.txt", b"0123456789", content_settings=settings, metadata={"a": "b"}
            )
            refused = False
            try:
                container.upload_blob("python/\u00fc b.txt", b"x")
            except ResourceExistsError:
                refused = True
            names = [each.name for each in container.list_blobs(name_starts_with="python/")]
            part = blob.download_blob(offset=2, length=3).readall().decode()
            properties = blob.get_blob_properties()
            blob.delete_blob()
            return {
                "refused": refused,
                "names": names,
                "part": part,
                "type": properties.content_settings.content_type,
                "metadata": properties.metadata,
                "exists": blob.exists(),
            }

    def close(self) -> None:
        self.client.disconnect()

    def reopen(self) -> None:
        self.client.connect()

    def _on_method(self, request: Any) -> None:
        tell(event="method", name=request.name, payload=request.payload)
        if request.name == "late":
            time.sleep(6)
        status = 500 if request.name == "fail" else 202
        answer = MethodResponse.create_from_method_request(request, status, {"echo": request.payload})
        self.client.send_method_response(answer)

    def _on_desired(self, patch: dict[str, Any]) -> None:
        tell(event="desired", patch=patch)
        self.client.patch_twin_reported_properties({key: patch[key] for key in patch if not key.startswith("$")})

    def _on_message(self, message: Any) -> None:
        system = {name: getattr(message, name) for name in SYSTEM if getattr(message, name)}
        body = message.data.decode() if isinstance(message.data, bytes) else message.data
        tell(event="message", body=body, properties=dict(message.custom_properties), system=system)


def tell(**document: Any) -> None:
    with _writing:
        sys.stdout.write(json.dumps(document, default=str) + "\n")
        sys.stdout.flush()


def main() -> None:
    device = Device()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            tell(number=asked["number"], result=getattr(device, asked["do"])(*asked["with"]))
        except Exception as err:  # noqa: BLE001 - whatever the SDK raises is the answer
            said = f"{err} {err.__cause__!r}"
            tell(number=asked["number"], error={"name": type(err).__name__, "message": said})
    if device.client is not None:
        device.client.shutdown()


if __name__ == "__main__":
    main()
