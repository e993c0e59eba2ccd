"""Handlers of az iot local-hub start | stop | show | reset. The hub is another process: nothing of it is imported."""

import time
from typing import Any

from knack.log import get_logger
from knack.prompting import NoTTYException, prompt_y_n

from azext_iotjobs.cli import hub_process
from azext_iotjobs.cli.output import print_now
from azext_iotjobs.cli.running_hubs import RunningHub, pick
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.local_hub import LocalHubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import AnswerTooLate, MissingChoice
from azext_iotjobs.model.target import parse_connection_string

logger = get_logger(__name__)

STOP_LIMIT_S = 10.0  # a clean end closes each device's connection; what takes longer is stuck
LOOK_INTERVAL_S = 0.05


def start(
    cmd: Any,
    secure_port: int = 8443,
    mqtt_port: int = 8883,
    bind_address: str = "127.0.0.1",
    data_folder: str | None = None,
    in_memory: bool = False,
    in_background: bool = False,
) -> dict[str, Any] | None:
    """Start a local IoT Hub."""
    options = hub_process.HubOptions(
        https_port=secure_port,
        mqtt_port=mqtt_port,
        bind=bind_address,
        data_folder=data_folder,
        in_memory=in_memory,
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
    client_of(hub).health()  # something listens there: is it this hub?
    return hub.document


def reset(secure_port: int | None = None, sure: bool = False) -> None:
    """Empty a running local hub: devices, twins, jobs, messages."""
    hub = pick(https_port=secure_port)
    if sure or _agreed(f"Remove all devices, twins, jobs and messages of the local hub at {hub.host_name}?"):
        client_of(hub).reset()


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
    logger.warning(
        "Local hub ready. Our commands reach it with -n %s. Other tools trust it after:\n"
        "  export REQUESTS_CA_BUNDLE=%s\n"
        "  export NODE_EXTRA_CA_CERTS=%s",
        document["hostName"], document["caBundlePath"], document["caCertificatePath"],
    )  # fmt: skip
