"""Options of rows of results and of reports: which rows, which columns, and where they are written."""

from collections.abc import Sequence

from azure.cli.core.commands.parameters import get_enum_type

from azext_iotjobs.cli.input.options import Group, extra, option

# Those of model.result and model.outcome, which are not imported here: all commands of jobs start with this file.
ERROR_CLASSES = ("offline", "timeout", "throttled", "not-found", "rejected", "other")  # of a hub's jobs
RUN_ERROR_CLASSES = (*ERROR_CLASSES[:-1], "not-verified", ERROR_CLASSES[-1])  # where devices are verified


def failed_by(classes: Sequence[str] = ERROR_CLASSES) -> Group:
    """Which rows of results. classes: that devices can have failed with."""
    return (
        extra(
            "error_class",
            "--error-class",
            f"Only devices that failed in one of these ways, with commas between them: {', '.join(classes)}.",
            nargs="+",
            action="extend",
        ),
    )


def rows(file_help: str, group: str | None = None) -> Group:
    """Rows of devices as a result or in a file; `file_help` says how the file is written."""
    return (
        extra(
            "columns",
            "--columns",
            "Columns to show, with commas between them; of the devices' twins, too, such as tags.site, "
            "properties.reported.fw, connectionState or displayName. `az config set iotjobs.columns=…` saves a choice. "
            "Default: all but those of twins.",
            group=group,
        ),
        extra("output_file", "--output-file", file_help, group=group),
        extra(
            "format",
            "--format",
            "Format of --output-file. Default: from the ending of its name (.csv, .json, .jsonl or .ndjson); csv if "
            "it has none.",
            group=group,
            arg_type=get_enum_type(["csv", "jsonl", "json"]),
        ),
        extra(
            "overwrite",
            "--overwrite",
            "Replace --output-file if it exists.",
            group=group,
            action="store_true",
        ),
    )


REPORT_FILE: Group = (
    extra(
        "output_file",
        "--output-file",
        "File for the report. Default: stdout, as is -.",
    ),
    extra(
        "format",
        "--format",
        "Format of the report. Default: from the ending of --output-file (.xml, .md, .markdown, .html or .htm); "
        "markdown on stdout.",
        arg_type=get_enum_type(["junit", "markdown", "html"]),
    ),
    extra("overwrite", "--overwrite", "Replace --output-file if it exists.", action="store_true"),
)


def job_details(which: str) -> Group:
    """Whether rows have columns of the job, too. which: the columns."""
    return (
        option(
            "job_details",
            "--job-details",
            f"Add the columns {which}, which are the same in each row.",
            action="store_true",
        ),
    )
