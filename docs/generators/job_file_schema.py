"""Write docs/reference/fleet-job.schema.json, for editors, from the tables that files of fleet jobs are read by."""

import json
from pathlib import Path

from azext_iotjobs.cli.fleet_job.job_file.form import json_schema

PATH = Path(__file__).parents[1] / "reference" / "fleet-job.schema.json"


def text() -> str:
    """What the file holds."""
    return json.dumps(json_schema(), indent=2) + "\n"


def write() -> None:
    """Make it anew."""
    PATH.write_text(text(), encoding="utf-8")
