"""What a device shows the hub when it connects over MQTT, and the error when the hub refuses it."""

import math
from datetime import datetime
from urllib.parse import quote

from azext_iotjobs.model.device_credentials import DeviceCertificate, DeviceKey
from azext_iotjobs.model.errors import Unauthorized
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.transport.device_tokens import device_password
from azext_iotjobs.transport.http import API_VERSION
from azext_iotjobs.transport.mqtt_events import MqttLogin

DeviceCredential = DeviceKey | DeviceCertificate


def login_of(
    device_id: str, credential: DeviceCredential, model_id: str | None, target: HubTarget, now: datetime
) -> tuple[MqttLogin, float]:
    """What a device connects with, and after how many seconds it needs a new one; inf for a certificate.

    model_id: the DTMI that the device announces.  now: aware UTC, from which a token's life counts.
    Source: IoT Hub "communicate using MQTT": user name and password of a device.
    """
    target = target.for_devices
    model = f"&model-id={quote(model_id, safe='')}" if model_id else ""
    username = f"{target.host}/{device_id}/?api-version={API_VERSION}{model}"
    if isinstance(credential, DeviceCertificate):
        return MqttLogin(client_id=device_id, username=username, password=None, certificate=credential), math.inf
    token = device_password(target, credential, now)
    login = MqttLogin(client_id=device_id, username=username, password=token.text)
    return login, (token.renew_at - now).total_seconds()


def refusal(device_id: str) -> Unauthorized:
    """The error for a device whose connection the hub refuses."""
    return Unauthorized(
        f"The hub refused {device_id}: its key or certificate is wrong, or it is disabled or not registered.",
        status=401,
        hint=Text(
            "Look with: ",
            command("iot hub device-identity show", device_id=device_id),
            ". A clock that is off by minutes has the same effect.",
        ),
    )
