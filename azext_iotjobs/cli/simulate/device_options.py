"""The options of one simulated device, or of each of many: as typed, and as the simulation needs them."""

from azext_iotjobs.cli.hub_access.device_key import SignInOptions
from azext_iotjobs.cli.input.message_properties import (
    JSON_PROPERTIES,
    read_http_properties,
    read_mqtt_properties,
    text_bytes,
)
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.cli.simulate.behaviour.options import BehaviourOptions, SeededBehaviour
from azext_iotjobs.model.dtmi import check_dtmi
from azext_iotjobs.model.errors import ConflictingChoice
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from azext_iotjobs.transport.mqtt import MqttProtocol

HTTP = "http"


@dataclass(frozen=True, kw_only=True)
class LinkOptions:
    """The options of what a device speaks, as typed."""

    protocol: str = "mqtt"
    our_receive_settle: str = "complete"
    our_model_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class MessageOptions:
    """The options of the messages that a device sends, as typed."""

    our_data: str = "Ping from Az CLI IoT Extension"
    our_msg_count: int = 100
    our_msg_interval: int = 3  # seconds
    our_properties: str | None = None

    @property
    def is_typed(self) -> bool:
        """Whether any of them was typed; az marks the values that are defaults."""
        values = (self.our_data, self.our_msg_count, self.our_msg_interval)
        return self.our_properties is not None or not all(getattr(each, "is_default", False) for each in values)

    def plan(self, protocol: str) -> TelemetryPlan:
        """The messages to send. Raises BadValue."""
        text_bytes(self.our_data, "--data")
        read_properties = read_http_properties if protocol == HTTP else read_mqtt_properties
        return TelemetryPlan(
            text=self.our_data,
            count=at_least(self.our_msg_count, 1, "--msg-count"),
            interval_s=at_least(self.our_msg_interval, 1, "--msg-interval"),
            properties=read_properties(self.our_properties, JSON_PROPERTIES),
        )


@dataclass(frozen=True, kw_only=True)
class DeviceSettings:
    """What holds for each simulated device, read from the options."""

    device: str | None  # the one device; None: there are many
    behaviour: SeededBehaviour
    plan: TelemetryPlan
    sends: bool  # whether anything about messages was typed; one device sends in any case
    model_id: str | None
    sign_in: SignInOptions
    way: MqttProtocol


def read(
    device: str | None,
    link: LinkOptions,
    messages: MessageOptions,
    sign_in: SignInOptions,
    behaviour: BehaviourOptions,
) -> DeviceSettings:
    """The settings of each device.

    device: the one device; None: there are many.
    Raises BadValue; ConflictingChoice for options that do not go with the protocol.
    """
    if link.protocol == HTTP:
        _check_http(link, sign_in, behaviour)
    elif link.our_receive_settle != "complete":
        raise ConflictingChoice(
            f"--receive-settle {link.our_receive_settle} can only be used with --protocol http.",
            hint="Over MQTT a message is always completed.",
        )
    if link.our_model_id is not None:
        check_dtmi(link.our_model_id, "--model-id")
    return DeviceSettings(
        device=device,
        behaviour=behaviour.read(),
        plan=messages.plan(link.protocol),
        sends=messages.is_typed,
        model_id=link.our_model_id,
        sign_in=sign_in,
        way=MqttProtocol.WEBSOCKET if sign_in.websocket else MqttProtocol.TLS,
    )


def _check_http(link: LinkOptions, sign_in: SignInOptions, behaviour: BehaviourOptions) -> None:
    needs_mqtt = {
        "--method-response-code": behaviour.our_method_response_code is not None,
        "--method-response-payload": behaviour.our_method_response_payload is not None,
        "--init-reported-properties": behaviour.our_init_reported_properties is not None,
        "--behaviour, --method and the like": behaviour.has_rules,
        "--model-id": link.our_model_id is not None,
        "--certificate-file-path": sign_in.names_certificate,
        "--websocket": sign_in.websocket,
    }
    for option, is_typed in needs_mqtt.items():
        if is_typed:
            raise ConflictingChoice(
                f"{option} cannot be used with --protocol http: over HTTPS a device signs in with a key, and has no "
                "methods and no twin.",
                hint="Leave it out, or leave --protocol out for MQTT.",
            )
