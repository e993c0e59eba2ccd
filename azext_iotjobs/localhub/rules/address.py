"""The address of a device, or of a module on it. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """A device, or one of its modules."""

    device_id: str
    module_id: str | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """The path of its resource, as tokens name it."""
        device = ("devices", self.device_id)
        return device if self.module_id is None else (*device, "modules", self.module_id)

    @property
    def key(self) -> tuple[str, str]:
        """Its key in tables: a device has the module id ''."""
        return self.device_id, self.module_id or ""

    @property
    def device(self) -> "Address":
        """The device, for a module the one that it is on."""
        return self if self.module_id is None else Address(self.device_id)

    @property
    def shown(self) -> str:
        """Its name in messages for people."""
        device = f"device {self.device_id!a}"
        return f"The {device}" if self.module_id is None else f"The module {self.module_id!a} of {device}"
