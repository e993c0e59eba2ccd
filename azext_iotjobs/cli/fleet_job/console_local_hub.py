"""What the console says of a local hub, from what that has written when it was ready."""

import shlex
from collections.abc import Mapping

from azext_iotjobs.cli.hub_access.running_hubs import RunningHub, local_login
from azext_iotjobs.console.context import LocalHub
from azext_iotjobs.model.target import HubTarget

FACTS = ("hostName", "httpsPort", "mqttPort", "amqpPort", "bind", "dataDirectory", "inMemory", "startedAt")
OF_EVENTS = {"Events": "eventHubsConnectionString", "Events, without TLS": "eventHubsEmulatorConnectionString"}
TRUST = {  # by what reads it: Python and curl, Node.js, OpenSSL
    "REQUESTS_CA_BUNDLE": "caBundlePath",
    "NODE_EXTRA_CA_CERTS": "caCertificatePath",
    "SSL_CERT_FILE": "caBundlePath",
}


def local_hub_at(target: HubTarget) -> LocalHub | None:
    """The local hub that a target leads to; None: it is no local hub of this machine."""
    running = local_login(target.host, target.https_port) if target.is_local else None
    return None if running is None else described(running)


def described(running: RunningHub) -> LocalHub:
    """A hub that runs. Its keys are read when they are asked for."""
    document = running.document
    paths = {name: shlex.quote(str(document[member])) for name, member in TRUST.items()}
    return LocalHub(
        selector=running.selector,
        facts={name: document.get(name) for name in FACTS},
        trust_lines=tuple(f"export {name}={path}" for name, path in paths.items()),
        connection_strings=lambda: _connection_strings(running),
    )


def _connection_strings(running: RunningHub) -> Mapping[str, str]:
    of_policies = {
        policy: f"HostName={running.host_name};SharedAccessKeyName={policy};SharedAccessKey={key}"
        for policy, key in running.policy_keys().items()
    }
    of_events = {name: running.document.get(member) for name, member in OF_EVENTS.items()}
    return {**of_policies, **{name: str(text) for name, text in of_events.items() if text}}
