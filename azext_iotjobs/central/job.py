"""A job or scheduled job of IoT Central's -> a fleet job's definition, with its schedule. Pure.

Source: IoT Central data plane 2022-07-31: Job, ScheduledJob, JobBatch, JobCancellationThreshold.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from azext_iotjobs.central import ids
from azext_iotjobs.central.action import action_of
from azext_iotjobs.central.documents import flag_of, name_of, object_of, others, text_of, type_of
from azext_iotjobs.central.report import MemberList, WantedJob
from azext_iotjobs.central.schedule import schedule_of
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.fleet_job import MAX_DESCRIPTION_CHARACTERS, MAX_NAME_CHARACTERS, Definition, Targets
from azext_iotjobs.model.rollout import BatchSizes, Rollout, Scope, Threshold
from azext_iotjobs.model.schedule import Schedule
from azext_iotjobs.model.share import Share, Unit
from azext_iotjobs.model.text import Text, command

OF_CENTRAL = "a record of IoT Central's: what its job did, no run of a fleet job"
LEFT_OUT = {
    **dict.fromkeys(("status", "progress", "start", "end", "completed"), OF_CENTRAL),
    "organizations": "no counterpart: rights are those of the hub",
    "etag": "of IoT Central's own use",
}
KNOWN = ("id", "displayName", "description", "group", "batch", "cancellationThreshold", "data", "schedule", "enabled")
UNITS = {each.value: each for each in Unit}


def job_of(document: Mapping[str, Any], group: str, members: MemberList) -> WantedJob:
    """The fleet job of a job, or of a scheduled job with its schedule.

    group: the name of its device group here.  members: where each of its members is recorded.  Raises UserError.
    """
    fleet_job_id = _id(document, members)
    display_name = name_of(document, "displayName", MAX_NAME_CHARACTERS)
    description = text_of(document, "description", MAX_DESCRIPTION_CHARACTERS)
    if display_name:
        members.became("displayName", "display name")
    if description:
        members.became("description", "description")
    members.became("group", f"device group {group}")
    definition = Definition(
        action=action_of(document.get("data"), members),
        targets=Targets(group=group),
        rollout=_rollout(document, members),
        display_name=display_name,
        description=description,
    )
    schedule = _schedule(document, fleet_job_id, members) if document.get("schedule") is not None else None
    _leave_out(document, members)
    return WantedJob(fleet_job_id, definition, schedule)


def _id(document: Mapping[str, Any], members: MemberList) -> str:
    central_id = text_of(document, "id", ids.MAX_CENTRAL_ID)
    if not central_id:
        raise BadValue("id is missing: a fleet job is named after it.")
    fleet_job_id = ids.fleet_job_id_of(central_id)
    members.became("id", f"fleet job {fleet_job_id}", "" if central_id == fleet_job_id else ids.RULE)
    return fleet_job_id


def _rollout(document: Mapping[str, Any], members: MemberList) -> Rollout:
    rollout = Rollout()
    if document.get("batch") is not None:
        share = _share(document["batch"], "batch")
        members.became("batch", f"batches of {share}")
        rollout = Rollout(sizes=BatchSizes((share,)))
    if document.get("cancellationThreshold") is None:
        return rollout
    threshold = object_of(document["cancellationThreshold"], "cancellationThreshold")
    share = _share(threshold, "cancellationThreshold", "batch")
    is_of_batch = flag_of(threshold, "batch")
    of_what = "each batch" if is_of_batch else "the run"
    members.became(
        "cancellationThreshold", f"canceled by more than {share} of {of_what}", "uncertain devices count, too"
    )
    scope = Scope.BATCH if is_of_batch else Scope.RUN
    return Rollout(sizes=rollout.sizes, threshold=Threshold(share=share, scope=scope))


def _share(value: object, name: str, *more: str) -> Share:
    """A number or percentage of devices. more: other members that it may have. Raises BadValue."""
    document = object_of(value, name)
    unknown = others(document, ("type", "value", *more))
    if unknown:
        raise BadValue(f"{name} has a member that is not known: {unknown[0][:60]!r}.")
    unit = UNITS.get(document["type"]) if isinstance(document.get("type"), str) else None
    if unit is None:
        raise BadValue(f"{name}.type is none of {', '.join(UNITS)}.")
    number = document.get("value")
    if not isinstance(number, int | float) or isinstance(number, bool):
        raise BadValue(f"{name}.value is {type_of(number)}, and not a number.")
    try:
        return Share(Fraction(str(number)), unit)
    except (BadValue, OverflowError, ValueError) as err:
        raise BadValue(f"{name}.value: {err}") from None


def _schedule(document: Mapping[str, Any], fleet_job_id: str, members: MemberList) -> Schedule | None:
    """The schedule; None for one that IoT Central does not run either."""
    is_enabled = flag_of(document, "enabled")
    if flag_of(document, "completed"):
        members.left_out("schedule", "it has ended")
        return None
    recorded = MemberList()
    schedule = schedule_of(document["schedule"], recorded)
    if is_enabled is False:
        set_it = command("iot hub fleet-job schedule set", fleet_job_id=fleet_job_id)
        members.became("enabled", "no schedule")
        members.left_out("schedule", Text.of("it is not enabled in IoT Central; to have it run: {set}", set=set_it))
        return None
    members.extend(recorded)
    members.became("enabled", "its schedule", "the document does not say it: taken as so" if is_enabled is None else "")
    return schedule


def _leave_out(document: Mapping[str, Any], members: MemberList) -> None:
    for name in others(document, KNOWN):
        members.left_out(name, LEFT_OUT.get(name, "not known"))
