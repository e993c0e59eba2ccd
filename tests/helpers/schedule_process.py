"""A program that looks at a schedule, to be killed: python schedule_process.py STATE_DIR CA_FILE HTTPS_PORT KEY JOB.

JOB is the id of a fleet job. Says "looks" when it begins, and exits with 0 when nothing is due any more.
"""

import sys
import threading
from datetime import datetime
from pathlib import Path

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.holder import this_process
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.run_events import Event
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.operations.fleet_job.drivers.factory import driver_factory
from azext_iotjobs.operations.fleet_job.gate_checks import gate_checker_factory
from azext_iotjobs.operations.fleet_job.schedule.run_due import DueContext, What, poll


class Silent:
    """Says nothing."""

    def on_event(self, event: Event) -> None:
        pass


def confirm(stored: StoredSchedule, at: datetime | None) -> None:
    raise AssertionError(f"the clock is doubted: the hub says {at}")


def main() -> int:
    folder, ca_file, port, key, fleet_job = sys.argv[1:]
    clock = SystemClock()
    target = HubTarget(host="localhost", https_port=int(port), ca_file=ca_file, is_local=True)
    client = HubClient.open(target, SasKey(policy="iothubowner", key=key), clock)
    store = SqliteStore.open(Path(folder))
    flag = threading.Event()
    context = DueContext(
        store=store,
        clock=clock,
        holder=this_process(),
        by="a process of a test",
        stop=flag,
        open_hub=lambda job: (client, None),
        limited=lambda job: job,
        run_context=lambda hub, shuts_at: run_loop.RunContext(
            store=store,
            make_driver=driver_factory(hub),
            make_gate_checker=gate_checker_factory(hub),
            clock=clock,
            observer=Silent(),
            stop=flag,
            shuts_at=shuts_at,
        ),
        confirm_clock=confirm,
        on_notice=lambda text: None,
    )
    stored = store.schedules.get(fleet_job)
    assert stored is not None
    sys.stdout.write("looks\n")
    sys.stdout.flush()
    happened = poll(stored, context)
    return 1 if any(each.what is What.NOT_STARTED for each in happened) else 0


if __name__ == "__main__":
    sys.exit(main())
