"""A program that carries a run on, to be killed: python fleet_job_process.py STATE_DIR CA_FILE HTTPS_PORT KEY.

Says "begun" once the run goes on, and leaves with 0 when it has ended.
"""

import sys
import threading
from pathlib import Path

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.sqlite.store import FleetStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.run_events import Event, RunBegan
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.operations.fleet_job.drivers import direct_calls, hub_jobs


class Printing:
    """Says when the run goes on."""

    def heard(self, event: Event) -> None:
        if isinstance(event, RunBegan):
            sys.stdout.write("begun\n")
            sys.stdout.flush()


def main() -> int:
    folder, ca_file, port, key = sys.argv[1:]
    clock = SystemClock()
    target = HubTarget(host="localhost", https_port=int(port), ca_file=ca_file, is_local=True)
    client = HubClient.open(target, SasKey(policy="iothubowner", key=key), clock)
    store = FleetStore(Path(folder))
    run = store.run("job")
    if run.state.has_ended:  # the one before was killed when all was done
        return 0
    driver = {Driver.JOBS: hub_jobs.driver, Driver.CALLS: direct_calls.driver}[run.driver](client, clock)
    done = run_loop.resume(run, run_loop.hands(store, driver, clock, Printing(), threading.Event()))
    return 0 if done.state.has_ended else 1


if __name__ == "__main__":
    sys.exit(main())
