"""Handler of az iot hub console: serves the console's pages until Ctrl-C."""

import webbrowser
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.terminal_safe import print_now
from azext_iotjobs.console.context import ConsoleContext
from azext_iotjobs.transport.own_import import import_own

logger = get_logger(__name__)

LOOK_S = 1.0  # where Ctrl-C does not wake a thread that waits, as on Windows


def console(
    cmd: Any, client: ConsoleContext, our_port: int = 8480, read_only: bool = False, our_open: bool = False
) -> None:
    """Serve the console's pages."""
    import_own("aiohttp", version_of="aiohttp", at_least=(3, 14))
    from azext_iotjobs.console.server import Console  # here: it loads aiohttp

    with stopped_by_ctrl_c() as stop:
        console = Console(client)
        console.start(our_port)
        try:
            logger.warning("The address lets in whoever opens it first. Ctrl-C ends the console.")
            hub = None if client.hub is None else client.hub.target.authority
            print_now(cmd, {"url": console.sign_in_address, "hub": hub, "readOnly": read_only})
            if our_open:
                webbrowser.open(console.sign_in_address)
            while not stop.wait(LOOK_S):
                pass
        finally:
            console.stop()
