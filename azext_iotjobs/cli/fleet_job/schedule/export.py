"""Handler of az iot hub fleet-job schedule export: what has `run-due` called every few minutes. Sends nothing."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.child_process import typed_options
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.schedule import units
from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.fleet_job import check_id
from azext_iotjobs.operations.fleet_job.schedule import saved

logger = get_logger(__name__)

NAME = "iotjobs-run-due"
LONGEST_NAME = 52  # of a CronJob; Kubernetes puts 11 characters behind it
Write = Callable[[units.Calling], list[units.UnitFile]]


class TargetOptions(NamedTuple):
    """Of what the files are: exactly one."""

    systemd: bool = False
    cron: bool = False
    github_actions: bool = False
    azure_pipelines: bool = False
    kubernetes: bool = False

    @property
    def write(self) -> Write:
        """What makes its files. Raises UserError."""
        known: dict[str, Write] = {
            "systemd": units.systemd,
            "cron": units.crontab,
            "github_actions": units.github_actions,
            "azure_pipelines": units.azure_pipelines,
            "kubernetes": units.kubernetes,
        }
        chosen = [name for name, is_typed in zip(self._fields, self, strict=True) if is_typed]
        names = ", ".join(f"--{each.replace('_', '-')}" for each in self._fields)
        if not chosen:
            raise MissingChoice(f"Say what calls it: one of {names}.", hint="--systemd")
        if len(chosen) > 1:
            raise ConflictingChoice(f"Give one of {names}.")
        return known[chosen[0]]


@takes_option_groups
def export(
    cmd: Any,
    client: FleetJobContext,
    fleet_job_id: str | None = None,
    every: str = "5m",
    our_output_dir: str | None = None,
    overwrite: bool = False,
    *,
    target: TargetOptions,
) -> list[dict[str, Any]]:
    """Give the files that have `run-due` called every few minutes, and write them into a folder."""
    if overwrite and our_output_dir is None:
        raise MissingChoice("--overwrite goes with --output-dir.", hint="--output-dir . --overwrite")
    if client.typed("our_login") is not None:
        raise ConflictingChoice("No file has a secret: leave --login out.", hint="Each file says where its own goes.")
    name = NAME
    if fleet_job_id is not None:
        client.check(client.store.definitions.get(check_id(fleet_job_id, "--fleet-job-id")))
        saved.get(client.store, fleet_job_id)
        name = f"{NAME}-{fleet_job_id.replace('.', '-').replace('_', '-')}"[:LONGEST_NAME].rstrip("-")
    only = () if fleet_job_id is None else ("-j", fleet_job_id)
    az = shutil.which("az")
    calling = units.Calling(
        words=("iot", "hub", "fleet-job", "schedule", "run-due", *only, *typed_options(client)),
        az=(os.path.abspath(az),) if az is not None else (sys.executable, "-m", "azure.cli"),
        folder=str(client.state_folder.absolute()),
        store=() if client.team is None else tuple(client.team.options()),
        minutes=units.minutes_of(duration_s(every, "--every")),
        name=name,
    )
    files = target.write(calling)
    if our_output_dir is not None:
        _write(files, our_output_dir, overwrites=overwrite)
    return [{"name": each.name, "content": each.text} for each in files]


def _write(files: list[units.UnitFile], folder: str, *, overwrites: bool) -> None:
    """Write them all, or none where one is there already."""
    paths = [Path(folder) / each.name for each in files]
    present = [str(each) for each in paths if each.exists()]
    if present and not overwrites:
        raise ConflictingChoice(f"{', '.join(present)}: it is there already.", hint="Give --overwrite to replace it.")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path, each in zip(paths, files, strict=True):
            path.write_text(each.text, encoding="utf-8", newline="\n")
            logger.warning("Written: %s", path)
    except OSError as err:
        raise BadValue(f"--output-dir {folder} cannot be written: {err.strerror}.") from err
