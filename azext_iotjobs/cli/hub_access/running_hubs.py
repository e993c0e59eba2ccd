"""The local hubs that run, as found by the state files that each one writes at its start and removes at its end.

A hub that was killed leaves its file behind, so a file counts only while its process exists and something listens on
its port. Nothing here ever signals a process: its id may belong to another one by now.

A hub is selected by its address and its port, which no other hub has; "localhost" alone stands for the only one.
"""

import json
import os
import socket
from pathlib import Path
from typing import Any, NamedTuple

from azure.cli.core._environment import get_config_dir

from azext_iotjobs.model.errors import BadValue, ConflictingChoice, NotFound
from azext_iotjobs.model.host_names import LOOPBACK_NAMES, HostNames, is_below_localhost, is_loopback
from azext_iotjobs.model.ids import looks_like_connection_string
from azext_iotjobs.model.target import AMQP_PORT, HubTarget

DEFAULT_BIND = "127.0.0.1"
HUB_MODULE = b"azext_iotjobs.localhub"  # in the command line of every hub's process
CONNECT_LIMIT_S = 1.0  # loopback answers or refuses at once; a full accept queue is the only reason to wait
HOW_TO_REACH_ANOTHERS = (
    "\nOne that another AZURE_CONFIG_DIR, user or container started is reached by what az iot local-hub show says "
    "there, its caBundlePath and connectionString:\n"
    "  export REQUESTS_CA_BUNDLE=CA-BUNDLE-PATH\n"
    "  --login CONNECTION-STRING"
)


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
    def selector(self) -> str:
        """The value of `-n` that names this hub and no other."""
        return f"{'localhost' if self.is_localhost else self.bind}:{self.https_port}"

    @property
    def is_localhost(self) -> bool:
        """Whether it is reached at `localhost`: at the default address, and wherever other machines reach it too."""
        return self.bind == DEFAULT_BIND or not is_loopback(self.bind)

    @property
    def has_ended(self) -> bool:
        """Whether its process is certainly gone; False where that is unknown."""
        return _is_gone(self.document.get("pid"))

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and no other runs in its place."""
        now = _read(self.state_file)
        return now is None or now.has_ended

    @property
    def knows_its_process(self) -> bool:
        """Whether `has_ended` can tell."""
        return os.name != "nt" and isinstance(self.document.get("pid"), int)

    @property
    def host_name(self) -> str:
        return str(self.document["hostName"])

    @property
    def connection_string(self) -> str:
        return str(self.document["connectionString"])

    def policy_keys(self) -> dict[str, str]:
        """The keys of its shared access policies by name, read from its data folder.

        Raises BadValue when they cannot be read: the hub belongs to another user, or its folder is gone.
        """
        path = Path(str(self.document.get("dataDirectory"))) / "policies.json"
        try:
            keys = json.loads(path.read_bytes())
            return {str(name): str(key) for name, key in keys.items()}
        except (OSError, ValueError, AttributeError) as err:
            raise BadValue(f"The policies of the local hub at {self.host_name} cannot be read from {path}.") from err

    def target(self, host: str) -> HubTarget:
        """Its target under `host`, one of its names."""
        return HubTarget.named(host, self.https_port, str(self.document["caCertificatePath"]))._replace(
            mqtt_port=int(self.document["mqttPort"]),
            amqp_port=int(self.document.get("amqpPort", AMQP_PORT)),
            is_local=True,
            known_names=None if is_below_localhost(host) else self._names(host),
        )

    def target_as(self, typed: str) -> HubTarget:
        """Its target for the name that was typed: under a name below `localhost` as typed, else under its own name."""
        return self.target(typed if is_below_localhost(typed) else split_port(self.host_name)[0])

    def _names(self, host: str) -> HostNames:
        """`host`, and its names below `localhost`, which a hub has that listens at the default address."""
        device, service = (self.document.get(member) for member in ("deviceHostName", "serviceHostName"))
        return HostNames(host, *(None if name is None else split_port(str(name))[0] for name in (device, service)))


def state_folder() -> Path:
    """The folder of the state files, under az's configuration folder."""
    return Path(get_config_dir()) / "iotjobs" / "hubs"


def running_hubs() -> list[RunningHub]:
    """Every local hub of this user that accepts connections now, ordered by the name of its state file."""
    found = (_read(path) for path in sorted(state_folder().glob("*.json")))
    return [hub for hub in found if hub is not None and not hub.has_ended and _listens(hub)]


