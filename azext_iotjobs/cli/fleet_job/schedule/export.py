"""Handler of az iot hub fleet-job schedule export: what has `run-due` called every few minutes. Sends nothing.

Files are in the result, and written into a folder when one is named. A manifest of Kubernetes is printed as it is, so
that it can be piped to kubectl, unless a folder is named.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.child_process import typed_options
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.schedule import pipelines, units, workloads
from azext_iotjobs.cli.fleet_job.schedule.workloads import Pods
from azext_iotjobs.cli.fleet_job.team_store import LOGIN
from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.option_groups import typed_options as typed_options_of
from azext_iotjobs.cli.output import kubernetes
from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.fleet_job.store.postgres.place import is_near, parse_place
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.fleet_job import check_id
from azext_iotjobs.operations.fleet_job.schedule import saved

logger = get_logger(__name__)

EVERY = "5m"
NAME = "iotjobs-run-due"
LONGEST_NAME = 52  # of a CronJob; Kubernetes puts 11 characters behind it
SECRET = "iotjobs-hub"
DIGEST_DIGITS = 6
Write = Callable[[units.Calling], list[units.UnitFile]]


class TargetOptions(NamedTuple):
    """Of what the files are: exactly one."""

    systemd: bool = False
    cron: bool = False
    github_actions: bool = False
    azure_pipelines: bool = False
    kubernetes: bool = False

    @property
    def write(self) -> Write | None:
        """What makes its files; None: it is for a cluster. Raises UserError."""
        known: dict[str, Write] = {
            "systemd": units.systemd,
            "cron": units.crontab,
            "github_actions": pipelines.github_actions,
            "azure_pipelines": pipelines.azure_pipelines,
        }
        chosen = [name for name, is_typed in zip(self._fields, self, strict=True) if is_typed]
        names = ", ".join(f"--{each.replace('_', '-')}" for each in self._fields)
        if not chosen:
            raise MissingChoice(f"Say what calls it: one of {names}.", hint="--systemd")
        if len(chosen) > 1:
            raise ConflictingChoice(f"Give one of {names}.")
        return known.get(chosen[0])

    @property
    def is_elsewhere(self) -> bool:
        """Whether what is exported runs on another machine."""
        return self.github_actions or self.azure_pipelines or self.kubernetes


class PodOptions(NamedTuple):
    """Of what runs on a cluster."""

    image: str | None = None
    secret_name: str | None = None
    loop: bool = False

    def check_alone(self) -> None:
        """Raise ConflictingChoice where something else than a cluster is meant."""
        typed = next(typed_options_of(**self._asdict()), None)
        if typed is not None:
            raise ConflictingChoice(f"{typed} is for --kubernetes.")


@takes_option_groups
def export(
    cmd: Any,
    client: FleetJobContext,
    fleet_job_id: str | None = None,
    every: str | None = None,
    our_output_dir: str | None = None,
    overwrite: bool = False,
    *,
    target: TargetOptions,
    pods: PodOptions,
) -> list[dict[str, Any]] | None:
    """Give the files that have `run-due` called every few minutes, and write them into a folder.

    Without a folder, a manifest of Kubernetes is printed, and there is no result.
    """
    if overwrite and our_output_dir is None:
        raise MissingChoice("--overwrite goes with --output-dir.", hint="--output-dir . --overwrite")
    if client.typed("our_login") is not None:
        raise ConflictingChoice("No file has a secret: leave --login out.", hint="Each file says where its own goes.")
    write = target.write
    if client.team is not None and target.is_elsewhere and is_near(parse_place(client.team.url), os.environ):
        logger.warning(
            "The store %s is on this machine: what is exported runs elsewhere, and needs its name there.",
            parse_place(client.team.url).shown,
        )
    if fleet_job_id is not None:
        client.check(client.store.definitions.get(check_id(fleet_job_id, "--fleet-job-id")))
        saved.get(client.store, fleet_job_id)
    only = () if fleet_job_id is None else ("-j", fleet_job_id)
    words = ("iot", "hub", "fleet-job", "schedule", "run-due", *only, *typed_options(client))
    if write is None:
        if client.typed("auth_type") == "login":
            raise ConflictingChoice("--auth-type login: nobody is signed in where a pod runs; its secret has a key.")
        if client.team is not None and client.team.auth == LOGIN:
            raise ConflictingChoice(
                "--store-auth login: nobody is signed in where a pod runs; its secret has a password.",
                hint="--store-auth password",
            )
        found = _pods(words, fleet_job_id, every, pods)._replace(in_database=client.team is not None)
        return _export_pods(found, our_output_dir, overwrites=overwrite)
    pods.check_alone()
    az = shutil.which("az")
    calling = units.Calling(
        words=words,
        az=(os.path.abspath(az),) if az is not None else (sys.executable, "-m", "azure.cli"),
        folder=str(client.state_folder.absolute()),
        team=client.team,
        minutes=_minutes(every),
        name=_unit_name(fleet_job_id),
    )
    return _given(write(calling), our_output_dir, overwrites=overwrite)


def _minutes(every: str | None) -> int:
    return units.minutes_of(duration_s(EVERY if every is None else every, "--every"))


def _unit_name(fleet_job_id: str | None) -> str:
    if fleet_job_id is None:
        return NAME
    return f"{NAME}-{fleet_job_id.replace('.', '-').replace('_', '-')}"[:LONGEST_NAME].rstrip("-")


def _object_name(fleet_job_id: str | None) -> str:
    """Another one for each fleet job, as one object would replace the other: fw.7 and fw-7 are two."""
    name = _unit_name(fleet_job_id)
    if fleet_job_id is None or name == f"{NAME}-{fleet_job_id}":
        return name
    digest = hashlib.sha256(fleet_job_id.encode()).hexdigest()[:DIGEST_DIGITS]
    return f"{name[: LONGEST_NAME - DIGEST_DIGITS - 1].rstrip('-')}-{digest}"


def _pods(words: tuple[str, ...], fleet_job_id: str | None, every: str | None, options: PodOptions) -> Pods:
    if options.loop and every is not None:
        raise ConflictingChoice("--every is how often a CronJob calls it; with --loop it looks every half minute.")
    calling = units.Calling(words=words, az=(), folder="", minutes=_minutes(every), name="")
    return Pods(
        name=_object_name(fleet_job_id),
        image=kubernetes.image_of(options.image),
        secret=kubernetes.check_name(options.secret_name or SECRET, "--secret-name"),
        words=(*words, "--loop") if options.loop else words,
        cron=None if options.loop else calling.cron,
    )


def _export_pods(pods: Pods, folder: str | None, *, overwrites: bool) -> list[dict[str, Any]] | None:
    """Print a manifest, or write it into a folder."""
    text = kubernetes.manifest(workloads.comment(pods), workloads.objects(pods))
    logger.warning("The policy needs the rights to %s.", units.RIGHTS.partition(";")[0])
    logger.warning("%s", kubernetes.secret_command(pods.secret, pods.variables))
    if folder is None:
        wrote(sys.stdout, text)
        return None
    return _given([units.UnitFile(f"{pods.name}.yaml", text)], folder, overwrites=overwrites)


def _given(files: list[units.UnitFile], folder: str | None, *, overwrites: bool) -> list[dict[str, Any]]:
    """The files as a result; written, where a folder is named."""
    if folder is not None:
        _write(files, folder, overwrites=overwrites)
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
