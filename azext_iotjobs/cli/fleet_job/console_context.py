"""What `az iot hub console` lends the console: the hub and fleet jobs, documents and commands as this door has them."""

import os
import subprocess
from collections.abc import Callable, Generator, Sequence
from typing import Any

from azext_iotjobs.cli.fleet_job.child_process import az_command, environment_of
from azext_iotjobs.cli.fleet_job.console_local_hub import local_hub_at
from azext_iotjobs.cli.fleet_job.context import FleetJobContext, fleet_job_context
from azext_iotjobs.cli.fleet_job.documents import render_batch, render_fleet_job, render_run, render_run_details
from azext_iotjobs.cli.fleet_job.job_form.forms import CommandLineForms
from azext_iotjobs.cli.fleet_job.schedule.save import new_store_key
from azext_iotjobs.cli.hub_access import running_hubs, running_simulations
from azext_iotjobs.cli.hub_access.amqp_access import amqp_access, events_access
from azext_iotjobs.cli.hub_access.passed_login import ENVIRONMENT_VARIABLE
from azext_iotjobs.cli.hub_access.policy_rights import Rights
from azext_iotjobs.cli.output.csv_cells import cell, csv_line
from azext_iotjobs.cli.output.hints import spelled, suggestion
from azext_iotjobs.cli.output.own_session import own_session
from azext_iotjobs.cli.output.result_columns import CALL_COLUMNS, RUN_COLUMNS, RUN_DETAILS
from azext_iotjobs.cli.output.result_rows import render_run_result
from azext_iotjobs.clients.events import EventsClient
from azext_iotjobs.console.context import ConsoleContext, Documents, Ran, Simulations
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_event import DeviceEvent
from azext_iotjobs.operations.events.monitor import EventMonitor

CONSUMER_GROUP = "$Default"
SECRET_FOLDER = "console"  # beside that of fleet jobs
DOCUMENTS = Documents(
    fleet_job=render_fleet_job,
    run=render_run,
    run_details=render_run_details,
    batch=render_batch,
    result=render_run_result,
    result_columns=(*CALL_COLUMNS, *RUN_COLUMNS, *RUN_DETAILS),
    csv_line=lambda values: csv_line(map(cell, values)),
)
SIMULATIONS = Simulations(
    running=running_simulations.running_simulations,
    one=running_simulations.running_simulation,
    log_end=running_simulations.log_end,
    request_stop=running_simulations.request_stop,
)


class CommandLineSpelling:
    """Implements Spelling: how this door writes commands and texts."""

    command = staticmethod(suggestion)
    text = staticmethod(spelled)


def console_context(cli_ctx: Any, command_args: dict[str, Any], rights: Rights) -> ConsoleContext:
    """Take the hub arguments and --state-dir out of `command_args`; a hub that is named is opened.

    Raises UserError, also for a folder that there is not; HubAnswer for a hub that there is not.
    """
    typed = dict(command_args)
    context = fleet_job_context(cli_ctx, command_args, Access.READ, rights)
    context.check_folder()
    is_named = context.names_hub or os.environ.get(ENVIRONMENT_VARIABLE, "").strip()
    hub = context.hub() if is_named else None
    return ConsoleContext(
        hub=hub,
        open_store=context.open_store,
        secret_folder=running_hubs.state_folder().parent / SECRET_FOLDER,
        has_host=context.means,
        documents=DOCUMENTS,
        spelling=CommandLineSpelling(),
        simulations=SIMULATIONS,
        run_command=lambda words: _run(context, words),
        forms=CommandLineForms(),
        new_store_key=new_store_key,
        tier=context.tier,
        open_messages=(lambda: amqp_access(cli_ctx, dict(typed)).open(None)) if is_named else None,
        open_events=(lambda on_notice: _events(cli_ctx, dict(typed), on_notice)) if is_named else None,
        local_hub=None if hub is None else local_hub_at(hub.target),
        is_read_only=bool(command_args.get("read_only")),
    )


def _events(cli_ctx: Any, typed: dict[str, Any], on_notice: Callable[[str], None]) -> Generator[DeviceEvent | None]:
    """The events of the hub that was typed. Raises UserError, HubAnswer, LinkError."""
    clock = SystemClock()
    hub = events_access(cli_ctx, typed).event_hub(None)
    return EventMonitor(lambda: EventsClient(hub, CONSUMER_GROUP, clock), clock, on_notice).events()


def _run(context: FleetJobContext, words: Sequence[str]) -> Ran:
    """Run a command for the same hub and folder, to its end; the terminal's Ctrl-C does not reach it."""
    ended = subprocess.run(
        [*az_command(context, words), "--output", "json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment_of(context),
        check=False,
        **own_session(),
    )
    return Ran(ended.returncode, ended.stdout, ended.stderr)
