"""Handlers of az iot local-hub start | stop | show | reset and certificate. The hub is a process of its own."""

import shlex
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from knack.log import CliLogLevel, get_logger

from azext_iotjobs.cli.hub_access.running_hubs import RunningHub, pick_typed, running_hubs
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import bytes_of_file
from azext_iotjobs.cli.local_hub import process
from azext_iotjobs.cli.output.confirm import agreed
from azext_iotjobs.cli.output.terminal_safe import print_now
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.local_hub import LocalHubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.connection_string import parse_connection_string
from azext_iotjobs.model.errors import AnswerTooLate, BadValue, ConflictingChoice, HubFault, NotFound, StateError
from azext_iotjobs.model.host_names import is_loopback
from azext_iotjobs.model.text import Shell, Text, command

logger = get_logger(__name__)

STOP_LIMIT_S = 30.0  # a clean shutdown closes each connection: ten thousand take some seconds
POLL_INTERVAL_S = 0.05
EVERYTHING = "all devices, twins, jobs, messages, events and CA certificates"
HOW_TO_GET_PEM = Text("To make one from a DER file: ", Shell("openssl x509 -inform der -in ca.cer -out ca.pem"))


@takes_option_groups
def start(
    cmd: Any, detach: bool = False, console: bool = False, *, options: process.HubOptions
) -> dict[str, Any] | None:
    """Start a local IoT Hub."""
    if console and detach:
        raise ConflictingChoice(
            "--console is for a hub that ends with this command.",
            hint=Text("Once the hub runs: ", command("iot hub console", hub="localhost")),
        )
    hub = process.start(options, log_level=_log_level(cmd), in_background=detach)
    if detach:
        logger.warning("%s", how_to_use(hub.document))
        _warn_as_its_log(hub)
        return hub.document
    with process.until_ended(hub):
        logger.warning("%s", how_to_use(hub.document))
        print_now(cmd, hub.document)
        with _console_of(hub) if console else nullcontext():
            hub.process.wait()
    return None


def stop(our_hub_name: str | None = None, https_port: int | None = None) -> None:
    """Shut a running local hub down, and wait until its process is gone."""
    running = pick_typed(our_hub_name, https_port)
    client_of(running).stop()
    deadline = time.monotonic() + STOP_LIMIT_S
    while not running.has_ended if running.knows_its_process else running.state_file.exists():
        if time.monotonic() > deadline:
            raise AnswerTooLate(
                f"The local hub at {running.selector} (process {running.document.get('pid')}) has not ended.",
                waited_s=STOP_LIMIT_S,
                hint=f"It may still be shutting down: see its log, {running.document.get('logFile')}, or end the "
                "process by its id.",
            )
        time.sleep(POLL_INTERVAL_S)


def show(our_hub_name: str | None = None, https_port: int | None = None) -> dict[str, Any]:
    """Show the running local hub."""
    running = pick_typed(our_hub_name, https_port)
    client = client_of(running)
    troubles = client.troubles()  # first: something else may listen at its port
    throttles = _throttles(client)
    faults, clock = _asked_of_newer(client.faults), _asked_of_newer(client.clock)
    return {
        **running.document,
        **({"throttles": throttles} if throttles else {}),
        **({"trouble": troubles} if troubles else {}),
        **({"faults": faults} if faults else {}),
        **({"clock": clock} if clock and (clock["offsetSeconds"], clock["timeScale"]) != (0, 1) else {}),
    }


def reset(
    our_hub_name: str | None = None, https_port: int | None = None, data_dir: str | None = None, our_yes: bool = False
) -> None:
    """Remove everything from a running local hub, or from the folder of one that does not run; keys stay."""
    if data_dir is not None:
        if our_hub_name is not None or https_port is not None:
            raise ConflictingChoice(
                "--data-dir is for a hub that is not running, -n for one that is.", hint="Give only one of them."
            )
        _reset_folder(Path(data_dir).absolute(), our_yes)
        return
    running = pick_typed(our_hub_name, https_port)
    what = f"{EVERYTHING} of the local hub at {running.selector}"
    if agreed(f"Remove {what}?", f"This removes {what}", assume_yes=our_yes):
        client_of(running).reset()


