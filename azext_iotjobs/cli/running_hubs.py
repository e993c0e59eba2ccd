"""Which local hubs run: the state files that each one writes at its start and removes at its end.

A hub that was killed leaves its file behind, so a file counts only while something listens on its port.
"""

import json
import socket
from pathlib import Path
from typing import Any, NamedTuple

from azure.cli.core._environment import get_config_dir

from azext_iotjobs.model.errors import BadValue, ConflictingChoice, NotFound
from azext_iotjobs.model.host_names import LOOPBACK_NAMES, HostNames, is_below_localhost
from azext_iotjobs.model.target import HubTarget

CONNECT_LIMIT_S = 1.0  # loopback answers or refuses at once; a full accept queue is the only reason to wait


class RunningHub(NamedTuple):
    """One running local hub, as its state file describes it; `document` is that file."""

    document: dict[str, Any]
    state_file: Path

    @property
    def bind(self) -> str:
        return str(self.document["bind"])

    @property
    def https_port(self) -> int:
        return int(self.document["httpsPort"])

    @property
    def host_name(self) -> str:
        return str(self.document["hostName"])

    @property
    def connection_string(self) -> str:
        return str(self.document["connectionString"])

    def policy_keys(self) -> dict[str, str]:
        """The keys of its shared access policies by name, as it keeps them in its data folder.

        Raises BadValue when they cannot be read: the hub belongs to another user, or its folder is gone.
        """
        path = Path(str(self.document.get("dataDirectory"))) / "policies.json"
        try:
            keys = json.loads(path.read_bytes())
            return {str(name): str(key) for name, key in keys.items()}
        except (OSError, ValueError, AttributeError) as err:
            raise BadValue(f"The policies of the local hub at {self.host_name} cannot be read from {path}.") from err

    def target(self, host: str) -> HubTarget:
        """The way to it under `host`, one of its names."""
        return HubTarget.named(host, self.https_port, str(self.document["caCertificatePath"]))._replace(
            mqtt_port=int(self.document["mqttPort"]),
            is_local=True,
            known_names=None if is_below_localhost(host) else self._names(host),
        )

    def _names(self, host: str) -> HostNames:
        """`host`, and the names below `localhost` that it has too, unless it listens where they do not lead."""
        device, service = (self.document.get(member) for member in ("deviceHostName", "serviceHostName"))
        return HostNames(host, *(None if name is None else split_port(str(name))[0] for name in (device, service)))


def state_folder() -> Path:
    """The folder of the state files, under az's configuration folder."""
    return Path(get_config_dir()) / "iotjobs" / "hubs"


def running_hubs() -> list[RunningHub]:
    """Every local hub of this user that answers now, in the order of its state file's name."""
    found = (_read(path) for path in sorted(state_folder().glob("*.json")))
    return [hub for hub in found if hub is not None and _listens(hub)]


def pick(*, https_port: int | None = None, host: str = "localhost") -> RunningHub:
    """The running hub that `host` and `https_port` name.

    host: "localhost" or a loopback address; "localhost" stands for whichever runs.
    Raises NotFound when none fits, ConflictingChoice when several do.
    """
    hubs = running_hubs()
    fitting = [hub for hub in hubs if _fits(hub, host, https_port)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise NotFound(_none_message(hubs, host, https_port), hint="Start one: az iot local-hub start --detach")
    names = ", ".join(hub.host_name for hub in fitting)
    raise ConflictingChoice(
        f"{len(fitting)} local hubs are running: {names}. Say which one.",
        hint="Give -n localhost:PORT (local-hub commands: --https-port PORT).",
    )


def local_login(host: str, https_port: int) -> RunningHub | None:
    """The running hub that answers at a connection string's host and port; None when it is no local hub of ours."""
    hubs = (hub for hub in running_hubs() if _answers_at(hub, host) and hub.https_port == https_port)
    return next(hubs, None)


def split_port(text: str) -> tuple[str, int | None]:
    """Split "localhost:8443" into ("localhost", 8443); the port is None when there is none.

    Raises BadValue for a port that is not a number from 1 to 65535.
    """
    host, colon, port = text.rpartition(":")
    if not colon or host.endswith(":") or text.endswith("]"):  # no port, or the colons of an IPv6 address
        return text, None
    if not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadValue(f"--hub-name {text}: the port must be a whole number from 1 to 65535, for example {host}:8443.")
    return host, int(port)


def _fits(hub: RunningHub, host: str, https_port: int | None) -> bool:
    """Whether `host` may mean this hub: plain "localhost" means whichever runs."""
    return (host.lower() == "localhost" or _answers_at(hub, host)) and https_port in (None, hub.https_port)


def _answers_at(hub: RunningHub, host: str) -> bool:
    is_localhost = host.lower() in LOOPBACK_NAMES or is_below_localhost(host)
    return host == hub.bind or (hub.bind == "127.0.0.1" and is_localhost)


def _none_message(hubs: list[RunningHub], host: str, https_port: int | None) -> str:
    asked = host if https_port is None else f"{host}:{https_port}"
    running = ", ".join(hub.host_name for hub in hubs) or "none"
    return f"No local hub is running at {asked}. Running now: {running}."


def _read(path: Path) -> RunningHub | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        hub = RunningHub(document=document, state_file=path)
        # Touch what everyone reads: a file cut short by a full disk is no running hub.
        _ = (hub.bind, hub.host_name, hub.connection_string, hub.target(hub.bind))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return hub


def _listens(hub: RunningHub) -> bool:
    try:
        socket.create_connection((hub.bind, hub.https_port), timeout=CONNECT_LIMIT_S).close()
    except OSError:
        return False
    return True
