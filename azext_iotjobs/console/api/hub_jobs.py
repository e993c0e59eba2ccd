"""Jobs in the hub: the list, one with what it did to its devices, and its cancellation."""

from itertools import islice
from typing import Any

from aiohttp import web

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.console.context import Document
from azext_iotjobs.console.parts import Parts, body_of, parts_of, token_of
from azext_iotjobs.model.errors import NotFound
from azext_iotjobs.model.job import Job, JobStatus, JobTally
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, parse_success_status
from azext_iotjobs.model.result import ResultPage
from azext_iotjobs.operations.fleet_job.schedule.claims import claimer_of
from azext_iotjobs.operations.job import results, run

MAX_JOBS = 1_000  # that the list has: a hub keeps those of thirty days
MEMBERS = ("createdTime", "startTime", "endTime")  # of the hub's documents, instants


async def read_list(parts: Parts, _argument: str) -> Document:
    """The topic `hub-jobs`. Without a hub there are none."""
    if parts.context.hub is None:
        return {"jobs": []}

    def work(client: HubClient) -> list[Job]:
        return list(islice(client.jobs.query(), MAX_JOBS))

    jobs = [_short(each) for each in await parts.workers.hub(work)]
    return {"jobs": jobs, "line": parts.context.spelling.command("iot hub job list")}


async def read_one(parts: Parts, argument: str) -> Document:
    """The topic `hub-job:<id>`."""
    job = await parts.workers.hub(lambda client: client.jobs.get(argument))
    if job.status is JobStatus.UNKNOWN:
        raise NotFound(f"The hub has no job {argument[:80]!r}: it keeps them for 30 days.")
    spell = parts.context.spelling.command
    cancel = {
        "name": "cancel",
        "label": "Cancel",
        "question": "Cancel this job? A hub cancels only one that has not begun.",
        "fields": [],
        "line": spell("iot hub job cancel", job_id=argument),
    }
    return {
        **_short(job),
        "document": job.document,
        "actions": [] if job.status.is_terminal else [cancel],
        "lines": {
            "show": spell("iot hub job show", job_id=argument),
            "results": spell("iot hub job results", job_id=argument),
        },
    }


async def devices(request: web.Request) -> web.Response:
    """GET /api/hub-jobs/{id}/devices?status=&after=: a page of what it did to its devices."""
    parts = parts_of(request)
    query = results.ResultQuery(
        job_id=request.match_info["id"],
        success=parse_success_status(DEFAULT_SUCCESS_STATUS),
        statuses=tuple(each for each in request.query.getall("status", []) if each in results.DEVICE_STATUSES),
        checks_registry=False,
    )
    after = token_of(request)

    def work(client: HubClient) -> ResultPage | None:
        return next(results.read(client, query, after), None)

    page = await parts.workers.hub(work)
    rows = [] if page is None else [parts.context.documents.result(each) for each in page.rows]
    return web.json_response({"devices": rows, "next": "" if page is None else page.next_token})


async def cancel(request: web.Request) -> web.Response:
    """POST /api/hub-jobs/{id}/actions/cancel."""
    await body_of(request)
    job_id = request.match_info["id"]
    await parts_of(request).workers.hub(lambda client: run.cancel(client, job_id))
    return web.json_response({"id": job_id})


def _short(job: Job) -> Document:
    """A job as the list has it."""
    instants: dict[str, Any] = {name: job.document.get(name) for name in MEMBERS}
    claimer = claimer_of(job.condition)
    return {
        "kind": "hub",
        "id": job.job_id,
        "name": job.job_id,
        "action": job.job_type.value,
        "status": job.status.value,
        "condition": job.condition,
        "reason": job.failure_reason,
        "claimedBy": None if claimer is None else claimer.by,  # of an occurrence of a schedule: it means no device
        "progress": None if job.tally is None else _tally(job.tally),
        **instants,
    }


def _tally(tally: JobTally) -> Document:
    return {
        "total": tally.device_count,
        "completed": tally.succeeded_count,
        "failed": tally.failed_count,
        "inProgress": tally.running_count,
        "pending": tally.pending_count,
    }
