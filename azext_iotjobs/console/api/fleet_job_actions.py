"""What can be done with a fleet job now, as the command that does the same, and doing it.

What may have to execute a run is done by that command, in a process of its own: a run goes on when the console ends.
The rest is a record that the process that executes the run sees.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from aiohttp import web

from azext_iotjobs.console.context import ConsoleContext, Document, Ran
from azext_iotjobs.console.errors import error_document
from azext_iotjobs.console.parts import Parts, body_of, parts_of
from azext_iotjobs.console.store_rights import check_rights
from azext_iotjobs.fleet_job.gates import check_awaits_approval
from azext_iotjobs.fleet_job.store.contract import FleetJobStore, StoreRights
from azext_iotjobs.fleet_job.store.holder import current_user, this_process
from azext_iotjobs.fleet_job.unfinished import check_resumable
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import BadValue, IotJobsError, NotFound
from azext_iotjobs.model.fleet_job import FleetJob
from azext_iotjobs.model.gates import GateAnswer, Gates
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.run import Batch, Run, next_state
from azext_iotjobs.model.run_state import RunEvent, RunState
from azext_iotjobs.operations.fleet_job import approval, run_loop

GROUP = "iot hub fleet-job"
MAX_CHARACTERS = 2_048  # of what is typed into a field
MAX_ERROR_CHARACTERS = 2_000  # of what a command wrote


class Situation(NamedTuple):
    """What decides on what can be done."""

    run: Run | None  # the last; None: it has not run
    batch: Batch | None  # the first of it that has not ended
    gates: Gates | None  # that the run goes by
    now: datetime
    is_scheduled: bool
    rights: StoreRights


class TextField(NamedTuple):
    """Something that the page lets people type before an action, in their own words; it may stay empty."""

    option: str  # of the command, without its dashes: its name in the request, too
    label: str


class Action(NamedTuple):
    """Something to do with a fleet job; its name is the command's verb, unless it says another one."""

    label: str  # on its button, in IoT Central's words
    is_possible: Callable[[Situation], bool]
    question: str  # that the page asks before
    options: tuple[str, ...] = ()  # of the command
    fields: tuple[TextField, ...] = ()
    unseen: tuple[str, ...] = ()  # more of them, where nobody is at a terminal
    record: "Callable[[FleetJobStore, Run, str | None, Clock], None] | None" = None  # None: the command does it
    verb: str | None = None  # of the command; None: its name
    defines: bool = False  # it saves or removes what only some roles of a team's store may

    def is_allowed(self, rights: StoreRights) -> bool:
        """Whether the role that the store is used with may do it."""
        return rights.may_define if self.defines else rights.may_run


def _may(event: RunEvent) -> Callable[[Situation], bool]:
    def may(seen: Situation) -> bool:
        if seen.run is None:
            return False
        try:
            next_state(seen.run, event)
            if event is RunEvent.RESUME:
                check_resumable(seen.run, seen.now)
        except IotJobsError:
            return False
        return True

    return may


def _may_run(seen: Situation) -> bool:
    return seen.run is None or seen.run.state.has_ended


def _may_rerun(seen: Situation) -> bool:
    return (
        seen.run is not None
        and seen.run.state not in (RunState.PENDING, RunState.RUNNING)
        and seen.run.tally.failed > 0
    )


def _may_answer(seen: Situation) -> bool:
    if seen.run is None or seen.gates is None:
        return False
    try:
        check_awaits_approval(seen.run, seen.batch, seen.gates)
    except IotJobsError:
        return False
    return True


def _stop(store: FleetJobStore, run: Run, reason: str | None, clock: Clock) -> None:
    run_loop.stop(store, run, this_process(), by=current_user(), reason=reason, clock=clock)


def _answer(store: FleetJobStore, run: Run, reason: str | None, clock: Clock, *, is_approved: bool) -> None:
    given = GateAnswer(is_approved=is_approved, by=current_user(), reason=reason, at=clock.now())
    approval.answer(store, run, this_process(), given, clock)


def _approve(store: FleetJobStore, run: Run, reason: str | None, clock: Clock) -> None:
    _answer(store, run, reason, clock, is_approved=True)


def _reject(store: FleetJobStore, run: Run, reason: str | None, clock: Clock) -> None:
    _answer(store, run, reason, clock, is_approved=False)


