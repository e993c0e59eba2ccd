"""`--detach`: a run is executed by a process of its own, which outlives this one."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from azext_iotjobs.cli.fleet_job.child_process import az_command, environment_of
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.definition_options import RunDeliveryOptions
from azext_iotjobs.cli.fleet_job.run_options import RunOptions
from azext_iotjobs.cli.output.file_writing import open_new, open_there
from azext_iotjobs.cli.output.own_session import own_session
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.text import Command, Text, command
from azext_iotjobs.operations.fleet_job.resuming import RESUMABLE

START_LIMIT_S, NAP_S = 60.0, 0.2
UNDONE_LIMIT_S = 3.0  # a hub that refuses what is resumed does so at once
LOG = "The log"
SHOWN_CHARACTERS = 2_000  # of the end of its log, in an error


def detach(
    context: FleetJobContext, run: Run, running: RunOptions, delivery: RunDeliveryOptions | None, clock: Clock
) -> tuple[Run, Path]:
    """Have a run executed by a process of its own; gives it once it has begun, and where that process logs to.

    run: made, or to be resumed.  running, delivery: how, as typed.  Raises BadValue when that process ends at once.
    """
    log = context.state_folder.absolute() / f"{run.fleet_job_id}-{run.number}.log"
    words = ("iot", "hub", "fleet-job", "resume", "-j", run.fleet_job_id, "--yes", *_typed(running, delivery))
    if context.team is not None:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with opened_log(log, run) as written:
        begin = written.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            az_command(context, words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=written,
            env=environment_of(context),
            **own_session(),
        )
    give_up_at = clock.monotonic() + START_LIMIT_S
    begun_at: float | None = None
    while True:
        found = context.store.runs.get_by_key(run.key)
        if has_begun_since(found, run):
            begun_at = begun_at or clock.monotonic()
            if not may_be_undone(found, run) or clock.monotonic() > begun_at + UNDONE_LIMIT_S:
                return found, log
        elif process.poll() is not None or clock.monotonic() > give_up_at:
            said = log.read_bytes()[begin:].decode(errors="replace").strip()[-SHOWN_CHARACTERS:]
            is_new = run.state is RunState.PENDING
            raise BadValue(
                f"The process that was to execute {run.name} has not begun. It says: {said or 'nothing'}",
                hint=Text("The run is made: " if is_new else "The run is as it was: ", _resuming(run)),
            )
        clock.sleep(NAP_S)


def opened_log(log: Path, run: Run) -> BinaryIO:
    """The log, to be added to: a process that executes the run may write to it. Raises BadValue."""
    try:
        with suppress(FileExistsError):
            os.close(open_new(log, 0o600))
        return os.fdopen(open_there(log, LOG, os.O_APPEND), "ab")
    except OSError as err:
        raise BadValue(
            f"{LOG} {log} cannot be written: {err.strerror}.", hint=Text("The run is made: ", _resuming(run))
        ) from err


def _resuming(run: Run) -> Command:
    return command("iot hub fleet-job resume", fleet_job_id=run.fleet_job_id)


def _typed(running: RunOptions, delivery: RunDeliveryOptions | None) -> tuple[str, ...]:
    """The same options for the other process."""
    reached, timeouts = delivery or RunDeliveryOptions()
    values = {
        "--events": None if running.events is None else Path(running.events).absolute(),
        "--concurrency": reached.concurrency,
        "--rate": reached.rate,
        "--ttl": reached.our_ttl,
        "--method-connect-timeout": timeouts.our_method_connect_timeout,
        "--method-response-timeout": timeouts.our_method_response_timeout,
    }
    overwrite = ("--overwrite",) if running.overwrite else ()
    return (*(word for name, value in values.items() if value is not None for word in (name, str(value))), *overwrite)


def has_begun_since(found: Run, before: Run) -> bool:
    """Whether a process has executed something of a run since it was read as `before`, or does."""
    if found.state is not before.state or found.ended_at != before.ended_at:
        return True
    return found.state is RunState.RUNNING and _runner(found) != _runner(before)


def may_be_undone(found: Run, before: Run) -> bool:
    """Whether a run that is resumed may still turn out to be refused: then it is left as it was."""
    return before.state in RESUMABLE and found.state is RunState.RUNNING and found.tally == before.tally


def _runner(run: Run) -> str | None:
    return None if run.lease is None else run.lease.owner
