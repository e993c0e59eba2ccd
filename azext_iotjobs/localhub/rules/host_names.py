"""The names under which a hub answers, and who calls it by which.

A hub on a newer gateway has three names: `{hub}.azure-devices.net`, `{hub}.device.azure-devices.net` for devices and
`{hub}.service.azure-devices.net` for services. Here they end in `localhost`, whose names all mean this machine, RFC
6761 6.3. What is published says only whom each of the two is for, not that it refuses the others. Here it does, so that
a client that calls the wrong one is noticed.
"""

import re
from enum import Enum

from azext_iotjobs.localhub.errors import UNAUTHORIZED_ACCESS, HubError
from azext_iotjobs.localhub.process.config import DEFAULT_BIND

HUB_NAME = "local-hub"  # any other does as well, where the certificate need not name it: `{hub}.localhost`
CERTIFIED = (
    "localhost", f"{HUB_NAME}.localhost", "*.localhost", "*.device.localhost", "*.service.localhost",
)  # fmt: skip
_BELOW = re.compile(r"[a-z0-9-]+\.(?:(?P<side>device|service)\.)?localhost")


class Side(Enum):
    """Who calls."""

    DEVICE = "device"
    SERVICE = "service"


class HostNames:
    """Every name under which one hub may be addressed, with and without a port."""

    def __init__(self, bind: str, https_port: int, mqtt_port: int) -> None:
        self._fixed = (bind, "localhost", "127.0.0.1", "::1", "[::1]") if bind == DEFAULT_BIND else (bind,)
        self._ports = tuple(f":{port}" for port in (https_port, mqtt_port))

    def __contains__(self, host: object) -> bool:
        name = self._without_port(str(host))
        return name in self._fixed or _BELOW.fullmatch(name) is not None

    def check_side(self, host: str, caller: Side) -> None:
        """Raise HubError 401002 when `host` is the name that the other side calls."""
        found = _BELOW.fullmatch(self._without_port(host))
        if found is None or found["side"] in (None, caller.value):
            return
        hub, _, _ = found[0].partition(".")
        raise HubError(
            UNAUTHORIZED_ACCESS,
            f"{found[0]} is for {found['side']}s; {caller.value}s call {hub}.{caller.value}.localhost.",
        )

    def _without_port(self, host: str) -> str:
        lower = host.lower()
        port = next((each for each in self._ports if lower.endswith(each)), "")
        return lower.removesuffix(port) if port else lower
