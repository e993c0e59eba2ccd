"""Who a simulated device is, and what it signs in with."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

from azext_iotjobs.model.device_credentials import DeviceCertificate, DeviceKey
from azext_iotjobs.model.errors import Unauthorized
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from azext_iotjobs.transport.auth import device_password
from azext_iotjobs.transport.http import API_VERSION
from azext_iotjobs.transport.mqtt_events import MqttLogin

TOKEN_LIFE_S = 3600  # as the official device SDKs have it


class Caller(Protocol):
    """A device that signs in over MQTT."""

    @property
    def device_id(self) -> str:
        """Its name."""

    @property
    def credential(self) -> DeviceKey | DeviceCertificate:
        """What it shows."""

    @property
    def model_id(self) -> str | None:
        """The DTMI that it announces."""


@dataclass(frozen=True, kw_only=True)
class SimulatedDevice:
    """A device to simulate: who it is, how it answers, what it sends."""

    device_id: str
    credential: DeviceKey | DeviceCertificate
    behaviour: Behaviour
    plan: TelemetryPlan | None  # None: it sends only what its behaviour says, and lives until it is stopped
    model_id: str | None = None  # DTMI that it announces
    number: int = 0  # within its fleet, from 0
    tags: Mapping[str, Any] = field(default_factory=dict)


def login_of(device: Caller, target: HubTarget, now: datetime) -> tuple[MqttLogin, float]:
    """What a device connects with, and for how many seconds at most before it needs another; inf for a certificate."""
    target = target.for_devices
    model = f"&model-id={quote(device.model_id, safe='')}" if device.model_id else ""
    username = f"{target.host}/{device.device_id}/?api-version={API_VERSION}{model}"
    if isinstance(device.credential, DeviceCertificate):
        login = MqttLogin(
            client_id=device.device_id, username=username, password=None, certificate=device.credential
        )  # fmt: skip
        return login, math.inf
    token = device_password(target, device.credential, now, TOKEN_LIFE_S)
    login = MqttLogin(client_id=device.device_id, username=username, password=token.text)
    return login, (token.renew_at - now).total_seconds()


def refusal(device_id: str) -> Unauthorized:
    """Our error for a device that the hub does not let in."""
    return Unauthorized(
        f"The hub refused {device_id}: its key or certificate is wrong, or it is disabled or not registered.",
        status=401,
        hint=Text(
            "Look with: ",
            command("iot hub device-identity show", "-d", device_id),
            ". A clock that is off by minutes has the same effect.",
        ),
    )
