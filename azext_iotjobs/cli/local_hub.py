"""Handlers of az iot local-hub start | stop | show | reset. The hub is another process: nothing of it is imported."""

import shlex
import time
from collections.abc import Mapping
from typing import Any

from knack.log import get_logger
from knack.prompting import NoTTYException, prompt_y_n

from azext_iotjobs.cli import hub_process
from azext_iotjobs.cli.output import print_now
from azext_iotjobs.cli.running_hubs import RunningHub, pick
from azext_iotjobs.cli.values import bytes_of_file
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.local_hub import LocalHubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import AnswerTooLate, BadValue, MissingChoice
from azext_iotjobs.model.target import parse_connection_string

logger = get_logger(__name__)

STOP_LIMIT_S = 30.0  # a clean end closes each connection: ten thousand take some seconds
LOOK_INTERVAL_S = 0.05
HOW_TO_GET_PEM = "From a DER file: openssl x509 -inform der -in ca.cer -out ca.pem"


def start(
    cmd: Any,
    secure_port: int = 8443,
    mqtt_port: int = 8883,
    bind_address: str = "127.0.0.1",
    data_folder: str | None = None,
    in_memory: bool = False,
    in_background: bool = False,
    tier: str = "unlimited",
    tier_units: int = 1,
) -> dict[str, Any] | None:
    """Start a local IoT Hub."""
    options = hub_process.HubOptions(
        https_port=secure_port,
        mqtt_port=mqtt_port,
        bind=bind_address,
        data_folder=data_folder,
        in_memory=in_memory,
        sku=tier,
        units=tier_units,
    )
    hub = hub_process.start(options, in_background=in_background)
    _say_how_to_use(hub.document)
    if in_background:
        return hub.document
    print_now(cmd, hub.document)
    hub_process.stay_until_end(hub)
    return None


def stop(secure_port: int | None = None) -> None:
    """End a running local hub cleanly."""
    hub = pick(https_port=secure_port)
    client_of(hub).stop()
    deadline = time.monotonic() + STOP_LIMIT_S
    while hub.state_file.exists():
        if time.monotonic() > deadline:
            raise AnswerTooLate(
                f"The local hub at {hub.host_name} (process {hub.document.get('pid')}) has not ended.",
                waited_s=STOP_LIMIT_S,
                hint="It was told to; look at hub.log in its data folder, or end the process by its id.",
            )
        time.sleep(LOOK_INTERVAL_S)


def show(secure_port: int | None = None) -> dict[str, Any]:
    """Show the running local hub."""
    hub = pick(https_port=secure_port)
    throttles = client_of(hub).quotas()["throttles"]  # something listens there: is it this hub?
    return {**hub.document, **({"throttles": throttles} if throttles else {})}


def reset(secure_port: int | None = None, sure: bool = False) -> None:
    """Empty a running local hub: devices, twins, jobs, messages, CA certificates."""
    hub = pick(https_port=secure_port)
    what = "all devices, twins, jobs, messages and CA certificates"
    if sure or _agreed(f"Remove {what} of the local hub at {hub.host_name}?"):
        client_of(hub).reset()


def create_certificate(ca_name: str, ca_path: str, secure_port: int | None = None) -> Any:
    """Let a CA vouch for devices at a running local hub."""
    content = bytes_of_file(ca_path, "--path")
    if b"PRIVATE KEY-----" in content:
        raise BadValue(f"--path: {ca_path} holds a private key.", hint="Give a file with the CA's certificate alone.")
    try:
        pem = content.decode()
    except UnicodeDecodeError as err:
        raise BadValue(f"--path: {ca_path} is not a PEM file.", hint=HOW_TO_GET_PEM) from err
    return client_of(pick(https_port=secure_port)).put_certificate(ca_name, pem)


def list_certificates(secure_port: int | None = None) -> Any:
    """List the CAs that vouch for devices at a running local hub."""
    return client_of(pick(https_port=secure_port)).certificates()


def delete_certificate(ca_name: str, secure_port: int | None = None) -> None:
    """A CA vouches no more at a running local hub."""
    client_of(pick(https_port=secure_port)).delete_certificate(ca_name)


def client_of(hub: RunningHub) -> LocalHubClient:
    """The client of what only a local hub has."""
    login = parse_connection_string(hub.connection_string)
    return LocalHubClient(HubClient.open(hub.target(login.host), login.sas_key(), SystemClock()).transport)


def _agreed(question: str) -> bool:
    try:
        return bool(prompt_y_n(question))
    except NoTTYException as err:
        raise MissingChoice("There is no terminal to ask on.", hint="Give --yes to go on without being asked.") from err


def _say_how_to_use(document: dict[str, Any]) -> None:
    logger.warning("%s", how_to_use(document))


def how_to_use(document: Mapping[str, Any]) -> str:
    """What is said of a hub that is ready: lines for a shell, so what a path may hold is quoted for one."""
    bundle, certificate = (shlex.quote(str(document[name])) for name in ("caBundlePath", "caCertificatePath"))
    return (
        f"Local hub ready. Our commands reach it with -n {document['hostName']}. Other tools trust it after:\n"
        f"  export REQUESTS_CA_BUNDLE={bundle}\n"
        f"  export NODE_EXTRA_CA_CERTS={certificate}"
    )
