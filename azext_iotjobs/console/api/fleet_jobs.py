"""Fleet jobs: the list, one with a run of it, and what came of its devices."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from aiohttp import web

from azext_iotjobs.console.api.fleet_job_actions import offered, shown_job, situation
from azext_iotjobs.console.context import ConsoleContext, Document
from azext_iotjobs.console.parts import Parts, parts_of
from azext_iotjobs.console.store_rights import rights_document
from azext_iotjobs.fleet_job.plan import STATE_WORDS
from azext_iotjobs.fleet_job.store.contract import FleetJobStore, ResultFilter
from azext_iotjobs.fleet_job.threshold import failure_count
from azext_iotjobs.model.errors import BadValue, NotFound
from azext_iotjobs.model.fleet_job import Definition, FleetJob
from azext_iotjobs.model.result import ErrorClass, ResultPage
from azext_iotjobs.model.rollout import Scope
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.operations.fleet_job import definitions

MAX_BATCHES = 1_000  # that a page shows
MAX_RUNS = 100
MAX_IDS = 100  # of devices that a definition names
OF_LEASE = ("until", "heartbeat")  # they change while nothing else does


async def read_list(parts: Parts, _argument: str) -> Document:
    """The topic `fleet-jobs`: all of the hub, the newest first."""
    now = parts.clock.now()

    def work(store: FleetJobStore) -> Document:
        found = definitions.list_saved(store, definitions.ListFilter())
        scheduled = {each.fleet_job_id for each in store.schedules.list_all()}
        shown = [each for each in found if parts.context.has_host(each.job.host)]
        jobs = [
            {**_short(each, parts.context, now), "isScheduled": each.job.fleet_job_id in scheduled} for each in shown
        ]
        return {"jobs": jobs, "may": rights_document(store.rights())}

    return {**await parts.workers.store(work), "line": parts.context.spelling.command("iot hub fleet-job list")}


async def read_one(parts: Parts, argument: str) -> Document:
    """The topic `fleet-job:<id>`, or `fleet-job:<id>:<run>` for a run that is not the last."""
    fleet_job_id, _, number = argument.partition(":")
    now = parts.clock.now()
    return await parts.workers.store(lambda store: _whole(store, parts.context, fleet_job_id, _number(number), now))


async def devices(request: web.Request) -> web.Response:
    """GET /api/fleet-jobs/{id}/devices?run=&status=&error=&device=&after=: a page of results."""
    parts = parts_of(request)
    wanted, after = _filter(request), _number(request.query.get("after", ""), "after")

    def work(store: FleetJobStore) -> ResultPage | None:
        run = _run_of(store, parts.context, request.match_info["id"], _number(request.query.get("run", ""))).run
        return None if run is None else next(store.results.pages(run, wanted, str(after or "")), None)

    page = await parts.workers.store(work)
    rows = [] if page is None else [parts.context.documents.result(each) for each in page.rows]
    return web.json_response({"devices": rows, "next": "" if page is None else page.next_token})


async def results(request: web.Request) -> web.StreamResponse:
    """GET /api/fleet-jobs/{id}/results.csv?run=…: what came of every device, with the details of the run."""
    parts = parts_of(request)
    documents = parts.context.documents
    wanted = _filter(request)

    def begin(store: FleetJobStore) -> tuple[Run, Document, Iterator[ResultPage]]:
        job, run = _run_of(store, parts.context, request.match_info["id"], _number(request.query.get("run", "")))
        if run is None:
            raise NotFound(f"Fleet job {job.fleet_job_id} has not run yet.")
        job_of_run = store.definitions.get(job.fleet_job_id, run.version)
        return run, documents.run_details(job_of_run, run), store.results.pages(run, wanted)

    run, details, pages = await parts.workers.store(begin)
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{run.fleet_job_id}-{run.number}.csv"',
        }
    )
    await response.prepare(request)
    columns = documents.result_columns
    await response.write(documents.csv_line(columns))

    def lines(_store: FleetJobStore) -> bytes | None:
        page = next(pages, None)
        if page is None:
            return None
        rows = ({**documents.result(each), **details} for each in page.rows)
        return b"".join(documents.csv_line([row[name] for name in columns]) for row in rows)

    while (written := await parts.workers.store(lines)) is not None:
        await response.write(written)
    await response.write_eof()
    return response


class _Chosen(NamedTuple):
    job: FleetJob
    run: Run | None  # None: it has not run


def _run_of(store: FleetJobStore, context: ConsoleContext, fleet_job_id: str, number: int | None) -> _Chosen:
    """A fleet job of the hub, and a run of it. number: None: the last. Raises NotFound."""
    job = shown_job(store, context, fleet_job_id)
    run = store.runs.last(fleet_job_id) if number is None else store.runs.get(fleet_job_id, number)
    return _Chosen(job, run)


def _short(saved: definitions.SavedJob, context: ConsoleContext, now: datetime) -> Document:
    """A fleet job as the list has it."""
    job, run = saved.job, saved.run
    return {
        "kind": "fleet",
        "id": job.fleet_job_id,
        "name": job.display_name,
        "description": job.definition.description,
        "action": job.definition.action.kind.value,
        "hub": job.host,
        "labels": dict(job.definition.labels),
        "edited": job.edited_at.isoformat(),
        "status": saved.state.value,
        "isSaved": run is None,
        "run": None if run is None else _run_document(run, context, now),
    }


def _run_document(run: Run, context: ConsoleContext, now: datetime) -> Document:
    """A run, without what changes while nothing happens: a page counts seconds itself."""
    document = context.documents.run(run, now)
    if run.state is RunState.RUNNING:
        document["durationSeconds"] = None
    runner = document.get("runner")
    if runner is not None:
        document["runner"] = {name: value for name, value in runner.items() if name not in OF_LEASE}
    document["isUnattended"] = run.state is RunState.RUNNING and run.is_unattended(now)
    return document


def _whole(
    store: FleetJobStore, context: ConsoleContext, fleet_job_id: str, number: int | None, now: datetime
) -> Document:
    job, run = _run_of(store, context, fleet_job_id, number)
    schedule, seen = store.schedules.get(fleet_job_id), situation(store, fleet_job_id, now)
    return {
        "job": _with_fewer_ids(context.documents.fleet_job(job, None if schedule is None else schedule.schedule)),
        "runs": [_entry(each) for each in islice(store.runs.list_all(fleet_job_id), MAX_RUNS)],
        "actions": offered(context, job, seen),
        "may": rights_document(seen.rights),
        "lines": _lines(context.spelling.command, fleet_job_id, run),
        "run": None if run is None else _with_batches(store, context, run, now),
    }


def _with_fewer_ids(document: Document) -> Document:
    """A definition that names many devices, with the first of them and their count."""
    targets = document["targets"]
    ids = targets["deviceIds"]
    return {**document, "targets": {**targets, "deviceIds": ids[:MAX_IDS], "deviceCount": len(ids)}}


def _entry(run: Run) -> Document:
    return {"run": run.number, "status": run.state.value, "created": run.created_at.isoformat()}


def _with_batches(store: FleetJobStore, context: ConsoleContext, run: Run, now: datetime) -> Document:
    definition = store.definitions.of_run(run)
    batches = store.runs.batches(run, limit=MAX_BATCHES)
    documents = [context.documents.batch(each, run, definition.rollout.gates) for each in batches]
    for document, batch in zip(documents, batches, strict=True):
        document["threshold"] = _line(definition, Scope.BATCH, batch)
        if document["ended"] is None:
            document["durationSeconds"] = None
    return {
        **_run_document(run, context, now),
        "threshold": _line(definition, Scope.RUN, run),
        "batchList": documents,
    }


def _line(definition: Definition, scope: Scope, of: Run | Batch) -> Document | None:
    """How many failures a run or batch may have, and how many count; None: no threshold looks at it."""
    threshold = definition.rollout.threshold
    if threshold is None or threshold.scope is not scope:
        return None
    total = of.device_count if isinstance(of, Run) else of.tally.total
    return {
        "allowed": float(threshold.share.of(total) + of.forgiven),
        "failures": failure_count(of.tally, threshold),
        "share": str(threshold.share),
        "action": threshold.action.value,
    }


def _lines(spell: Callable[..., str], fleet_job_id: str, run: Run | None) -> Document:
    """Commands that show the same."""
    lines = {"show": spell("iot hub fleet-job show", fleet_job_id=fleet_job_id)}
    if run is not None:
        of_run = {"fleet_job_id": fleet_job_id, "run": str(run.number)}
        lines["results"] = spell("iot hub fleet-job results", **of_run)
        lines["watch"] = spell("iot hub fleet-job watch", fleet_job_id=fleet_job_id)
    return lines


def _number(text: str, name: str = "run") -> int | None:
    """A number of a request, such as that of a run; None: it is not given. Raises BadValue, naming it."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise BadValue(f"{name} {text[:40]!r} is not a number.")
    return int(text)


def _filter(request: web.Request) -> ResultFilter:
    """Which devices a request asks for. Raises BadValue."""
    query = request.query
    return ResultFilter(
        states=_words(query.getall("status", []), STATE_WORDS),
        error_classes=_words(query.getall("error", []), tuple(each.value for each in ErrorClass)),
        device_id=query.get("device") or None,
    )


def _words(given: list[str], allowed: tuple[str, ...]) -> frozenset[str]:
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        raise BadValue(f"{unknown[0][:60]!r} is not one of {', '.join(allowed)}.")
    return frozenset(given)