def create_certificate(name: str, path: str, our_hub_name: str | None = None, https_port: int | None = None) -> Any:
    """Add a CA that certifies devices to a running local hub."""
    content = bytes_of_file(path, "--path")
    if b"PRIVATE KEY-----" in content:
        raise BadValue(f"--path: {path} contains a private key.", hint="Give a file with only the CA's certificate.")
    try:
        pem = content.decode()
    except UnicodeDecodeError as err:
        raise BadValue(f"--path: {path} is not a PEM file.", hint=HOW_TO_GET_PEM) from err
    return client_of(pick_typed(our_hub_name, https_port)).put_certificate(name, pem)


def list_certificates(our_hub_name: str | None = None, https_port: int | None = None) -> Any:
    """List the CAs that certify devices at a running local hub."""
    return client_of(pick_typed(our_hub_name, https_port)).certificates()


def delete_certificate(name: str, our_hub_name: str | None = None, https_port: int | None = None) -> None:
    """Remove a CA from a running local hub."""
    client_of(pick_typed(our_hub_name, https_port)).delete_certificate(name)


def client_of(hub: RunningHub) -> LocalHubClient:
    """A client of the requests that only a local hub takes."""
    login = parse_connection_string(hub.connection_string)
    return LocalHubClient(HubClient.open(hub.target(login.host), login.sas_key(), SystemClock()).transport)


def _console_of(hub: process.StartedHub) -> AbstractContextManager[None]:
    from azext_iotjobs.cli.local_hub.console_process import console_of  # here: few ask for it

    return console_of(str(hub.document["hostName"]))


def _warn_as_its_log(hub: process.StartedHub) -> None:
    """What a hub in the foreground says itself."""
    bind = str(hub.document["bind"])
    if hub.has_new_ca:
        logger.warning(
            "%s is new: clients that trusted the CA before have to trust it.", hub.document["caCertificatePath"]
        )
    if not is_loopback(bind):
        logger.warning("Others than this machine reach the hub, at %s: its keys alone keep them out.", bind)


def _log_level(cmd: Any) -> str:
    """The hub logs as much as az itself does, by --debug and --verbose."""
    level = getattr(cmd.cli_ctx.logging, "log_level", None)
    return {CliLogLevel.DEBUG: "debug", CliLogLevel.INFO: "info"}.get(level, "warning")


def _throttles(client: LocalHubClient) -> Any:
    try:
        return client.quotas()["throttles"]
    except HubFault:  # its store cannot be read now: show the rest
        return None


def _asked_of_newer(ask: Callable[[], Any]) -> Any:
    """The answer to a request that a hub which an older version has started does not know; then None."""
    try:
        return ask()
    except NotFound:
        return None


def _reset_folder(folder: Path, assume_yes: bool) -> None:
    """Rename the database of a hub that does not run, damaged or not; keys and certificates stay."""
    database = folder / "hub.db"
    for running in running_hubs():
        if Path(str(running.document.get("dataDirectory"))) == folder:
            raise StateError(
                f"The local hub at {running.selector} runs on --data-dir {folder}.",
                hint=f"az iot local-hub reset -n {running.selector}, or stop it first.",
            )
    if not database.exists():
        raise BadValue(f"--data-dir {folder}: no local hub has stored anything there: there is no hub.db.")
    what = f"{EVERYTHING} in {database}"
    if not agreed(f"Set {what} aside?", f"This sets {what} aside", assume_yes=assume_yes):
        return
    mark = time.strftime("set-aside-%Y%m%dT%H%M%SZ", time.gmtime())
    for name in ("hub.db", "events.db"):
        for end in ("", "-wal", "-shm"):
            if (path := folder / f"{name}{end}").exists():
                path.rename(folder / f"{name}.{mark}{end}")
    logger.warning("The old database is in %s; remove it when you no longer need it.", f"{database}.{mark}")


def how_to_use(document: Mapping[str, Any]) -> str:
    """How to use a hub that is ready; paths are quoted for the shell that the lines are meant for."""
    bundle, certificate = (shlex.quote(str(document[name])) for name in ("caBundlePath", "caCertificatePath"))
    return (
        f"Local hub ready. These commands use it with -n {document['hostName']}. To have other tools trust it:\n"
        f"  export REQUESTS_CA_BUNDLE={bundle}\n"
        f"  export NODE_EXTRA_CA_CERTS={certificate}"
    )
