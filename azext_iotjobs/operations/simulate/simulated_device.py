"""One device of a simulation, as the caller describes it."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from azext_iotjobs.transport.device_login import DeviceCredential


@dataclass(frozen=True, kw_only=True)
class SimulatedDevice:
    """A device to simulate: who it is, how it answers, what it sends."""

    device_id: str
    credential: DeviceCredential
    behaviour: Behaviour
    plan: TelemetryPlan | None  # None: it sends only what its behaviour says, and runs until it is stopped
    model_id: str | None = None  # DTMI that it announces
    number: int = 0  # within its simulation, from 0
    tags: Mapping[str, Any] = field(default_factory=dict)
