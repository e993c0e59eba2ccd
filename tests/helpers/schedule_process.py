"""What a process does that looks at a schedule, and is to be killed."""

import os
import threading
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.holder import Holder, this_process
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import Clock, SystemClock
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.run_events import Event
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.operations.fleet_job.drivers.factory import driver_factory
from azext_iotjobs.operations.fleet_job.gate_checks import gate_checker_factory
from azext_iotjobs.operations.fleet_job.schedule.clock_check import Confirm
from azext_iotjobs.operations.fleet_job.schedule.due_schedules import due_schedules
from azext_iotjobs.operations.fleet_job.schedule.run_due import DueContext, What, poll
from tests.helpers.fleet_job_process import client_at
from tests.helpers.killable_process import HubAddress

LOOKS_AT = 10  # schedules, before it looks anew which ones are due
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


def due_context(
    store: SqlStore, client: HubClient, clock: Clock, holder: Holder, agrees: Confirm = confirm
) -> DueContext:
    """What schedules are polled with in such a process, as `holder`. agrees: that the machine's clock is right."""
    flag = threading.Event()
    return DueContext(
        store=store,
        clock=clock,
        holder=holder,
        by=holder.owner,
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
            holder=holder,
            shuts_at=shuts_at,
        ),
        confirm_clock=agrees,
        on_notice=lambda text: None,
    )


def look(hub: HubAddress, says: Connection, folder: Path, fleet_job: str, ahead: timedelta = timedelta()) -> int:
    """Start what is due of a fleet job. ahead: of the machine's clock."""
    store = SqliteStore.open(folder)
    stored = store.schedules.get(fleet_job)
    assert stored is not None
    says.send(True)
    happened = poll(stored, due_context(store, client_at(hub), ShiftedClock(ahead), this_process()))
    return NOT_STARTED if any(each.what is What.NOT_STARTED for each in happened) else LOOKED


def store_at(url: str, clock: Clock) -> SqlStore:
    """A team's store, opened on a machine that has this clock."""
    from azext_iotjobs.fleet_job.store.postgres.database import PostgresDatabase
    from azext_iotjobs.fleet_job.store.postgres.place import parse_place

    return SqlStore(PostgresDatabase(parse_place(url), Access.MAKE, clock=lambda: clock.now().timestamp()))


def look_at_all(hub: HubAddress, says: Connection, url: str, host: str, ahead: timedelta) -> int:
    """Start what is due of any fleet job of a team's store, until nothing is. host: as which machine this does it."""
    clock = ShiftedClock(ahead)
    store = store_at(url, clock)
    context = due_context(store, client_at(hub), clock, Holder(host, host, os.getpid()), lambda stored, at: None)
    says.send(True)
    outcome = LOOKED
    while due := due_schedules(store, store.schedules.list_all(), clock.now()):
        happened = [each for some in due[:LOOKS_AT] for each in poll(some.stored, context)]
        if any(each.what is What.NOT_STARTED for each in happened):
            outcome = NOT_STARTED
    return outcome
