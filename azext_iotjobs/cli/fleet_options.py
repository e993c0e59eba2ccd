"""What is typed about a fleet of simulated devices: every option that one device alone does not have."""

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class FleetOptions:
    """The options by their dest; None or False where nothing was typed."""

    condition: str | None = None
    named_devices: str | None = None
    devices_path: str | None = None
    left_out: str | None = None
    devices_at_most: int | None = None
    only_plans: bool = False
    id_prefix: str | None = None
    fleet_size: int | None = None
    creates: bool = False
    until: list[str] | None = None
    expected: list[str] | None = None
    events_path: str | None = None
    overwrites_events: bool = False
    metrics_port: int | None = None
    metrics_address: str | None = None

    @property
    def is_typed(self) -> bool:
        """Whether any of them was typed."""
        return any(getattr(self, each.name) != each.default for each in fields(self))

    @property
    def names_devices(self) -> bool:
        """Whether they say which devices are meant."""
        named: tuple[Any, ...] = (self.condition, self.named_devices, self.devices_path, self.id_prefix)
        return any(each is not None for each in named)
