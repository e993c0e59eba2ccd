"""Handlers of az iot hub job rerun | copy: a job again, on some of its devices or with changes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.input.device_files import rows_of
from azext_iotjobs.cli.input.device_selection import SelectionOptions, listed, warn_of_idle_exclusions
from azext_iotjobs.cli.input.json_option import Given, json_or_file
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.job import parent_links, verify, wait
from azext_iotjobs.cli.job.options import ActionOptions, SubmitOptions, SubmitPlan, WaitOptions
from azext_iotjobs.cli.job.submit import check_verification, create, submit
from azext_iotjobs.cli.output.confirm import goes_on
from azext_iotjobs.cli.output.dry_run import SAMPLE, plain
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.job_request_codec import parse_job_request, render_job
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, IotJobsError
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.job import Job
from azext_iotjobs.model.job_request import JobRequest
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import Outcome, weightiest
from azext_iotjobs.model.rerun import FAILED, Chosen, conditions, parse_chosen, part_ids
from azext_iotjobs.model.rerun import new_job_id as id_after
from azext_iotjobs.model.selection import Selection, device_ids
from azext_iotjobs.model.text import counted
from azext_iotjobs.operations.job import rerun as operation
from azext_iotjobs.operations.job import results

logger = get_logger(__name__)


class RerunPlan(NamedTuple):
    """What `RerunOptions` mean."""

    chosen: Chosen
    excluded: tuple[str, ...]
    payload: Any
    targets: list[Address] | None  # of a file; None: those of the job's own results


class RerunOptions(NamedTuple):
    """On which of a job's devices it runs again, and what is different this time."""

    on: str = FAILED
    from_results: str | None = None
    exclude: str | None = None
    our_method_payload: Given | None = None
    our_ttl: int | None = None  # seconds
    assume_yes: bool = False

    def read(self) -> RerunPlan:
        """What they mean. Raises UserError, naming the option."""
        chosen = parse_chosen(self.on)
        payload = self.our_method_payload
        return RerunPlan(
            chosen=chosen,
            excluded=() if self.exclude is None else listed(self.exclude, "--exclude"),
            payload=None if payload is None else json_or_file(payload, "--method-payload"),
            targets=None if self.from_results is None else list(_targets_in(self.from_results, chosen)),
        )

    def onto(self, pattern: JobRequest, payload: Any) -> JobRequest:
        """A job's request with what is different. payload: that of --method-payload, read."""
        if self.our_method_payload is not None:
            pattern = replace(pattern, method=replace(_method_of(pattern), payload=payload))
        return pattern if self.our_ttl is None else replace(pattern, max_execution_s=self.our_ttl)


@takes_option_groups
def rerun(
    cmd: Any,
    client: HubClient,
    our_job_id: str,
    new_job_id: str | None = None,
    *,
    repeating: RerunOptions,
    submitting: SubmitOptions,
    waiting: WaitOptions,
) -> dict[str, Any]:
    """Run a job again on the devices that failed, as one job or, where their ids need it, several."""
    plan = submitting.read(cmd, waiting)
    typed = repeating.read()
    parent = operation.ended(operation.original(client, our_job_id))
    pattern = parse_job_request(parent, reads_payload=repeating.our_method_payload is None)
    pattern = repeating.onto(pattern, typed.payload)
    targets = _targets(client, our_job_id, typed, plan)
    _check_count(len(targets), plan.max_devices)
    requests = _requests(client, pattern, targets, new_job_id)
    document: dict[str, Any] = {"parentJobId": our_job_id, "deviceCount": len(targets)}
    of_modules = any(each.module_id is not None for each in targets)
    preview = check_verification(client, plan, of_modules=of_modules)
    if plan.dry_run:
        sample = [each.device_id for each in targets[:SAMPLE]]
        shown = {"sample": sample, "requests": [plain(render_job(each)) for each in requests], **preview}
        return {"dryRun": True, "hub": client.target.authority, **document, **shown}
    if not requests:
        logger.warning("Job %s has no device to run again on (--on %s).", our_job_id, repeating.on)
        jobs: list[dict[str, Any]] = []
        outcome = Outcome.NO_DEVICE
    elif goes_on(client.target, len(targets), f"Job {our_job_id} runs again", assume_yes=repeating.assume_yes):
        jobs, outcome = _run(client, requests, plan, our_job_id)
    else:
        raise BadValue("Nothing was sent.")
    document["jobs"] = jobs
    if requests and plan.waiting.verifying is not None and outcome is not Outcome.WAIT_OVER:
        job_ids = [each.job_id for each in requests]
        document, verified = verify.verify(cmd, client, job_ids, plan.waiting, document)
        outcome = weightiest((outcome, verified))
    leave_with(cmd, outcome, exit_zero=plan.waiting.exit_zero)
    return document


