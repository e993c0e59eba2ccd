"""The state file: tells other programs that a hub runs, where it listens and how to connect to it."""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.process.config import AMQP_PORT, LocalHubConfig
from azext_iotjobs.localhub.process.folder import FolderUnusable
from azext_iotjobs.localhub.process.private_files import make_private_folder, write_private
from azext_iotjobs.localhub.process.sockets import Ports
from azext_iotjobs.localhub.rules.event import DEFAULT_GROUP
from azext_iotjobs.localhub.rules.host_names import (
    EVENT_HUB_NAME,
    amqp_host_name,
    host_name,
    subdomain_names,
    with_port,
)
from azext_iotjobs.localhub.rules.quota import Sku

SERVICE = "service"  # the policy that Event Hubs clients use


@dataclass(frozen=True, kw_only=True)
class Listening:
    """A hub that is ready: `document` says where it listens and how to connect; it is the state file's content."""

    document: dict[str, Any]
    state_file: Path | None


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a client needs to authenticate and to trust the hub."""

    policy: str
    key: str
    service_key: str  # of the policy SERVICE
    ca_file: Path
    bundle_file: Path  # this machine's roots and the hub's CA
    container_uri: str  # for import and export jobs, with a signature


def describe(config: LocalHubConfig, ports: Ports, credentials: Credentials, started_at: str) -> Listening:
    """The state of a hub that listens at `ports`; `started_at` is an instant as on the wire."""
    name = host_name(config.bind, ports.https)
    subdomains = subdomain_names(config.bind, ports.https)
    document = {
        "hostName": name,
        **{f"{kind.value}HostName": subdomain for kind, subdomain in subdomains.items()},
        "httpsPort": ports.https,
        "mqttPort": ports.mqtt,
        "amqpPort": ports.amqp,
        "amqpPlainPort": ports.amqp_plain,
        "bind": config.bind,
        "connectionString": _connection_string(name, credentials),
        **_event_hubs(amqp_host_name(config.bind), ports, credentials.service_key),
        "dnsNames": [_known_as(each, ports, credentials) for each in config.dns_names],
        "consumerGroups": [DEFAULT_GROUP, *config.consumer_groups],
        "keepEventsDays": config.keep_events_days,
        "containerUri": credentials.container_uri,
        "caCertificatePath": str(credentials.ca_file),
        "caBundlePath": str(credentials.bundle_file),
        "dataDirectory": str(config.data_dir),
        "uploadDirectory": str(config.storage_dir),
        "logFile": None if config.log_file is None else str(config.log_file),
        "inMemory": config.in_memory,
        "sku": config.sku.value,
        "units": None if config.sku is Sku.UNLIMITED else config.units,
        "pid": os.getpid(),
        "startedAt": started_at,
    }
    state_file = None
    if config.state_dir is not None:
        # Named by its address too: hubs with one port and different addresses run side by side.
        state_file = config.state_dir / f"{config.bind}_{ports.https}.json"
    return Listening(document=document, state_file=state_file)


def _known_as(dns_name: str, ports: Ports, credentials: Credentials) -> dict[str, str | None]:
    """The same hub under a name that it has by request, for clients to whom that leads."""
    name = with_port(dns_name, ports.https)
    events = _event_hubs(dns_name, ports, credentials.service_key)["eventHubsConnectionString"]
    return {
        "hostName": name,
        "connectionString": _connection_string(name, credentials),
        "eventHubsConnectionString": events,
    }


def _connection_string(name: str, credentials: Credentials) -> str:
    return f"HostName={name};SharedAccessKeyName={credentials.policy};SharedAccessKey={credentials.key}"


def _event_hubs(host: str, ports: Ports, key: str) -> dict[str, str | None]:
    """Connection strings for Event Hubs clients: over TLS, and over the plain port if there is one."""
    access = f"SharedAccessKeyName={SERVICE};SharedAccessKey={key}"
    port = "" if ports.amqp == AMQP_PORT else f":{ports.amqp}"
    plain = None
    if ports.amqp_plain is not None:
        plain = (
            f"Endpoint=sb://{host}:{ports.amqp_plain};{access};UseDevelopmentEmulator=true;EntityPath={EVENT_HUB_NAME}"
        )
    return {
        "eventHubsConnectionString": f"Endpoint=sb://{host}{port}/;{access};EntityPath={EVENT_HUB_NAME}",
        "eventHubsEmulatorConnectionString": plain,
    }


def write_state_file(path: Path, document: dict[str, Any]) -> None:
    """Write the file, readable by its owner only. Raises FolderUnusable."""
    try:
        make_private_folder(path.parent)
        write_private(path, json.dumps(document, indent=2).encode())
    except OSError as err:
        raise FolderUnusable(f"The state file {path} cannot be written: {err.strerror}.") from err


def remove_state_file(path: Path) -> None:
    """Remove our file, unless another hub has replaced it with its own."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if json.loads(path.read_bytes()).get("pid") == os.getpid():
            path.unlink(missing_ok=True)
