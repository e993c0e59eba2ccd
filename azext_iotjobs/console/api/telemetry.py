"""The topic of what a device sends."""

from azext_iotjobs.console.context import Document
from azext_iotjobs.console.parts import Parts


async def read_newest(parts: Parts, argument: str) -> Document:
    """The topic `telemetry:<device>`: its newest messages since somebody watches, and the numbers in them."""
    return parts.telemetry.newest(argument)