DETACHED, CONFIRMED = ("--detach",), ("--yes",)
REASON = (TextField("reason", "Reason, for the record"),)
NEW_JOB = (
    TextField("new-fleet-job-id", "Id of the new fleet job"),
    TextField("display-name", "Name"),
    TextField("description", "Description"),
)
ACTIONS: Mapping[str, Action] = {
    "approve": Action(
        "Approve", _may_answer, "Approve the batch that waits? The next one begins.", fields=REASON, record=_approve
    ),
    "reject": Action(
        "Reject", _may_answer, "Reject the batch that waits? The run is stopped.", fields=REASON, record=_reject
    ),
    "run": Action("Run", _may_run, "Run this fleet job now?", DETACHED, unseen=CONFIRMED),
    "stop": Action("Stop", _may(RunEvent.STOP), "Stop the run? It can be continued.", fields=REASON, record=_stop),
    "resume": Action("Continue", _may(RunEvent.RESUME), "Continue the run?", DETACHED, unseen=CONFIRMED),
    "cancel": Action(
        "Cancel", _may(RunEvent.CANCEL), "Cancel the run for good?", fields=REASON, unseen=("--poll-duration", "1")
    ),
    "rerun": Action(
        "Rerun on failed",
        _may_rerun,
        "Run it again on the devices that failed, as a new fleet job?",
        ("--on", "failed", *DETACHED),
        NEW_JOB,
        CONFIRMED,
        defines=True,  # a rerun is a new fleet job
    ),
    "unschedule": Action(
        "Unschedule", lambda seen: seen.is_scheduled, "Remove its schedule?", verb="schedule remove", defines=True
    ),
}


def offered(context: ConsoleContext, job: FleetJob, seen: Situation) -> list[Document]:
    """What can be done with a fleet job, by the role of its store, in the order of its buttons."""
    return [
        {
            "name": name,
            "label": action.label,
            "question": action.question,
            "fields": [each._asdict() for each in action.fields],
            "line": context.spelling.command(
                f"{GROUP} {action.verb or name}", *action.options, fleet_job_id=job.fleet_job_id
            ),
        }
        for name, action in ACTIONS.items()
        if action.is_possible(seen) and action.is_allowed(seen.rights)
    ]


def shown_job(store: FleetJobStore, context: ConsoleContext, fleet_job_id: str) -> FleetJob:
    """A fleet job that the pages show. Raises NotFound, also for one of another hub."""
    job = store.definitions.get(fleet_job_id)
    if not context.has_host(job.host):
        raise NotFound(f"Fleet job {fleet_job_id} belongs to {job.host}, another hub.")
    return job


def situation(store: FleetJobStore, fleet_job_id: str, now: datetime) -> Situation:
    """How a fleet job stands."""
    run = store.runs.last(fleet_job_id)
    is_scheduled, rights = store.schedules.get(fleet_job_id) is not None, store.rights()
    if run is None:
        return Situation(None, None, None, now, is_scheduled, rights)
    gates = store.definitions.of_run(run).rollout.gates
    return Situation(run, store.runs.current_batch(run), gates, now, is_scheduled, rights)


async def act(request: web.Request) -> web.Response:
    """POST /api/fleet-jobs/{id}/actions/{action} {"reason": …}: do it; {"id": …} names a new fleet job."""
    parts = parts_of(request)
    name, fleet_job_id = request.match_info["action"], request.match_info["id"]
    action = ACTIONS.get(name)
    if action is None:
        raise NotFound(f"There is no action {name[:40]!r}.")
    typed = _typed(await body_of(request, **{each.option: str for each in action.fields}))
    await parts.workers.store(lambda store: _check(store, parts.context, fleet_job_id, action))
    if action.record is None:
        return await _by_command(parts, name, fleet_job_id, typed)
    reason, record = typed.get("reason"), action.record
    await parts.workers.store(lambda store: record(store, store.runs.get(fleet_job_id), reason, parts.clock))
    return web.json_response({"id": fleet_job_id})


def _check(store: FleetJobStore, context: ConsoleContext, fleet_job_id: str, action: Action) -> None:
    """Raise NotFound for a fleet job that the pages do not show; StateNotAllowed where the store's role may not."""
    shown_job(store, context, fleet_job_id)
    check_rights(store.rights(), defines=action.defines)


async def _by_command(parts: Parts, name: str, fleet_job_id: str, typed: Mapping[str, str]) -> web.Response:
    action = ACTIONS[name]
    given = (f"--{option}={value}" for option, value in typed.items())  # one word: a value is never an option
    group_and_verb = f"{GROUP} {action.verb or name}".split()
    words = (*group_and_verb, "-j", fleet_job_id, *action.options, *given, *action.unseen)
    ran = await parts.workers.wait(lambda: parts.context.run_command(words))
    if ran.code not in (0, Outcome.WAIT_OVER):
        return web.json_response(error_document("command", _said(ran)), status=409)
    return web.json_response({"id": _id_in(ran) or fleet_job_id})


def _typed(body: Mapping[str, str]) -> dict[str, str]:
    """What was typed into fields. Raises BadValue for what is too long."""
    for name, text in body.items():
        if len(text) > MAX_CHARACTERS:
            raise BadValue(f"{name} has {len(text)} characters, at most {MAX_CHARACTERS} are allowed.")
    return {name: text.strip() for name, text in body.items() if text.strip()}


def _said(ran: Ran) -> str:
    """The last of what a command wrote, without az's own mark of an error."""
    text = ran.errors.decode(errors="replace").strip()
    return text.rpartition("ERROR: ")[2][-MAX_ERROR_CHARACTERS:] or f"The command ended with code {ran.code}."


def _id_in(ran: Ran) -> str | None:
    """The fleet job that a command's result is of."""
    try:
        document: Any = json.loads(ran.output)
    except ValueError:
        return None
    found = document.get("id") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None
