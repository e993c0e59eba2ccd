"""Handlers of az iot local-hub snapshot create | restore: all that a hub holds, in a file."""

from pathlib import Path

from azext_iotjobs.cli.hub_access.running_hubs import pick_typed
from azext_iotjobs.cli.input.scalars import bytes_of_file
from azext_iotjobs.cli.local_hub.command import EVERYTHING, client_of
from azext_iotjobs.cli.output.confirm import agreed
from azext_iotjobs.cli.output.file_writing import check_new_file, write_file

FILE = "--file"


def create(
    file: str, our_hub_name: str | None = None, https_port: int | None = None, our_overwrite: bool = False
) -> None:
    """Write all that a running local hub holds into a file, which only its owner can read: keys are in it."""
    path = Path(file)
    check_new_file(path, FILE, overwrites=our_overwrite)
    hub = pick_typed(our_hub_name, https_port)
    write_file(path, FILE, [client_of(hub).snapshot()], is_private=True)


def restore(file: str, our_hub_name: str | None = None, https_port: int | None = None, our_yes: bool = False) -> None:
    """Bring a running local hub to what such a file holds."""
    hub = pick_typed(our_hub_name, https_port)
    content = bytes_of_file(file, FILE)
    what = f"{EVERYTHING} of the local hub at {hub.selector}"
    if agreed(f"Replace {what}?", f"This replaces {what}", assume_yes=our_yes):
        client_of(hub).restore(content)
