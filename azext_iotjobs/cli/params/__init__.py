"""Every option once: its spelling, type, choices, default and one line of help.

The names behind the options (`dest`) are our own words on purpose: where Microsoft's azure-iot extension is installed
too, az lays its options, groups and validators over every dest of the same name in the same command.
"""

from typing import Any

from azext_iotjobs.cli.params import devices, fleet_jobs, jobs, local_hub, registry, tokens
from azext_iotjobs.cli.params.shared import Options

OPTIONS: Options = {
    **jobs.OPTIONS,
    **fleet_jobs.OPTIONS,
    **registry.OPTIONS,
    **devices.OPTIONS,
    **local_hub.OPTIONS,
    **tokens.OPTIONS,
}


def load_arguments(loader: Any, command: str) -> None:
    """Register the options of `command`, the one that was typed (or of all, when az wants everything)."""
    names = [command] if command in OPTIONS else list(OPTIONS)
    for name in names:
        with loader.argument_context(name) as context:
            for add_options in OPTIONS[name]:
                add_options(context)
