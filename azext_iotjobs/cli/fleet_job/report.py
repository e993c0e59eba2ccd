"""Handler of az iot hub fleet-job report: a run as JUnit XML, Markdown or an HTML page. Nothing is sent to a hub."""

from collections.abc import Iterable, Iterator
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.output.report.cases import MAIN_COLUMNS, device_cases
from azext_iotjobs.cli.output.report.spool import CaseSpool
from azext_iotjobs.cli.output.report.writing import write_spooled
from azext_iotjobs.cli.output.report_target import ReportOptions
from azext_iotjobs.cli.output.result_columns import CALL_COLUMNS, RUN_COLUMNS
from azext_iotjobs.cli.output.result_rows import render_run_result
from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.model.clock import SystemClock, render_instant
from azext_iotjobs.model.fleet_job import Action, ActionKind, Definition, FleetJob
from azext_iotjobs.model.gates import GateDecision, GateKind
from azext_iotjobs.model.report import DEVICES, Case, Fact, Report, Section
from azext_iotjobs.model.run import Batch, Run, shown_status
from azext_iotjobs.model.run_state import RunState

logger = get_logger(__name__)

CLOCK = SystemClock()
MAX_EXCLUDED = 10  # device ids
KINDS = {ActionKind.TWIN: "twin patch", ActionKind.CONTENT: "configuration content"}


@takes_option_groups
def report(
    cmd: Any, client: FleetJobContext, fleet_job_id: str, run: int | None = None, *, output: ReportOptions
) -> None:
    """Write a report of a run, the last one or another."""
    target = output.target()
    client.check(client.store.definitions.get(fleet_job_id))
    chosen = client.store.runs.get(fleet_job_id, run)
    job = client.store.definitions.get(fleet_job_id, chosen.version)
    if not chosen.state.has_ended:
        logger.warning("%s is %s: the report shows it as it is now.", chosen.name, chosen.state.value)
    with CaseSpool() as spool:
        spool.add(_cases(client, chosen))
        # Only now: a run that goes on may have made another batch, and moved devices into it.
        write_spooled(report_of(job, chosen, client.store.runs.batches(chosen)), spool, [target])


def report_of(job: FleetJob, run: Run, batches: list[Batch]) -> Report:
    """What a report of a run is about.

    job: in the version that the run executes.  batches: all of the run.
    """
    return Report(
        title=run.name,
        subject=run.fleet_job_id,
        status=run.state.value,
        ended_well=_ended_well(run),
        wording=DEVICES,
        facts=tuple(Fact(name, value) for name, value in (*_facts(job, run), *_answers(batches)) if value),
        sections=tuple(_section(each, run) for each in batches),
        columns=(*CALL_COLUMNS, *RUN_COLUMNS),
        main_columns=MAIN_COLUMNS,
        host=run.host,
        started_at=run.started_at,
        ended_at=run.ended_at,
        made_at=CLOCK.now(),
    )


def _cases(context: FleetJobContext, run: Run) -> Iterator[Case]:
    for page in context.store.results.pages(run, ResultFilter()):
        yield from device_cases(map(render_run_result, page.rows))


def _ended_well(run: Run) -> bool | None:
    if run.state in (RunState.FAILED, RunState.STOPPED, RunState.CANCELED):
        return False
    return True if run.state is RunState.COMPLETED else None


def _section(batch: Batch, run: Run) -> Section:
    kind = " of offline devices" if batch.is_of_offline else " of devices tried again" if batch.is_retry else ""
    return Section(
        number=batch.ordinal,
        name=f"batch {batch.ordinal}{kind}",
        status=shown_status(batch, run),
        started_at=batch.started_at,
        ended_at=batch.ended_at,
    )


def _facts(job: FleetJob, run: Run) -> Iterator[tuple[str, str | None]]:
    definition = job.definition
    yield "fleet job", run.fleet_job_id
    yield "display name", definition.display_name
    yield "description", definition.description
    yield "labels", ", ".join(f"{name}={value}" for name, value in definition.labels.items())
    yield "run", str(run.number)
    yield "version", str(run.version)
    yield "hub", run.host
    yield "action", _action(definition.action)
    yield "devices", _targets(definition)
    yield "driver", run.driver.value
    if definition.verification is not None:
        yield "verified by", definition.verification.condition
    yield "status", run.state.value
    yield "reason", run.reason
    yield "ended by", run.ended_by
    yield "created", render_instant(run.created_at, "seconds")
    yield "created by", run.created_by
    if run.occurrence_at is not None:
        yield "occurrence", render_instant(run.occurrence_at)
    yield "started", None if run.started_at is None else render_instant(run.started_at, "seconds")
    yield "ended", None if run.ended_at is None else render_instant(run.ended_at, "seconds")


def _answers(batches: Iterable[Batch]) -> Iterator[tuple[str, str]]:
    """What people said between batches, and what other gates stopped."""
    for batch in batches:
        for verdict in batch.gates.verdicts if batch.gates else ():
            if verdict.kind is GateKind.MANUAL or verdict.decision is not GateDecision.GO:
                accepted = "" if verdict.accepted_at is None else "; a resume has accepted it"
                said = f"{verdict.decision.value}, {verdict.reason}{accepted}"
                yield f"gate {verdict.kind.value} after batch {batch.ordinal}", said


def _action(action: Action) -> str:
    """What was done, without payloads: a report may go further than whoever may read these."""
    return KINDS[action.kind] if action.method is None else f"method {action.method.name}"


def _targets(definition: Definition) -> str | None:
    targets = definition.targets
    if targets.group is not None:
        return f"group {targets.group}"
    if targets.of_run is not None:
        return f"run {targets.of_run.run_number} of {targets.of_run.fleet_job_id}"
    if targets.selection is None or targets.selection.condition is None:
        return None
    condition, excluded = targets.selection.condition, targets.selection.excluded
    more = f" and {len(excluded) - MAX_EXCLUDED} more" if len(excluded) > MAX_EXCLUDED else ""
    return f"{condition}, without {', '.join(excluded[:MAX_EXCLUDED])}{more}" if excluded else condition
