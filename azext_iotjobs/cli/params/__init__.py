"""Every option once: its spelling, type, choices, default and one line of help.

The names behind the options (`dest`) are our own words on purpose: where Microsoft's azure-iot extension is installed
too, az lays its options, groups and validators over every dest of the same name in the same command.

Only the room of the typed command is imported: az starts anew for each command.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azext_iotjobs.cli.input.shared_params import Options

# The first words of commands -> the room that has their options. The first match counts.
ROOMS = (
    ("iot hub fleet-job", "fleet_job.params"),
    ("iot hub device-identity", "identity.params"),
    ("iot hub device-twin", "identity.params"),
    ("iot hub module-identity", "identity.params"),
    ("iot hub module-twin", "identity.params"),
    ("iot hub connection-string", "identity.token_params"),
    ("iot hub generate-sas-token", "identity.token_params"),
    ("iot hub", "job.params"),
    ("iot device", "simulate.params"),
    ("iot local-hub", "local_hub.params"),
)


def options_of(command: str) -> "Options":
    """What adds the options of `command` alone; {} when it is none of ours."""
    room = next((room for words, room in ROOMS if f"{command} ".startswith(f"{words} ")), None)
    options = {} if room is None else _options_in(room)
    return {command: options[command]} if command in options else {}


def all_options() -> "Options":
    """What adds the options of every command."""
    rooms = dict.fromkeys(room for _, room in ROOMS)
    return {command: options for room in rooms for command, options in _options_in(room).items()}


def load_arguments(loader: Any, command: str) -> None:
    """Register the options of `command`, the one that was typed (or of all, when az wants everything)."""
    for name, options in (options_of(command) or all_options()).items():
        with loader.argument_context(name) as context:
            for add_options in options:
                add_options(context)


def _options_in(room: str) -> "Options":
    options: Options = import_module(f"azext_iotjobs.cli.{room}").OPTIONS
    return options
