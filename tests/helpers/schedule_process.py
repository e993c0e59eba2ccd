"""What a process does that looks at a schedule, and is to be killed."""

import threading
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from azext_iotjobs.fleet_job.store.holder import this_process
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.run_events import Event
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.operations.fleet_job.drivers.factory import driver_factory
from azext_iotjobs.operations.fleet_job.gate_checks import gate_checker_factory
from azext_iotjobs.operations.fleet_job.schedule.run_due import DueContext, What, poll
from tests.helpers.fleet_job_process import client_at
from tests.helpers.killable_process import HubAddress

LOOKED, NOT_STARTED = 0, 4  # exit codes: nothing is due any more; something could not be started


class Silent:
    """Says nothing."""

    def on_event(self, event: Event) -> None:
        pass


class ShiftedClock(SystemClock):
    """The machine's clock, as if somebody had set it ahead or back."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return super().now() + self._ahead


def confirm(stored: StoredSchedule, at: datetime | None) -> None:
    raise AssertionError(f"the clock is doubted: the hub says {at}")


def look(hub: HubAddress, says: Connection, folder: Path, fleet_job: str, ahead: timedelta = timedelta()) -> int:
    """Start what is due of a fleet job. ahead: of the machine's clock."""
    clock = ShiftedClock(ahead)
    client = client_at(hub)
    store = SqliteStore.open(folder)
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
    says.send(True)
    happened = poll(stored, context)
    return NOT_STARTED if any(each.what is What.NOT_STARTED for each in happened) else LOOKED