@takes_option_groups
def copy(
    cmd: Any,
    client: HubClient,
    our_job_id: str,
    new_job_id: str | None = None,
    *,
    action: ActionOptions,
    selection: SelectionOptions,
    submitting: SubmitOptions,
    waiting: WaitOptions,
) -> dict[str, Any] | None:
    """Make the same job under a new id, with changes; it starts now unless a start is given."""
    plan = submitting.read(cmd, waiting)
    selected = selection.read() if selection.names_devices else None
    changes: dict[str, Any] = {
        "job_id": new_job_id or id_after(our_job_id, "-copy"),
        "patch": action.twin_patch(),
        "start_at": action.start_at(),
        "max_execution_s": action.our_ttl,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    method_changes = action.method_changes()
    reads_payload = action.our_method_payload is None
    pattern = parse_job_request(operation.original(client, our_job_id), reads_payload=reads_payload)
    if selected is None:
        selected = Selection(condition=pattern.condition, excluded=selection.read_excluded())
    if method_changes:
        changes["method"] = replace(_method_of(pattern), **method_changes)
    request = replace(pattern, condition=selected.as_condition(), **changes)
    return submit(cmd, client, request, selected, plan)


def _method_of(pattern: JobRequest) -> MethodCall:
    if pattern.method is None:
        raise ConflictingChoice(
            f"Job {pattern.job_id} updates twins: it has no method whose name, payload or timeouts could change."
        )
    return pattern.method


def _targets_in(path: str, chosen: Chosen) -> Iterator[Address]:
    """The chosen rows of a file of results; all rows of a file without outcomes."""
    for row in rows_of(path, "--from-results"):
        if not {"status", "errorclass"} & row.keys() or chosen.holds(row.get("status", ""), row.get("errorclass")):
            device_ids([row["deviceid"]], f"--from-results {path}")
            yield Address(row["deviceid"], row.get("moduleid"))


def _targets(client: HubClient, job_id: str, typed: RerunPlan, plan: SubmitPlan) -> list[Address]:
    """The devices and modules to run on, each once; ids that exclude none of them are reported."""
    found: Iterator[Address] | list[Address] | None = typed.targets
    if found is None:
        query = results.ResultQuery(job_id=job_id, success=plan.waiting.success, checks_registry=False)
        found = results.targets(client, query, typed.chosen)
    chosen = list(dict.fromkeys(found))
    warn_of_idle_exclusions(typed.excluded, {each.device_id for each in chosen}.intersection)
    return [each for each in chosen if each.device_id not in typed.excluded]


def _check_count(count: int, limit: int | None) -> None:
    if limit is not None and count > limit:
        raise BadValue(
            f"{counted(count, 'device is', 'devices are')} selected, but --max-devices (or iotjobs.max_devices) allows "
            f"{limit}; nothing was sent.",
            hint="Narrow them with --on or --exclude, or allow more with --max-devices.",
        )


def _requests(
    client: HubClient, pattern: JobRequest, targets: Sequence[Address], new_id: str | None
) -> list[JobRequest]:
    selecting = list(conditions(targets))
    if not selecting:
        return []
    count = len(selecting)
    ids = part_ids(new_id, count) if new_id else operation.free_ids(client, pattern.job_id, count)
    pairs = zip(ids, selecting, strict=True)
    return [replace(pattern, job_id=job_id, condition=condition) for job_id, condition in pairs]


def _run(
    client: HubClient, requests: Sequence[JobRequest], plan: SubmitPlan, parent_id: str
) -> tuple[list[dict[str, Any]], Outcome]:
    """Create the jobs, each when there is a slot for it, and wait for them if asked to; their documents and outcome."""
    # The jobs of one rerun follow each other on a hub that runs one at a time.
    in_turn = plan._replace(waits_for_slot=plan.waits_for_slot or len(requests) > 1)
    created: list[Job] = []
    try:
        for request in requests:
            created.append(create(client, request, in_turn))
            parent_links.note(client.target.canonical, request.job_id, request.condition, parent_id)
    except KeyboardInterrupt:
        _report_interruption(created, requests)
        return [job.document for job in created], Outcome.WAIT_OVER
    except IotJobsError:
        _report_interruption(created, requests)
        raise
    documents, outcomes = [job.document for job in created], [Outcome.SUCCESS]
    for number, job in enumerate(created if plan.waits_for_end else ()):
        seen, outcome = wait.watch(client, job.job_id, plan.waiting)
        documents[number] = seen.document if seen else job.document
        outcomes.append(outcome)
        if outcome is Outcome.WAIT_OVER:
            break
    return documents, weightiest(outcomes)


def _report_interruption(created: Sequence[Job], requests: Sequence[JobRequest]) -> None:
    if len(requests) > 1:
        there = ", ".join(job.job_id for job in created) or "none"
        logger.warning("%d of %s created: %s.", len(created), counted(len(requests), "job was", "jobs were"), there)
