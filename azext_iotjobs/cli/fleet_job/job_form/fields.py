"""Fields of a form that is a fleet job: texts as somebody types them <-> members of a file of fleet jobs.

A field is called as the member it is, such as gates.bakeSeconds. What is allowed is decided where files are read.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from azext_iotjobs.cli.fleet_job.definition_options import parse_labels
from azext_iotjobs.cli.input.device_selection import listed
from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.cli.input.strict_json import NotAllowed, parse_json
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.ids import in_lists
from azext_iotjobs.model.rollout import parse_retry_classes
from azext_iotjobs.model.share import Unit, parse_share
from azext_iotjobs.model.text import shown_duration

NUMBER = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,30})?")
YES, NO = "true", "false"


class Kind(NamedTuple):
    """How members of a kind are typed."""

    member: Callable[[str, str], Any]  # of a text and the field's name, for errors. Raises BadValue
    text: Callable[[Any], str]  # of a member


def _number(text: str, _name: str) -> Any:
    """The number; another text as it is, which is refused where members are read."""
    if not NUMBER.fullmatch(text.strip()):
        return text
    return float(text) if "." in text else int(text)


def _json(text: str, name: str) -> Any:
    try:
        return parse_json(text)
    except NotAllowed as err:
        raise BadValue(f"{name}: {err}.") from err
    except json.JSONDecodeError as err:  # no shell has been at it: what is wrong with an option may say so
        raise BadValue(f"{name} is not JSON: {err.msg} (line {err.lineno}, column {err.colno}).") from err


def _json_text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _duration_text(seconds: float) -> str:
    is_whole = seconds == int(seconds)
    return shown_duration(seconds) if is_whole else f"{_decimal(seconds)}s"


def _decimal(number: float) -> str:
    """A number without an exponent."""
    return f"{Decimal(str(number)):f}"


def _threshold(text: str, name: str) -> dict[str, Any]:
    share = parse_share(text, name)
    return {"type": share.unit.value, "value": float(share.value)}


def _share_text(document: Mapping[str, Any]) -> str:
    return f"{_decimal(document['value'])}{'%' if document['type'] == Unit.PERCENT.value else ''}"


def _yes(text: str, _name: str) -> Any:
    return {YES: True, NO: False}.get(text, text)


def _words(text: str, _name: str) -> list[str]:
    return [each.strip() for each in text.split(",")]


def _joined(words: list[Any]) -> str:
    return ",".join(map(str, words))


TEXT = Kind(lambda text, _: text, str)
NUMBERS = Kind(_number, _decimal)
JSON = Kind(_json, _json_text)
SECONDS = Kind(duration_s, _duration_text)
SHARES = Kind(lambda text, _: text.strip(), _share_text)
SIZES = Kind(_words, lambda sizes: ",".join(map(_share_text, sizes)))
THRESHOLD = Kind(_threshold, _share_text)
YES_NO = Kind(_yes, lambda value: YES if value else NO)
WORDS = Kind(_words, _joined)
IDS = Kind(lambda text, name: list(listed(text, name)), lambda ids: ",".join(map(in_lists, ids)))
LABELS = Kind(
    lambda text, name: parse_labels(text.splitlines(), name),
    lambda labels: "\n".join(f"{name}={value}" for name, value in labels.items()),
)
TRIES = Kind(
    parse_retry_classes,
    lambda tries: ",".join(f"{name}={count}" for name, count in tries.items()),
)

FIELDS: Mapping[str, Kind] = {
    "id": TEXT,
    "displayName": TEXT,
    "description": TEXT,
    "labels": LABELS,
    "action.methodName": TEXT,
    "action.payload": JSON,
    "action.responseTimeoutInSeconds": NUMBERS,
    "action.connectTimeoutInSeconds": NUMBERS,
    "action.successStatus": TEXT,
    "action.twinPatch.tags": JSON,
    "action.twinPatch.properties.desired": JSON,
    "action.content": JSON,
    "targets.queryCondition": TEXT,
    "targets.deviceIds": IDS,
    "targets.group": TEXT,
    "targets.ofRun": JSON,
    "targets.excluded": IDS,
    "targets.limit": NUMBERS,
    "targets.samplePercent": NUMBERS,
    "targets.seed": NUMBERS,
    "targets.maxDevices": NUMBERS,
    "batch": SIZES,
    "batchPauseSeconds": SECONDS,
    "cancellationThreshold": THRESHOLD,
    "cancellationThreshold.batch": YES_NO,
    "cancellationThreshold.minSample": NUMBERS,
    "cancellationThreshold.errorClasses": WORDS,
    "cancellationThreshold.action": TEXT,
    "retry.tries": TRIES,
    "retry.pauseSeconds": SECONDS,
    "retry.growth": NUMBERS,
    "retry.longestPauseSeconds": SECONDS,
    "retry.when": TEXT,
    "gates.success": SHARES,
    "gates.bakeSeconds": SECONDS,
    "gates.manual": YES_NO,
    "gates.query.condition": TEXT,
    "gates.query.min": SHARES,
    "gates.query.max": SHARES,
    "gates.command.line": TEXT,
    "gates.command.timeoutSeconds": SECONDS,
    "gates.command.shell": YES_NO,
    "delivery.driver": TEXT,
    "delivery.concurrency": NUMBERS,
    "delivery.rate": NUMBERS,
    "delivery.jobTimeoutSeconds": NUMBERS,
    "delivery.methodConnectTimeoutSeconds": NUMBERS,
    "delivery.methodResponseTimeoutSeconds": NUMBERS,
    "delivery.whenOnlineSeconds": SECONDS,
    "verification.condition": TEXT,
    "verification.withinSeconds": SECONDS,
    "verification.failedCondition": TEXT,
    "schedule.rule.frequency": TEXT,
    "schedule.rule.at": TEXT,
    "schedule.rule.date": TEXT,
    "schedule.rule.weekdays": WORDS,
    "schedule.rule.monthDays": WORDS,
    "schedule.rule.cron": TEXT,
    "schedule.timeZone": TEXT,
    "schedule.starts": TEXT,
    "schedule.ends": TEXT,
    "schedule.times": NUMBERS,
    "schedule.window": TEXT,
    "schedule.jitterSeconds": SECONDS,
    "schedule.missed": TEXT,
    "schedule.catchUpSeconds": SECONDS,
    "schedule.overlap": TEXT,
}
# An empty one of these is said to be so where members are read; any other is as good as left out.
NEEDED = (
    *("id", "action.methodName", "action.content", "targets.queryCondition", "targets.deviceIds", "schedule.timeZone"),
)
FOR_PEOPLE = ("displayName", "description")  # they hold any text, blanks too
