"""A form of the console -> the fleet job that it is, read as a file is; and a fleet job -> its form."""

from typing import Any

from azext_iotjobs.cli.fleet_job.documents import render_fleet_job
from azext_iotjobs.cli.fleet_job.job_file.mistakes import MEMBERS_OF_FIELDS, hint_of_file, in_words_of_file
from azext_iotjobs.cli.fleet_job.job_file.read import parse_document
from azext_iotjobs.cli.fleet_job.job_form.fields import FIELDS, FOR_PEOPLE, NEEDED
from azext_iotjobs.cli.input.problems import Problems
from azext_iotjobs.cli.input.yaml_items import Misplaced
from azext_iotjobs.console.job_forms import Form, FormJob, FormProblem, ReadForm
from azext_iotjobs.model.errors import BadValue, UserError
from azext_iotjobs.model.fleet_job import FleetJob
from azext_iotjobs.model.schedule import Schedule
from azext_iotjobs.model.text import Text, command

Document = dict[str, Any]
ABSENT = object()
LEFT_OUT: tuple[object, ...] = (ABSENT, None, "", [], {})  # but in an action, where each says something
ACTION, TWIN_PATCH = "action.", "action.twinPatch."


def read_form(form: Form) -> ReadForm:
    """The fleet job that a form is, or all that is wrong with it."""
    unknown = sorted(form.keys() - FIELDS.keys())
    if unknown:
        return ReadForm(None, [FormProblem("", f"There is no field {unknown[0][:60]!r}.")])
    document, found = _document(form)
    problems = Problems()
    try:
        job = parse_document(document, problems)
    except BadValue as err:
        return ReadForm(None, [*found, FormProblem("", err.message)])
    known = {each.field for each in found}
    # What a field that could not be read is part of lacks it: that is said once.
    found += [each for each in map(_problem, problems.found) if not any(_is_in(name, each.field) for name in known)]
    if found or job is None:
        return ReadForm(None, list({each.field: each for each in reversed(found)}.values())[::-1])
    return ReadForm(FormJob(job.fleet_job_id, job.definition, job.schedule), [])


def problem_of(error: UserError, field: str) -> FormProblem:
    """What is wrong with a form, of an error. field: of one that names none."""
    text = in_words_of_file(error.message)
    hint = hint_of_file(error)
    return FormProblem(MEMBERS_OF_FIELDS.get(error.field or "", field), text if hint is None else f"{text} {hint}")


def form_of(job: FleetJob, schedule: Schedule | None) -> Form:
    """The form of a fleet job. Raises BadValue for one that has something which no field can say."""
    document = {**render_fleet_job(job, schedule), "displayName": job.definition.display_name}
    found = {name: _member(document, name) for name in FIELDS}
    is_said = {
        name: each is not ABSENT and (name.startswith(ACTION) or each not in LEFT_OUT) for name, each in found.items()
    }
    form = {name: FIELDS[name].text(each) for name, each in found.items() if is_said[name]}
    if read_form(form).job != FormJob(job.fleet_job_id, job.definition, schedule):
        raise BadValue(
            f"Fleet job {job.fleet_job_id} has something that the form has no field for.",
            hint=Text("Change it here: ", command("iot hub fleet-job update", fleet_job_id=job.fleet_job_id)),
        )
    return form


def _document(form: Form) -> tuple[Document, list[FormProblem]]:
    """The document of a form, and what could not be read of it."""
    document: Document = {"action": {}, "targets": {}, "schedule": None}
    if any(name.startswith(TWIN_PATCH) for name in form):
        document["action"]["twinPatch"] = {}  # an empty one is said to be so where members are read
    problems = []
    for name, kind in FIELDS.items():
        text = form.get(name)
        if text is None or _is_left_out(name, text):
            continue
        try:
            _put(document, name, kind.member(text, name))
        except BadValue as err:
            problems.append(FormProblem(name, err.message))
    return document, problems


def _is_left_out(name: str, text: str) -> bool:
    return name not in NEEDED and not (text if name in FOR_PEOPLE else text.strip())


def _put(document: Document, name: str, value: Any) -> None:
    *path, last = name.split(".")
    for step in path:
        if not isinstance(document.get(step), dict):
            document[step] = {}
        document = document[step]
    document[last] = value


def _member(document: Document, name: str) -> Any:
    found: Any = document
    for step in name.split("."):
        if not isinstance(found, dict) or step not in found:
            return ABSENT
        found = found[step]
    return found


def _problem(problem: Misplaced) -> FormProblem:
    text = problem.said.removeprefix(f"{problem.path}: ")
    field = problem.path.partition("[")[0]  # an item of a list is shown at the list
    return FormProblem(field, text if problem.hint is None else f"{text} {problem.hint}")


def _is_in(name: str, field: str) -> bool:
    """Whether a field is another one, or part of it."""
    return f"{name}.".startswith(f"{field}.") if field else True
