"""A local hub for tests: `LocalHub`, a process, and pytest fixtures, which pytest finds by itself.

Everything is imported on first use: `LocalHub` needs no pytest, and a run of pytest without a hub pays nothing. There
are no assertions for pytest to rewrite, so that a conftest.py may name this module too: PYTEST_DONT_REWRITE.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azext_iotjobs.localhub.testing.errors import (
        LocalHubFailed,
        LocalHubNotStarted,
        LocalHubRefused,
        LocalHubTimeout,
        SimulationFailed,
    )
    from azext_iotjobs.localhub.testing.observed import ConnectionChange, MethodCall, ReportedChange
    from azext_iotjobs.localhub.testing.process import LocalHub
    from azext_iotjobs.localhub.testing.received import Telemetry
    from azext_iotjobs.localhub.testing.simulation import Simulation
    from azext_iotjobs.localhub.testing.snapshots import Snapshot

__all__ = [
    "ConnectionChange",
    "LocalHub",
    "LocalHubFailed",
    "LocalHubNotStarted",
    "LocalHubRefused",
    "LocalHubTimeout",
    "MethodCall",
    "ReportedChange",
    "Simulation",
    "SimulationFailed",
    "Snapshot",
    "Telemetry",
]

MODULES = {  # where each name is
    "ConnectionChange": "observed",
    "LocalHub": "process",
    "LocalHubFailed": "errors",
    "LocalHubNotStarted": "errors",
    "LocalHubRefused": "errors",
    "LocalHubTimeout": "errors",
    "MethodCall": "observed",
    "ReportedChange": "observed",
    "Simulation": "simulation",
    "SimulationFailed": "errors",
    "Snapshot": "snapshots",
    "Telemetry": "received",
    "local_hub": "fixtures",
    "local_hub_sdk": "fixtures",
    "local_hub_session": "fixtures",
}
FIXTURES = [name for name, module in MODULES.items() if module == "fixtures"]


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)


def __dir__() -> list[str]:
    # A conftest.py that names this module as a plugin still works: pytest looks here for fixtures.
    return [*globals(), *FIXTURES]
