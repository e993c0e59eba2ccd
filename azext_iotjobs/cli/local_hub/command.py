"""Handlers of az iot local-hub start | stop | show | reset. The hub is another process: nothing of it is imported."""

import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from knack.log import CliLogLevel, get_logger

from azext_iotjobs.cli.hub_access.running_hubs import RunningHub, pick_typed, running_hubs
from azext_iotjobs.cli.input.scalars import bytes_of_file
from azext_iotjobs.cli.local_hub import process
from azext_iotjobs.cli.output.confirm import agreed
from azext_iotjobs.cli.output.terminal_safe import print_now
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.local_hub import LocalHubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import AnswerTooLate, BadValue, ConflictingChoice, HubFault, StateError
from azext_iotjobs.model.target import parse_connection_string
from azext_iotjobs.model.text import Shell, Text

logger = get_logger(__name__)

STOP_LIMIT_S = 30.0  # a clean end closes each connection: ten thousand take some seconds
LOOK_INTERVAL_S = 0.05
EVERYTHING = "all devices, twins, jobs, messages and CA certificates"
HOW_TO_GET_PEM = Text("From a DER file: ", Shell("openssl x509 -inform der -in ca.cer -out ca.pem"))


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
    options = process.HubOptions(
        https_port=secure_port,
        mqtt_port=mqtt_port,
        bind=bind_address,
        data_folder=data_folder,
        in_memory=in_memory,
        sku=tier,
        units=tier_units,
        log_level=_log_level(cmd),
    )
    hub = process.start(options, in_background=in_background)
    _say_how_to_use(hub.document)
    if in_background:
        return hub.document
    print_now(cmd, hub.document)
    process.stay_until_end(hub)
    return None


def stop(our_hub_name: str | None = None, secure_port: int | None = None) -> None:
    """End a running local hub cleanly, and wait until its process is gone."""
    running = pick_typed(our_hub_name, secure_port)
    client_of(running).stop()
    deadline = time.monotonic() + STOP_LIMIT_S
    while not running.has_ended if running.knows_its_process else running.state_file.exists():
        if time.monotonic() > deadline:
            raise AnswerTooLate(
                f"The local hub at {running.selector} (process {running.document.get('pid')}) has not ended.",
                waited_s=STOP_LIMIT_S,
                hint=f"It was told to, and may still: look at {running.document.get('logFile')}, or end the process by "
                "its id.",
            )
        time.sleep(LOOK_INTERVAL_S)


def show(our_hub_name: str | None = None, secure_port: int | None = None) -> dict[str, Any]:
    """Show the running local hub."""
    running = pick_typed(our_hub_name, secure_port)
    client = client_of(running)
    troubles = client.troubles()  # something listens there: is it this hub?
    throttles = _throttles(client)
    return {
        **running.document,
        **({"throttles": throttles} if throttles else {}),
        **({"trouble": troubles} if troubles else {}),
    }


def reset(
    our_hub_name: str | None = None, secure_port: int | None = None, data_folder: str | None = None, sure: bool = False
) -> None:
    """Empty a running local hub, or the folder of one that does not run: devices, twins, jobs, messages, CAs."""
    if data_folder is not None:
        if our_hub_name is not None or secure_port is not None:
            raise ConflictingChoice(
                "--data-dir is for a hub that does not run, -n for one that runs: give one of them."
            )
        _reset_folder(Path(data_folder).absolute(), sure)
        return
    running = pick_typed(our_hub_name, secure_port)
    what = f"{EVERYTHING} of the local hub at {running.selector}"
    if agreed(f"Remove {what}?", f"This removes {what}", assume_yes=sure):
        client_of(running).reset()


def create_certificate(
    ca_name: str, ca_path: str, our_hub_name: str | None = None, secure_port: int | None = None
) -> Any:
    """Let a CA vouch for devices at a running local hub."""
    content = bytes_of_file(ca_path, "--path")
    if b"PRIVATE KEY-----" in content:
        raise BadValue(f"--path: {ca_path} holds a private key.", hint="Give a file with the CA's certificate alone.")
    try:
        pem = content.decode()
    except UnicodeDecodeError as err:
        raise BadValue(f"--path: {ca_path} is not a PEM file.", hint=HOW_TO_GET_PEM) from err
    return client_of(pick_typed(our_hub_name, secure_port)).put_certificate(ca_name, pem)


def list_certificates(our_hub_name: str | None = None, secure_port: int | None = None) -> Any:
    """List the CAs that vouch for devices at a running local hub."""
    return client_of(pick_typed(our_hub_name, secure_port)).certificates()


def delete_certificate(ca_name: str, our_hub_name: str | None = None, secure_port: int | None = None) -> None:
    """A CA vouches no more at a running local hub."""
    client_of(pick_typed(our_hub_name, secure_port)).delete_certificate(ca_name)


def client_of(hub: RunningHub) -> LocalHubClient:
    """The client of what only a local hub has."""
    login = parse_connection_string(hub.connection_string)
    return LocalHubClient(HubClient.open(hub.target(login.host), login.sas_key(), SystemClock()).transport)


def _log_level(cmd: Any) -> str:
    """The hub logs as much as az itself does: --debug and --verbose are handed on."""
    level = getattr(cmd.cli_ctx.logging, "log_level", None)
    return {CliLogLevel.DEBUG: "debug", CliLogLevel.INFO: "info"}.get(level, "warning")


def _throttles(client: LocalHubClient) -> Any:
    try:
        return client.quotas()["throttles"]
    except HubFault:  # its store cannot be read now: what is known of it is shown all the same
        return None


def _reset_folder(folder: Path, sure: bool) -> None:
    """Set the database of a hub that does not run aside, be it damaged; keys and certificates stay."""
    database = folder / "hub.db"
    for running in running_hubs():
        if Path(str(running.document.get("dataDirectory"))) == folder:
            raise StateError(
                f"The local hub at {running.selector} runs on --data-dir {folder}.",
                hint=f"az iot local-hub reset -n {running.selector}, or stop it first.",
            )
    if not database.exists():
        raise BadValue(f"--data-dir {folder}: no local hub has kept anything there (there is no hub.db).")
    what = f"{EVERYTHING} in {database}"
    if not agreed(f"Set {what} aside?", f"This sets {what} aside", assume_yes=sure):
        return
    mark = time.strftime("set-aside-%Y%m%dT%H%M%SZ", time.gmtime())
    for path in (database, folder / "hub.db-wal", folder / "hub.db-shm"):
        if path.exists():
            path.rename(path.with_name(path.name.replace("hub.db", f"hub.db.{mark}")))
    logger.warning("What was there is in %s now; remove it when you need it no more.", f"{database}.{mark}")


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
