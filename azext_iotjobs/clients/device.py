"""DeviceClient: the HTTPS side that a device speaks. Headers carry what is not the body; this room knows their names.

Source: IoT Hub REST, "device": send device event, receive and settle device bound notification.
"""

import re
from collections.abc import Mapping

from azext_iotjobs.clients.errors import error_of
from azext_iotjobs.clients.request_parts import identity_path, path_part
from azext_iotjobs.clients.response import document
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.ids import LOCK_TOKEN
from azext_iotjobs.model.message import DeviceMessage, ReceivedMessage, Settlement
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.transport.http import Request, Transport

APP_PREFIX = "iothub-app-"
HUB_PREFIX = "iothub-"  # of headers that mean something to the hub
PLAIN_HEADERS = ("content-type", "content-encoding")  # and of these too
OTHERWISE = Text("Percent-encode it, or send over MQTT: ", command("iot device send-d2c-message"))
LOCK_TIMEOUT = "IotHub-MessageLockTimeout"
HEADERS = {  # system properties by their MQTT names
    "$.mid": "iothub-messageid",
    "$.cid": "iothub-correlationid",
    "$.uid": "iothub-userid",
    "$.ct": "iothub-contenttype",
    "$.ce": "iothub-contentencoding",
    "iothub-creation-time-utc": "iothub-creation-time-utc",
}
IOTHUB_HEADERS = "messageid correlationid sequencenumber to userid ack expiry deliverycount enqueuedtime".split()
# What the body is: hubs have sent the older pair, and send the plain one today.
BODY_HEADERS = ("ContentType", "ContentEncoding", *PLAIN_HEADERS)
SYSTEM_HEADERS = (*(f"{HUB_PREFIX}{name}" for name in IOTHUB_HEADERS), *BODY_HEADERS)
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # of a header, RFC 9110 5.6.2
_VALUE = re.compile(r"[\x20-\x7e]*")


class DeviceClient:
    """One device over HTTPS; it cannot be called and has no twin."""

    def __init__(self, transport: Transport, device_id: str) -> None:
        self._transport = transport
        self._path = f"{identity_path(device_id)}/messages"

    def send(self, message: DeviceMessage) -> None:
        """Send a message to the hub. Raises HubAnswer, LinkError; BadValue for a property that no header carries."""
        request = Request(
            method="POST", path=f"{self._path}/events", headers=_headers(message.properties), content=message.body
        )
        document(self._transport.send(request))

    def receive(self, lock_s: int) -> ReceivedMessage | None:
        """Lock the oldest message that waits, for 5 to 300 seconds; None when there is none."""
        response = self._transport.send(
            Request(
                method="GET",
                path=f"{self._path}/deviceBound",
                headers={LOCK_TIMEOUT: str(lock_s)},
                keeps_encoding=True,  # its sender has named one; whether the body has it is the receiver's business
            )
        )
        if response.status == 204:
            return None
        if response.status != 200:
            raise error_of(response)
        headers = response.headers
        return ReceivedMessage(
            lock_token=(headers.get("ETag") or "").strip('"'),
            body=response.body,
            content_encoding=headers.get("content-encoding", headers.get("ContentEncoding")),
            properties={
                name[len(APP_PREFIX) :]: value for name, value in headers.items() if name.lower().startswith(APP_PREFIX)
            },
            system={name: headers[name] for name in SYSTEM_HEADERS if name in headers},
        )

    def settle(self, lock_token: str, settlement: Settlement) -> None:
        """Say what becomes of a locked message. Raises Conflict when the lock has ended."""
        path = f"{self._path}/deviceBound/{path_part(LOCK_TOKEN, lock_token)}"
        match settlement:
            case Settlement.COMPLETE:
                request = Request(method="DELETE", path=path)
            case Settlement.REJECT:
                request = Request(method="DELETE", path=path, query={"reject": ""})
            case Settlement.ABANDON:
                request = Request(method="POST", path=f"{path}/abandon")
        document(self._transport.send(request))


def _headers(properties: Mapping[str, str]) -> dict[str, str]:
    """The headers of a message's properties. Raises BadValue for what no header carries, and for a header twice."""
    headers: dict[str, str] = {}
    for name, value in properties.items():
        header = _header_of(name)
        if not _NAME.fullmatch(name) or header.lower() == APP_PREFIX:
            raise BadValue(
                f"The property {name!r} cannot be sent over HTTPS: names may hold letters, digits and !#$%&'*+.^_`|~-.",
                hint=OTHERWISE,
            )
        if not _VALUE.fullmatch(value) or value != value.strip(" "):
            raise BadValue(
                f"The property {name!r} cannot be sent over HTTPS: values may hold printable ASCII, without spaces at "
                "either end.",
                hint=OTHERWISE,
            )
        if header.lower() in map(str.lower, headers):
            raise BadValue(
                f"The property {name!r} would be the header {header} a second time: names must differ in more than "
                "upper and lower case.",
                hint="Give it once, or send over MQTT.",
            )
        headers[header] = value
    return headers


def _header_of(name: str) -> str:
    """$.mid and the like have headers; the names of the hub's own headers are those headers; the rest is the user's."""
    if name.lower().startswith(HUB_PREFIX) or name.lower() in PLAIN_HEADERS:
        return name
    return HEADERS.get(name, f"{APP_PREFIX}{name}")
