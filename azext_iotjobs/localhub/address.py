"""Who speaks or is spoken to: a device, or a module on it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Address:
    """A device, or one of its modules."""

    device_id: str
    module_id: str | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """The path of its own resource, as tokens name it."""
        device = ("devices", self.device_id)
        return device if self.module_id is None else (*device, "modules", self.module_id)
