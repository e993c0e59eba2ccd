"""The az extension's front step.

Strategy: nothing of azure-cli is imported until az asks for the loader, so that the local hub's process and anyone who
uses this package as a library pay for neither.
"""

from typing import Any

from azext_iotjobs._version import VERSION as __version__

__all__ = ["COMMAND_LOADER_CLS", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "COMMAND_LOADER_CLS":
        from azext_iotjobs.cli.loader import IotJobsCommandsLoader

        return IotJobsCommandsLoader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
