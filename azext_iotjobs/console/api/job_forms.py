"""The New-job wizard: a form that is a fleet job is read, reviewed and saved; with the rules that commands have."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from aiohttp import web

from azext_iotjobs.console.api.fleet_job_actions import shown_job
from azext_iotjobs.console.context import ConsoleContext, Document
from azext_iotjobs.console.job_forms import FormJob, FormProblem, JobForms, Original
from azext_iotjobs.console.parts import Parts, body_of, parts_of
from azext_iotjobs.console.store_rights import check_rights, rights_document
from azext_iotjobs.fleet_job.due import next_occurrences
from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.fleet_job.store.holder import current_user
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import BadValue, NotFound, UserError, WrongState
from azext_iotjobs.model.fleet_job import FleetJob
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.operations.fleet_job import definitions, outline
from azext_iotjobs.operations.fleet_job.planning import host_of
from azext_iotjobs.operations.fleet_job.schedule import saved

SHOWN_DEVICES = 10
SHOWN_NEXT = 5
EDIT, COPY = "edit", "copy"
ID, TARGETS, SCHEDULE = "id", "targets", "schedule"  # fields of forms
# In place of what is not typed yet, where devices alone are meant.
ANY_FORM = {ID: "any", "action.methodName": "any"}


class Wanted(NamedTuple):
    """What a page asks for."""

    form: dict[str, str]
    original_id: str  # of the fleet job that the form began with; "": it is new
    is_copied: bool
    seen: str  # how the original was when the form was begun


class _Known(NamedTuple):
    """What the store knows of a form."""

    original: Original | None
    problems: Sequence[FormProblem]
    next_at: Sequence[str]


async def show(request: web.Request) -> web.Response:
    """GET /api/job-form?edit=ID or ?copy=ID: what the form begins with, and the device groups that there are."""
    parts = parts_of(request)
    edited, copied = request.query.get(EDIT, ""), request.query.get(COPY, "")
    host = await _host(parts)

    def work(store: FleetJobStore) -> Document:
        may = rights_document(store.rights())
        groups = [each.name for each in store.groups.list_all() if each.host == host]
        original = _original(store, parts.context, edited or copied, is_copied=not edited)
        if original is None:
            return {"form": {}, "groups": groups, "seen": "", "name": "", "may": may}
        form = dict(parts.context.forms.form_of(original.job, None if original.is_copied else original.schedule))
        if original.is_copied:
            form["displayName"] = definitions.name_of_copy(original.job)
            form["id"] = definitions.id_of_copy(store, original.job.fleet_job_id)
        seen, name = _seen(store, original.job), original.job.display_name
        return {"form": form, "groups": groups, "seen": seen, "name": name, "may": may}

    return web.json_response(await parts.workers.store(work))


async def check(request: web.Request) -> web.Response:
    """POST /api/job-form/check: all that is wrong with a form, or the commands that save it. No hub is asked."""
    parts, wanted = parts_of(request), await _wanted(request)
    read = parts.context.forms.read(wanted.form)
    job = read.job
    if job is None:
        return web.json_response(_document(read.problems))
    host = await _host(parts)
    known = await parts.workers.store(lambda store: _known(store, parts, host, wanted, job))
    return web.json_response(_document(known.problems, _lines(parts.context, job, known)))


async def review(request: web.Request) -> web.Response:
    """POST /api/job-form/review: the same, and what a run would be now."""
    parts, wanted = parts_of(request), await _wanted(request)
    read = parts.context.forms.read(wanted.form)
    job = read.job
    if job is None:
        return web.json_response(_document(read.problems))
    known, found, problems = await _asked(parts, wanted, job)
    lines = _lines(parts.context, job, known)
    return web.json_response({**_document(problems, lines), "next": known.next_at, **_preview(found)})


async def count(request: web.Request) -> web.Response:
    """POST /api/job-form/count: how many devices a form selects now, whatever its other fields hold."""
    parts, wanted = parts_of(request), await _wanted(request)
    targets = {name: text for name, text in wanted.form.items() if name.startswith(f"{TARGETS}.")}
    read = parts.context.forms.read({**ANY_FORM, **targets})
    job = read.job
    if job is None:
        return web.json_response({**_document(read.problems), "preview": None})
    found, problems = await _outlined(parts, job)
    return web.json_response({**_document(problems), **_preview(found)})


async def save(request: web.Request) -> web.Response:
    """POST /api/job-form/save: save it, and its schedule; {"id": …}, or {"problems": …} where anything is wrong."""
    parts, wanted = parts_of(request), await _wanted(request)
    await parts.workers.store(lambda store: check_rights(store.rights(), defines=True))
    read = parts.context.forms.read(wanted.form)
    job = read.job
    if job is None:
        return web.json_response(_document(read.problems))
    _, _, problems = await _asked(parts, wanted, job)
    if problems:
        return web.json_response(_document(problems))
    host = await _host(parts)
    await parts.workers.made_store(lambda store: _save(store, parts, host, wanted, job))
    return web.json_response({**_document(()), "id": job.fleet_job_id})


async def _wanted(request: web.Request) -> Wanted:
    body = await body_of(request, form=dict, edit=str, copy=str, seen=str)
    form = body.get("form", {})
    if not all(type(each) is str for each in form.values()):
        raise BadValue("A field of the form is not a text.")
    edited, copied = body.get(EDIT, ""), body.get(COPY, "")
    return Wanted(form, edited or copied, not edited, body.get("seen", ""))


async def _host(parts: Parts) -> str:
    """The hub that a new fleet job belongs to."""
    return await parts.workers.hub(host_of)


async def _asked(
    parts: Parts, wanted: Wanted, job: FormJob
) -> tuple[_Known, outline.Outline | None, Sequence[FormProblem]]:
    """What the store and then the hub know of a form; what is wrong with it."""
    host = await _host(parts)
    known = await parts.workers.store(lambda store: _known(store, parts, host, wanted, job))
    if known.problems:
        return known, None, known.problems
    return known, *await _outlined(parts, job)


async def _outlined(parts: Parts, job: FormJob) -> tuple[outline.Outline | None, Sequence[FormProblem]]:
    """What a run would be, or what is wrong with a form."""
    host, targets, tier = await _host(parts), job.definition.targets, parts.context.tier
    try:
        known = await parts.workers.store(lambda store: outline.known_targets(store, targets, host, SHOWN_DEVICES))
        return await parts.workers.hub(
            lambda client: outline.outline(client, job.definition, known, tier, SHOWN_DEVICES)
        ), ()
    except (NotFound, UserError) as err:
        return None, [_problem(parts.context.forms, err, TARGETS)]


def _known(store: FleetJobStore, parts: Parts, host: str, wanted: Wanted, job: FormJob) -> _Known:
    original = _original(store, parts.context, wanted.original_id, is_copied=wanted.is_copied)
    forms, problems = parts.context.forms, []
    if original is None or original.is_copied:
        problems += _tried(forms, ID, lambda: store.definitions.check_unused(job.fleet_job_id))
    elif original.job.fleet_job_id != job.fleet_job_id:
        problems.append(FormProblem(ID, "The id of a fleet job stays as it is: copy it for another one."))
    next_at: list[str] = []
    if job.schedule is not None:
        problems += _tried(forms, SCHEDULE, lambda: next_at.extend(_next(store, host, job, parts.clock)))
    if job.definition.targets.group is not None:
        problems += _tried(
            forms, TARGETS, lambda: outline.known_targets(store, job.definition.targets, host, SHOWN_DEVICES)
        )
    return _Known(original, problems, next_at)


def _tried(forms: JobForms, field: str, work: Callable[[], object]) -> list[FormProblem]:
    """What `work` finds wrong with a field."""
    try:
        work()
    except (NotFound, UserError) as err:
        return [_problem(forms, err, field)]
    return []


def _problem(forms: JobForms, error: NotFound | UserError, field: str) -> FormProblem:
    """What is wrong with a form, of an error of the store or the hub. field: of one that names none."""
    return forms.problem(error, field) if isinstance(error, UserError) else FormProblem(field, error.message)


def _next(store: FleetJobStore, host: str, job: FormJob, clock: Clock) -> list[str]:
    """When it is due next. Raises BadValue for a schedule that is never due."""
    assert job.schedule is not None
    now = clock.now()
    saved.check_schedule(store, job.fleet_job_id, host, job.schedule, now)
    planned = StoredSchedule(
        fleet_job_id=job.fleet_job_id, host=host, schedule=job.schedule, set_at=now, set_by="", store_key=""
    )
    last_at = store.occurrences.last_at(job.fleet_job_id)
    return [each.isoformat() for each in next_occurrences(planned, last_at, now, SHOWN_NEXT)]


def _original(store: FleetJobStore, context: ConsoleContext, fleet_job_id: str, *, is_copied: bool) -> Original | None:
    """The fleet job that a form began with. Raises NotFound, also for one that the pages do not show."""
    if not fleet_job_id:
        return None
    job = shown_job(store, context, fleet_job_id)
    stored = store.schedules.get(fleet_job_id)
    return Original(job, None if stored is None else stored.schedule, is_copied)


def _seen(store: FleetJobStore, job: FleetJob) -> str:
    """A text that is another one once somebody has changed the fleet job or its schedule."""
    stored = store.schedules.get(job.fleet_job_id)
    return f"{job.version} {None if stored is None else stored.set_at.isoformat()}"


def _save(store: FleetJobStore, parts: Parts, host: str, wanted: Wanted, job: FormJob) -> None:
    by, at = current_user(), parts.clock.now()
    with store.transaction():
        before = store.schedules.get(job.fleet_job_id)
        if not wanted.original_id:
            definitions.create(store, job.fleet_job_id, host, job.definition, by=by, at=at)
        elif wanted.is_copied:
            changes = vars(job.definition)
            definitions.copy(store, wanted.original_id, job.fleet_job_id, host, by=by, at=at, **changes)
        else:
            _check_seen(store, wanted)
            definitions.edit(store, job.fleet_job_id, job.definition, by=by, at=at)
        if job.schedule is not None:
            saved.set_schedule(store, job.fleet_job_id, job.schedule, by=by, at=at, new_key=parts.context.new_store_key)
        elif before is not None:
            saved.remove(store, job.fleet_job_id, by=by, at=at)


def _check_seen(store: FleetJobStore, wanted: Wanted) -> None:
    """Raise WrongState where somebody else has changed the fleet job since the form was begun."""
    if _seen(store, store.definitions.get(wanted.original_id)) != wanted.seen:
        raise WrongState(
            f"Fleet job {wanted.original_id} was changed by somebody else meanwhile. Nothing was saved.",
            hint="Discard the draft to begin with what is saved now.",
        )


def _document(problems: Sequence[FormProblem], lines: Sequence[str] = ()) -> Document:
    return {"problems": [each._asdict() for each in problems], "lines": list(lines)}


def _lines(context: ConsoleContext, job: FormJob, known: _Known) -> Sequence[str]:
    return [] if known.problems else context.forms.lines(job, known.original)


def _preview(found: outline.Outline | None) -> Document:
    if found is None:
        return {"preview": None}
    preview = found.preview
    return {
        "preview": {
            "devices": found.device_count,
            "selected": found.found.count,
            "isMore": found.found.is_more,
            "sample": list(found.found.first),
            "batches": preview.batch_count,
            "batchSizes": preview.batch_sizes[:SHOWN_DEVICES],
            "pausesSeconds": preview.pauses_s,
            "driver": preview.driver,
            "driverReason": preview.driver_reason,
        }
    }
