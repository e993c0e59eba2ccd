"""The options of one simulated device, or of each of many: as typed, and as the simulation needs them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azext_iotjobs.cli.hub_access.device_key import SignInOptions
from azext_iotjobs.cli.input.message_properties import (
    JSON_PROPERTIES,
    read_http_properties,
    read_mqtt_properties,
    text_bytes,
)
from azext_iotjobs.cli.input.option_groups import take_group
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.cli.simulate.behaviour.options import BehaviourOptions, SeededBehaviour
from azext_iotjobs.model.dtmi import check_dtmi
from azext_iotjobs.model.errors import ConflictingChoice
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from azext_iotjobs.transport.mqtt import Way

HTTP = "http"


@dataclass(frozen=True, kw_only=True)
class MessageOptions:
    """The options of the messages that a device sends."""

    data: str
    msg_count: int
    msg_interval: int
    properties: str | None = None

    @property
    def is_typed(self) -> bool:
        """Whether any of them was typed; az marks the values that are defaults."""
        values = (self.data, self.msg_count, self.msg_interval)
        return self.properties is not None or not all(getattr(each, "is_default", False) for each in values)

    def plan(self, protocol: str) -> TelemetryPlan:
        """The messages to send. Raises BadValue."""
        text_bytes(self.data, "--data")
        read_properties = read_http_properties if protocol == HTTP else read_mqtt_properties
        return TelemetryPlan(
            text=self.data,
            count=at_least(self.msg_count, 1, "--msg-count"),
            interval_s=at_least(self.msg_interval, 1, "--msg-interval"),
            properties=read_properties(self.properties, JSON_PROPERTIES),
        )


@dataclass(frozen=True, kw_only=True)
class LinkOptions:
    """The options of a device's connection."""

    protocol: str
    receive_settle: str
    model_id: str | None = None
    websocket: bool = False


@dataclass(frozen=True, kw_only=True)
class DeviceSettings:
    """What holds for each simulated device, read from the options."""

    device: str | None  # the one device; None: there are many
    behaviour: SeededBehaviour
    plan: TelemetryPlan
    sends: bool  # whether anything about messages was typed; one device sends in any case
    model_id: str | None
    sign_in: SignInOptions
    way: Way


class DeviceOptions:
    """All options of a device, as typed."""

    def __init__(self, device: str | None, typed: dict[str, Any]) -> None:
        """typed: what az gives the handler, from which these options are removed."""
        self.device = device
        self.link = take_group(LinkOptions, typed)
        self.messages = take_group(MessageOptions, typed)
        self.sign_in = take_group(SignInOptions, typed)
        self.behaviour = take_group(BehaviourOptions, typed)

    def check(self) -> None:
        """Raise ConflictingChoice for options that do not go with the protocol."""
        if self.link.protocol == HTTP:
            self._check_http()
        elif self.link.receive_settle != "complete":
            raise ConflictingChoice(
                f"--receive-settle {self.link.receive_settle} goes with --protocol http only.",
                hint="Over MQTT a message is always completed.",
            )

    def _check_http(self) -> None:
        needs_mqtt: Mapping[str, Any] = {
            "--method-response-code": self.behaviour.method_response_code,
            "--method-response-payload": self.behaviour.method_response_payload,
            "--init-reported-properties": self.behaviour.init_reported_properties,
            "--behaviour, --method and the like": self.behaviour.has_rules or None,
            "--model-id": self.link.model_id,
            "--certificate-file-path": self.sign_in.names_certificate or None,
            "--websocket": self.link.websocket or None,
        }
        for option, value in needs_mqtt.items():
            if value is not None:
                raise ConflictingChoice(
                    f"{option} does not go with --protocol http: there a device has a key, is not called and has no "
                    "twin.",
                    hint="Leave it out, or leave --protocol out for MQTT.",
                )

    def read(self) -> DeviceSettings:
        """The settings. Raises BadValue."""
        if self.link.model_id is not None:
            check_dtmi(self.link.model_id, "--model-id")
        return DeviceSettings(
            device=self.device,
            behaviour=self.behaviour.read(),
            plan=self.messages.plan(self.link.protocol),
            sends=self.messages.is_typed,
            model_id=self.link.model_id,
            sign_in=self.sign_in,
            way=Way.WEBSOCKET if self.link.websocket else Way.TLS,
        )
