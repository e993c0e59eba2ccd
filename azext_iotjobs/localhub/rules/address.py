"""Who speaks or is spoken to: a device, or a module on it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """A device, or one of its modules."""

    device_id: str
    module_id: str | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """The path of its own resource, as tokens name it."""
        device = ("devices", self.device_id)
        return device if self.module_id is None else (*device, "modules", self.module_id)

    @property
    def key(self) -> tuple[str, str]:
        """What tables know it by: a device itself has the module id ''."""
        return self.device_id, self.module_id or ""

    @property
    def device(self) -> "Address":
        """The device that it is, or is on."""
        return self if self.module_id is None else Address(self.device_id)

    @property
    def shown(self) -> str:
        """How a message names it."""
        device = f"device {self.device_id!a}"
        return f"The {device}" if self.module_id is None else f"The module {self.module_id!a} of {device}"
