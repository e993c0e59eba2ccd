"""What the model finds wrong with values -> what is wrong with a file: fields are members there, and have a place."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from azext_iotjobs.cli.input.document_members import Given
from azext_iotjobs.cli.input.problems import Problems
from azext_iotjobs.cli.input.yaml_items import Item
from azext_iotjobs.model.errors import UserError
from azext_iotjobs.model.text import Field, parts_of

Made = TypeVar("Made")

# The model's names of fields, and where a file has them.
MEMBERS_OF_FIELDS: Mapping[str, str] = {
    "fleet_job_id": "id",
    "display_name": "displayName",
    "description": "description",
    "method_name": "action.methodName",
    "payload": "action.payload",
    "response_timeout_s": "action.responseTimeoutInSeconds",
    "connect_timeout_s": "action.connectTimeoutInSeconds",
    "success_status": "action.successStatus",
    "patch": "action.twinPatch",
    "query_condition": "targets.queryCondition",
    "device_ids": "targets.deviceIds",
    "exclude": "targets.excluded",
    "limit": "targets.limit",
    "sample_percent": "targets.samplePercent",
    "seed": "targets.seed",
    "max_devices": "targets.maxDevices",
    "batch": "batch",
    "batch_pause_s": "batchPauseSeconds",
    "cancellation_threshold_min_sample": "cancellationThreshold.minSample",
    "retry": "retry.tries",
    "retry_pause_s": "retry.pauseSeconds",
    "retry_growth": "retry.growth",
    "retry_max_pause_s": "retry.longestPauseSeconds",
    "bake": "gates.bakeSeconds",
    "gate_success": "gates.success",
    "gate_query": "gates.query.condition",
    "gate_query_min": "gates.query.min",
    "gate_query_max": "gates.query.max",
    "gate_command": "gates.command.line",
    "gate_command_timeout": "gates.command.timeoutSeconds",
    "gate_command_shell": "gates.command.shell",
    "driver": "delivery.driver",
    "concurrency": "delivery.concurrency",
    "rate": "delivery.rate",
    "max_execution_s": "delivery.jobTimeoutSeconds",
    "when_online": "delivery.whenOnlineSeconds",
    "verify": "verification.condition",
    "verify_failed": "verification.failedCondition",
    "verify_within_s": "verification.withinSeconds",
    "at": "schedule.rule.at",
    "cron": "schedule.rule.cron",
    "once": "schedule.rule.date",
    "weekly": "schedule.rule.weekdays",
    "monthly": "schedule.rule.monthDays",
    "time_zone": "schedule.timeZone",
    "starts": "schedule.starts",
    "ends": "schedule.ends",
    "times": "schedule.times",
    "window": "schedule.window",
    "jitter_s": "schedule.jitterSeconds",
    "catch_up_s": "schedule.catchUpSeconds",
}


class Maker:
    """Makes values of a document's members; what the model finds wrong with them is noted, with its place."""

    def __init__(self, top: Given, problems: Problems) -> None:
        self._top = top
        self._problems = problems

    def made(self, part: Given, make: Callable[[], Made]) -> Made | None:
        """What `make` gives; None where it is wrong. part: what it is made of."""
        return self.tried(part, make) if part.is_fine else None

    def tried(self, part: Given, make: Callable[[], Made], at: str = "") -> Made | None:
        """The same, where what it is made of is fine whatever else is in `part`.

        part: what errors are about that name no field.  at: the member of it that they are about.
        """
        try:
            return make()
        except UserError as err:
            self._note(err, part.place(at))
            return None

    def _note(self, err: UserError, part: Item) -> None:
        path = MEMBERS_OF_FIELDS.get(err.field or "")
        place = part if path is None else self._top.place(path)
        prefix = f"{part.path}: " if path is None and part.path else ""
        self._problems.note(place.misplaced(f"{prefix}{in_words_of_file(err.message)}", hint_of_file(err), path))


def hint_of_file(err: UserError) -> str | None:
    """The hint of an error, unless it is about an option that files have not."""
    if err.hint is None:
        return None
    fields = [each for each in parts_of(err.hint) if isinstance(each, Field)]
    return in_words_of_file(err.hint) if all(each in MEMBERS_OF_FIELDS for each in fields) else None


def in_words_of_file(text: str) -> str:
    """A message or hint with members of a file in the place of fields."""
    return "".join(
        MEMBERS_OF_FIELDS.get(each, each) if isinstance(each, Field) else str(each) for each in parts_of(text)
    )