def pick(*, https_port: int | None = None, host: str | None = None, has_login: bool = True) -> RunningHub:
    """The running hub with this host and port.

    host: "localhost" or a loopback address; "localhost" without a port, or None, stands for the only one that runs.
    has_login: whether the command takes --login, for advice.
    Raises NotFound when none fits, ConflictingChoice when several do.
    """
    hubs = running_hubs()
    fitting = [hub for hub in hubs if _fits(hub, host, https_port)]
    if https_port is not None and host is not None:
        # "localhost" with a port means the hub at that address, if there is one.
        fitting = [hub for hub in fitting if _answers_at(hub, host)] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        other_way = "" if hubs or not has_login else HOW_TO_REACH_ANOTHERS
        start = f"Start one: {_start_command(host, https_port)}"
        raise NotFound(_none_message(hubs, host, https_port), hint=start + other_way)
    names = ", ".join(hub.selector for hub in fitting)
    choices = "".join(f"\n  -n {hub.selector}" for hub in fitting)
    raise ConflictingChoice(
        f"{len(fitting)} local hubs are running: {names}. Say which one.", hint=f"Give one of these:{choices}"
    )


def pick_typed(name: str | None, https_port: int | None) -> RunningHub:
    """The running hub that the options of a local-hub command select.

    name: of -n, localhost or an address, each with or without a port; None when it was not given.
    https_port: of --https-port.
    Raises BadValue, ConflictingChoice, NotFound.
    """
    host, port = (None, None) if name is None else split_port(name.strip())
    if host is not None and not is_loopback(host):
        raise BadValue(
            f"--hub-name {name}: this is not the name of a local hub.",
            hint="Give localhost[:PORT] or its address, 127.0.0.N[:PORT].",
        )
    if port is not None and https_port not in (None, port):
        raise ConflictingChoice(
            f"--hub-name {name} and --https-port {https_port} name two ports.", hint="Give only one of them."
        )
    return pick(https_port=https_port if port is None else port, host=host, has_login=False)


def local_login(host: str, https_port: int) -> RunningHub | None:
    """The running hub at a connection string's host and port; None when no local hub runs there."""
    hubs = (hub for hub in running_hubs() if _answers_at(hub, host) and hub.https_port == https_port)
    return next(hubs, None)


def local_amqp(host: str, port: int) -> RunningHub | None:
    """The running hub that has this port for AMQP; None when no local hub has it.

    host: a name of this machine.  port: of AMQP, with or without TLS.
    """
    ports = ("amqpPort", "amqpPlainPort")
    hubs = (hub for hub in running_hubs() if _answers_at(hub, host) and port in map(hub.document.get, ports))
    return next(hubs, None)


def split_port(text: str) -> tuple[str, int | None]:
    """Split "localhost:8443" into ("localhost", 8443); the port is None when there is none.

    Raises BadValue for a port that is not a number from 1 to 65535, and for a connection string without showing it.
    """
    if looks_like_connection_string(text):
        raise BadValue(
            "--hub-name takes the name of a hub; a connection string was given.",
            hint="Give a name such as my-hub or localhost:8443; give a connection string with --login.",
        )
    host, colon, port = text.rpartition(":")
    if not colon or host.endswith(":") or text.endswith("]"):  # no port, or the colons of an IPv6 address
        return text, None
    if not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadValue(f"--hub-name {text}: the port must be a whole number from 1 to 65535, for example {host}:8443.")
    return host, int(port)


def _fits(hub: RunningHub, host: str | None, https_port: int | None) -> bool:
    """Whether `host` may stand for this hub: plain "localhost" stands for any."""
    is_any = host is None or host.lower() == "localhost" or _answers_at(hub, host)
    return is_any and https_port in (None, hub.https_port)


def _answers_at(hub: RunningHub, host: str) -> bool:
    is_localhost = host.lower() in LOOPBACK_NAMES or is_below_localhost(host)
    return host == hub.bind or (hub.is_localhost and is_localhost)


def _none_message(hubs: list[RunningHub], host: str | None, https_port: int | None) -> str:
    host = host or "localhost"
    selector = host if https_port is None else f"{host}:{https_port}"
    running = ", ".join(hub.selector for hub in hubs) or "none"
    return f"No local hub is running at {selector}. Running now: {running}."


def _start_command(host: str | None, https_port: int | None) -> str:
    """What starts a hub that the same -n finds."""
    has_address = host is not None and host.startswith("127.") and host != DEFAULT_BIND
    address = f" --bind {host}" if has_address else ""
    port = "" if https_port is None else f" --https-port {https_port}"
    return f"az iot local-hub start{address}{port} --detach"


def _read(path: Path) -> RunningHub | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        hub = RunningHub(document=document, state_file=path)
        # Read what is used later: a file that a full disk cut short is not a running hub.
        _ = (hub.bind, hub.host_name, hub.connection_string, hub.target(hub.bind))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return hub


def _listens(hub: RunningHub) -> bool:
    address = DEFAULT_BIND if hub.is_localhost else hub.bind
    try:
        socket.create_connection((address, hub.https_port), timeout=CONNECT_LIMIT_S).close()
    except OSError:
        return False
    return True


def _is_gone(pid: object) -> bool:
    """Whether a hub's process is certainly gone: no process has its id, or another program has it."""
    if os.name == "nt" or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's: not what this user has started
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        return state == b"Z" or HUB_MODULE not in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, IndexError):  # only Linux has these; or it has just ended
        return False
