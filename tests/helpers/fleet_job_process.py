"""A program that executes a run, to be killed: python fleet_job_process.py STATE_DIR CA_FILE HTTPS_PORT KEY.

Says "begun" once the run begins or resumes, and exits with 0 when it has ended.
"""

import sys
import threading
from pathlib import Path

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.run_events import Event, RunBegan
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.operations.fleet_job.drivers.factory import driver_factory
from azext_iotjobs.operations.fleet_job.gate_checks import gate_checker_factory


class Printing:
    """Says when the run begins."""

    def on_event(self, event: Event) -> None:
        if isinstance(event, RunBegan):
            sys.stdout.write("begun\n")
            sys.stdout.flush()


def main() -> int:
    folder, ca_file, port, key = sys.argv[1:]
    clock = SystemClock()
    target = HubTarget(host="localhost", https_port=int(port), ca_file=ca_file, is_local=True)
    client = HubClient.open(target, SasKey(policy="iothubowner", key=key), clock)
    store = SqliteStore.open(Path(folder))
    run = store.runs.get("job")
    if run.state.has_ended:  # the one before was killed when all was done
        return 0
    context = run_loop.RunContext(
        store=store,
        make_driver=driver_factory(lambda: client),
        make_gate_checker=gate_checker_factory(lambda: client),
        clock=clock,
        observer=Printing(),
        stop=threading.Event(),
    )
    done = run_loop.resume(run, context)
    return 0 if done.state.has_ended else 1


if __name__ == "__main__":
    sys.exit(main())
