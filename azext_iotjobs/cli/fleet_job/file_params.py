"""Options of files that are fleet jobs."""

from azext_iotjobs.cli.input.options import Group, option

JOB_FILE: Group = (
    option(
        "job_file",
        "--file -f",
        "File with one or more fleet jobs, in YAML or JSON; - is stdin. See fleet-job-files.md.",
    ),
    option(
        "parameter_values",
        "--set",
        "Values of the file's parameters, as name=value with spaces between them. Each has to occur in the file as "
        "${name}.",
        nargs="+",
        action="extend",
    ),
    option(
        "dry_run",
        "--dry-run",
        "Show what would be created and what would change; change nothing. The hub still reads new conditions.",
        action="store_true",
    ),
)
