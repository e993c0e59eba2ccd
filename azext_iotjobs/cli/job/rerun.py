"""Handlers of az iot hub job rerun | copy: a job once more, on some of its devices or with changes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.input.device_files import rows_of
from azext_iotjobs.cli.input.device_selection import TypedSelection, listed, warn_of_idle_exclusions
from azext_iotjobs.cli.input.json_option import Given, json_or_file
from azext_iotjobs.cli.input.twin_patch import read_twin_patch
from azext_iotjobs.cli.job import parent_links, wait
from azext_iotjobs.cli.job.submit import Manner, create, read_manner, starting_instant, submit
from azext_iotjobs.cli.output.confirm import goes_on
from azext_iotjobs.cli.output.dry_run import plain
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.job_request_codec import parse_job_request, render_job
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, IotJobsError
from azext_iotjobs.model.job import Job
from azext_iotjobs.model.job_request import JobRequest
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, Outcome, weightiest
from azext_iotjobs.model.rerun import FAILED, Chosen, Target, conditions, new_job_id, parse_chosen, part_ids
from azext_iotjobs.model.selection import Selection, device_ids
from azext_iotjobs.operations.job import rerun as operation
from azext_iotjobs.operations.job import results

logger = get_logger(__name__)

SAMPLE = 10  # devices that --dry-run shows


def rerun(
    cmd: Any,
    client: HubClient,
    job: str,
    new_job: str | None = None,
    chosen_words: str = FAILED,
    results_path: str | None = None,
    left_out: str | None = None,
    devices_at_most: int | None = None,
    only_plans: bool = False,
    method_json: Given | None = None,
    ttl_s: int | None = None,
    wait_for_end: bool = False,
    poll_every_s: int = 10,
    poll_limit_s: int = 600,
    waits_for_slot: bool = False,
    success: str = DEFAULT_SUCCESS_STATUS,
    always_zero: bool = False,
    sure: bool = False,
) -> dict[str, Any]:
    """Run a job again on the devices that failed, as one job or, where their ids need it, several."""
    manner = read_manner(
        cmd, devices_at_most, poll_every_s, poll_limit_s, success, only_plans=only_plans,
        waits_for_slot=waits_for_slot, waits_for_end=wait_for_end, always_zero=always_zero,
    )  # fmt: skip
    chosen = parse_chosen(chosen_words)
    excluded = () if left_out is None else listed(left_out, "--exclude")
    payload = None if method_json is None else json_or_file(method_json, "--method-payload")
    from_file = None if results_path is None else list(_targets_in(results_path, chosen))

    parent = operation.ended(operation.original(client, job))
    pattern = parse_job_request(parent, reads_payload=method_json is None)
    if method_json is not None:
        pattern = replace(pattern, method=replace(_method_of(pattern), payload=payload))
    if ttl_s is not None:
        pattern = replace(pattern, max_execution_s=ttl_s)
    query = results.ResultQuery(
        job_id=job, status=None, error_class=None, success=manner.success, looks_in_registry=False
    )
    found = from_file if from_file is not None else results.targets(client, query, chosen)
    chosen_targets = list(dict.fromkeys(found))
    warn_of_idle_exclusions(excluded, {each.device_id for each in chosen_targets}.intersection)
    targets = [each for each in chosen_targets if each.device_id not in excluded]
    _check_number(len(targets), manner.devices_at_most)
    requests = _requests(client, pattern, targets, new_job)
    document: dict[str, Any] = {"parentJobId": job, "deviceCount": len(targets)}
    if only_plans:
        sample = [each.device_id for each in targets[:SAMPLE]]
        shown = [plain(render_job(each)) for each in requests]
        return {"dryRun": True, "hub": client.target.authority, **document, "sample": sample, "requests": shown}
    if not requests:
        logger.warning("Job %s has no device to run again on (--on %s).", job, chosen_words)
        leave_with(cmd, Outcome.NO_DEVICE, always_zero=always_zero)
        return {**document, "jobs": []}
    if not goes_on(client.target, len(targets), f"Job {job} runs again", sure=sure):
        raise BadValue("Nothing was sent.")
    jobs, outcome = _run(client, requests, manner, job)
    leave_with(cmd, outcome, always_zero=always_zero)
    return {**document, "jobs": jobs}


def copy(
    cmd: Any,
    client: HubClient,
    job: str,
    new_job: str | None = None,
    condition: str | None = None,
    named_devices: str | None = None,
    devices_path: str | None = None,
    left_out: str | None = None,
    devices_at_most: int | None = None,
    only_plans: bool = False,
    patch: Given | None = None,
    method: str | None = None,
    method_json: Given | None = None,
    connect_timeout: int | None = None,
    response_timeout: int | None = None,
    start_at: str | None = None,
    ttl_s: int | None = None,
    wait_for_end: bool = False,
    poll_every_s: int = 10,
    poll_limit_s: int = 600,
    waits_for_slot: bool = False,
    success: str = DEFAULT_SUCCESS_STATUS,
    always_zero: bool = False,
) -> dict[str, Any] | None:
    """Make the same job under a new id, with changes; it starts now unless a start is given."""
    manner = read_manner(
        cmd, devices_at_most, poll_every_s, poll_limit_s, success, only_plans=only_plans,
        waits_for_slot=waits_for_slot, waits_for_end=wait_for_end, always_zero=always_zero,
    )  # fmt: skip
    typed = TypedSelection(condition=condition, ids=named_devices, ids_file=devices_path, excluded=left_out)
    selection = typed.read() if typed.names_devices else None
    changes: dict[str, Any] = {"job_id": new_job or new_job_id(job, "-copy")}
    if patch is not None:
        changes["patch"] = read_twin_patch(patch)
    if start_at is not None:
        changes["start_at"] = starting_instant(start_at)
    if ttl_s is not None:
        changes["max_execution_s"] = ttl_s
    call = {
        "name": method,
        "payload": None if method_json is None else json_or_file(method_json, "--method-payload"),
        "connect_timeout_s": connect_timeout,
        "response_timeout_s": response_timeout,
    }
    call_changes = {name: value for name, value in call.items() if value is not None}
    if method_json is not None:
        call_changes["payload"] = call["payload"]  # null is a payload too

    pattern = parse_job_request(operation.original(client, job), reads_payload=method_json is None)
    if selection is None:
        selection = Selection(condition=pattern.condition, excluded=typed.read_excluded())
    if call_changes:
        changes["method"] = replace(_method_of(pattern), **call_changes)
    return submit(cmd, client, replace(pattern, condition=selection.as_condition(), **changes), selection, manner)


def _method_of(pattern: JobRequest) -> MethodCall:
    if pattern.method is None:
        raise ConflictingChoice(
            f"Job {pattern.job_id} updates twins: it has no method whose name, payload or timeouts could change."
        )
    return pattern.method


def _targets_in(path: str, chosen: Chosen) -> Iterator[Target]:
    """The chosen rows of a file of results; of a file that knows no outcome, all."""
    for row in rows_of(path, "--from-results"):
        if not {"status", "errorclass"} & row.keys() or chosen.holds(row.get("status", ""), row.get("errorclass")):
            device_ids([row["deviceid"]], f"--from-results {path}")
            yield Target(row["deviceid"], row.get("moduleid"))


def _check_number(count: int, limit: int | None) -> None:
    if limit is not None and count > limit:
        raise BadValue(
            f"{count} devices are meant, and --max-devices (or iotjobs.max_devices) allows {limit}; nothing was sent.",
            hint="Narrow them with --on or --exclude, or allow more with --max-devices.",
        )


def _requests(
    client: HubClient, pattern: JobRequest, targets: Sequence[Target], new_job: str | None
) -> list[JobRequest]:
    selecting = list(conditions(targets))
    if not selecting:
        return []
    ids = part_ids(new_job, len(selecting)) if new_job else operation.free_ids(client, pattern.job_id, len(selecting))
    return [
        replace(pattern, job_id=job_id, condition=condition)
        for job_id, condition in zip(ids, selecting, strict=True)
    ]  # fmt: skip


def _run(
    client: HubClient, requests: Sequence[JobRequest], manner: Manner, parent_id: str
) -> tuple[list[dict[str, Any]], Outcome]:
    """Create the jobs, each when there is a slot for it, and wait for them if asked to; their documents and outcome."""
    # The jobs of one rerun follow each other on a hub that runs one at a time.
    in_turn = manner._replace(waits_for_slot=manner.waits_for_slot or len(requests) > 1)
    created: list[Job] = []
    try:
        for request in requests:
            created.append(create(client, request, in_turn))
            parent_links.note(client.target.canonical, request.job_id, request.condition, parent_id)
    except KeyboardInterrupt:
        _say_cut_off(created, requests)
        return [job.document for job in created], Outcome.WAIT_OVER
    except IotJobsError:
        _say_cut_off(created, requests)
        raise
    if not manner.waits_for_end:
        return [job.document for job in created], Outcome.SUCCESS
    documents, outcomes = [job.document for job in created], []
    for number, job in enumerate(created):
        seen, outcome = wait.watch(client, job.job_id, manner.policy, manner.success)
        documents[number] = seen.document if seen else job.document
        outcomes.append(outcome)
        if outcome is Outcome.WAIT_OVER:
            break
    return documents, weightiest(outcomes)


def _say_cut_off(created: Sequence[Job], requests: Sequence[JobRequest]) -> None:
    if len(requests) > 1:
        there = ", ".join(job.job_id for job in created) or "none"
        logger.warning("%d of %d jobs were made: %s.", len(created), len(requests), there)
