"""Forms that are fleet jobs, as the door that starts a console reads them: the same rules as its commands."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from azext_iotjobs.model.errors import UserError
from azext_iotjobs.model.fleet_job import Definition, FleetJob
from azext_iotjobs.model.schedule import Schedule

Form = Mapping[str, str]  # what is typed, by the names of fields; one that is not there is as a new fleet job has it


class FormProblem(NamedTuple):
    """Something that is wrong with a form."""

    field: str  # its name, or that of what the field is part of; "": all of it
    text: str


class FormJob(NamedTuple):
    """The fleet job that a form is."""

    fleet_job_id: str
    definition: Definition
    schedule: Schedule | None  # None: it is to have none


class ReadForm(NamedTuple):
    """A form that was read."""

    job: FormJob | None  # None: there are problems
    problems: Sequence[FormProblem]


class Original(NamedTuple):
    """The fleet job that a form began with."""

    job: FleetJob
    schedule: Schedule | None
    is_copied: bool  # else it is edited


class JobForms(Protocol):
    """Forms <-> fleet jobs, and the commands that do the same."""

    def read(self, form: Form) -> ReadForm:
        """The fleet job that a form is, or all that is wrong with it."""

    def problem(self, error: UserError, field: str) -> FormProblem:
        """What is wrong with a form, of an error. field: of one that names none."""

    def form_of(self, job: FleetJob, schedule: Schedule | None) -> Form:
        """The form of a fleet job."""

    def lines(self, job: FormJob, original: Original | None) -> Sequence[str]:
        """The commands that save it. original: None: it is new."""
