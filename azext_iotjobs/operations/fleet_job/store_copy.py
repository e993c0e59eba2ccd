"""Fleet jobs from one store into another, with all versions, runs, results and schedules."""

from collections.abc import Sequence
from typing import NamedTuple

from azext_iotjobs.fleet_job.store.sql.copying import RowCopier
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.model.errors import ConflictingChoice, RunUnfinished
from azext_iotjobs.model.text import Text, command


class CopiedJob(NamedTuple):
    """What was copied of a fleet job."""

    fleet_job_id: str
    host: str
    run_count: int
    has_schedule: bool


def copy_jobs(source: SqlStore, target: SqlStore, fleet_job_ids: Sequence[str] = ()) -> list[CopiedJob]:
    """Copy fleet jobs, each whole or not at all; and the device groups of their hubs.

    fleet_job_ids: which; (): all.  A schedule is removed in `source`: two stores would start each occurrence twice.
    Raises NotFound; ConflictingChoice for an id or a group that `target` has already; RunUnfinished where a run has
    not ended.
    In each case no fleet job is copied.
    """
    jobs = [source.definitions.get(each) for each in dict.fromkeys(fleet_job_ids)] or source.definitions.list_all()
    for job in jobs:
        target.definitions.check_unused(job.fleet_job_id)
        for run in source.runs.list_all(job.fleet_job_id):
            if not run.state.has_ended:  # two stores could both go on with it
                raise RunUnfinished(
                    f"{run.name} is {run.state.value}: it can be copied once it has ended.",
                    hint=Text("End it: ", command("iot hub fleet-job cancel", fleet_job_id=job.fleet_job_id)),
                )
    hosts = {each.host for each in jobs}
    groups = [each for each in source.groups.list_all() if each.host in hosts]
    there = {(each.host, each.name): each.condition for each in target.groups.list_all()}
    for group in groups:
        if there.get((group.host, group.name), group.condition) != group.condition:
            raise ConflictingChoice(
                f"The other store has a device group {group.name!r} of {group.host} with another condition.",
                hint=Text(
                    "Delete or change one of them: ", command("iot hub fleet-job group update", group=group.name)
                ),
            )
    for group in groups:
        target.groups.save(group.host, group.name, group.condition)
    copier = RowCopier(source.database, target.database)
    copied = []
    for job in jobs:
        has_schedule = source.schedules.get(job.fleet_job_id) is not None
        copier.copy(job.fleet_job_id)
        if has_schedule:
            source.schedules.remove(job.fleet_job_id)
        copied.append(CopiedJob(job.fleet_job_id, job.host, len(target.runs.list_all(job.fleet_job_id)), has_schedule))
    return copied
