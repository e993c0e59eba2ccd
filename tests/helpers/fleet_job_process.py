"""What a process does that executes a run, and is to be killed."""

import threading
from multiprocessing.connection import Connection
from pathlib import Path

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import LeaseHeld
from azext_iotjobs.model.run_events import Event, RunBegan
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.operations.fleet_job.drivers.factory import driver_factory
from azext_iotjobs.operations.fleet_job.gate_checks import gate_checker_factory
from tests.helpers.killable_process import HubAddress

ENDED, PAUSED, HELD = 0, 1, 3  # exit codes: the run has ended; it is stopped; another process executes it


class SaysBegin:
    """Says when the run begins, or resumes."""

    def __init__(self, says: Connection) -> None:
        self._says = says

    def on_event(self, event: Event) -> None:
        if isinstance(event, RunBegan):
            self._says.send(True)


def client_at(hub: HubAddress) -> HubClient:
    """A client of a local hub, as its owner."""
    target = HubTarget(host="localhost", https_port=hub.https_port, ca_file=hub.ca_file, is_local=True)
    return HubClient.open(target, SasKey(policy="iothubowner", key=hub.key), SystemClock())


def resume_run(hub: HubAddress, says: Connection, folder: Path) -> int:
    """Execute the last run of the fleet job `job` further."""
    client = client_at(hub)
    store = SqliteStore.open(folder)
    run = store.runs.get("job")
    if run.state.has_ended:  # the one before was killed when all was done
        return ENDED
    context = run_loop.RunContext(
        store=store,
        make_driver=driver_factory(lambda: client),
        make_gate_checker=gate_checker_factory(lambda: client),
        clock=SystemClock(),
        observer=SaysBegin(says),
        stop=threading.Event(),
    )
    try:
        return ENDED if run_loop.resume(run, context).state.has_ended else PAUSED
    except LeaseHeld:
        return HELD
