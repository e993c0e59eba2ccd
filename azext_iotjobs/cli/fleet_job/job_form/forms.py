"""JobForms of this door: what it lends the console."""

from azext_iotjobs.cli.fleet_job.job_form.lines import lines_of
from azext_iotjobs.cli.fleet_job.job_form.read import form_of, problem_of, read_form


class CommandLineForms:
    """Implements JobForms."""

    read = staticmethod(read_form)
    problem = staticmethod(problem_of)
    form_of = staticmethod(form_of)
    lines = staticmethod(lines_of)
