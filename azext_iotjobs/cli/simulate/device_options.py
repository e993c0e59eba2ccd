"""What is typed about one simulated device, or about each of a fleet."""

from dataclasses import dataclass, field

from azext_iotjobs.cli.simulate.behaviour.options import Behaving
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from azext_iotjobs.transport.mqtt import MqttProtocol


@dataclass(frozen=True, kw_only=True)
class OneDevice:
    """The options by their dest, read where they need to be."""

    device: str | None
    behaving: Behaving
    plan: TelemetryPlan
    sends: bool  # whether anything about messages was typed: one device sends in any case
    model: str | None
    device_key: str | None = field(repr=False)
    certificate_path: str | None
    key_path: str | None
    key_passphrase: str | None = field(repr=False)
    way: MqttProtocol
