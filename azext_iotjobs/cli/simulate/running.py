"""Handlers of az iot device simulation: the simulations of this user that run on this machine."""

from azext_iotjobs.cli.hub_access import running_simulations
from azext_iotjobs.cli.hub_access.running_simulations import Document
from azext_iotjobs.model.clock import SystemClock


def list_simulations() -> list[Document]:
    """Each that runs, the oldest first."""
    return list(running_simulations.running_simulations())


def show(simulation_id: str) -> Document:
    """One of them. Raises NotFound."""
    return running_simulations.running_simulation(simulation_id)


def stop(simulation_id: str) -> Document:
    """End one as Ctrl-C does, and wait until its devices are disconnected. Raises NotFound, StateError."""
    found = running_simulations.request_stop(simulation_id)
    running_simulations.wait_until_ended(simulation_id, SystemClock())
    return {**found, "isEnding": True}
