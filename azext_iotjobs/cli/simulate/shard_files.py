"""Files with results of shards -> the results, read and checked.

A file holds what `az iot device simulate --shard` has printed, once or several times, with other lines between: so it
may be the log of a pod, or the logs of several in one.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from azext_iotjobs.cli.input import stdin
from azext_iotjobs.cli.input.scalars import bytes_of_file, text_of
from azext_iotjobs.cli.simulate.expectation_texts import parse_expectation
from azext_iotjobs.cli.simulate.shard_record import FORMAT
from azext_iotjobs.model.clock import parse_instant
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, IotJobsError
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.simulated_devices import Shard
from azext_iotjobs.simulator.histogram import LAST_BUCKET

OPTION = "--merge"
HOW_MADE = "It takes what `az iot device simulate --shard` prints with -o json, or the logs of pods that have run it."
COUNTS = (
    "devices.count devices.absent devices.connectedAtEnd devices.gaveUp connects messages.sent messages.acknowledged "
    "methods.received methods.answered twins.desiredChanges twins.reportsSent twins.reportsAccepted "
    "cloudToDeviceMessages"
).split()
MAX_COUNT = 2**63
MAX_SHARDS = 999_999  # of --shard: those that are missing are listed


@dataclass(frozen=True, kw_only=True)
class ShardResult:
    """The result of one shard."""

    shard: Shard
    where: str  # the file, and where several are in it the line, for errors
    document: Mapping[str, Any]  # checked

    @property
    def record(self) -> Mapping[str, Any]:
        """What the result has for merging."""
        found: Mapping[str, Any] = self.document["shard"]
        return found


def read(paths: Sequence[str]) -> list[ShardResult]:
    """The results in files, by the number of their shard. paths: "-" is standard input.

    Raises BadValue for a file without results, and for one that is damaged; ConflictingChoice for results that are not
    of one simulation, and for two of the same shard.
    """
    found = [each for path in paths for each in _in_file(path)]
    _check_alike(found)
    found.sort(key=lambda each: each.shard.number)
    for first, second in zip(found, found[1:], strict=False):
        if first.shard == second.shard:
            raise ConflictingChoice(
                f"{OPTION}: shard {first.shard.number} is there twice: {first.where}, and {second.where}.",
                hint="Give each result once; of a pod that was started again, the last.",
            )
    return found


def _in_file(path: str) -> list[ShardResult]:
    is_stdin = path == stdin.MARK
    name = "standard input" if is_stdin else path
    text = text_of(stdin.read(OPTION) if is_stdin else bytes_of_file(path, OPTION), OPTION, name)
    documents = list(_documents(text, name))
    if not documents:
        raise BadValue(f"{OPTION}: there is no result of a shard in {name}.", hint=HOW_MADE)
    return [
        ShardResult(shard=check(document, where), where=where, document=document)
        for where, document in ((f"{name}, line {line}", document) for line, document in documents)
    ]


def _documents(text: str, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects that begin a line, and the numbers of these lines."""
    decoder = json.JSONDecoder()
    at, number = 0, 1
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        if text[at] == "{":
            try:
                document, end = decoder.raw_decode(text, at)
            except (ValueError, RecursionError) as err:
                raise BadValue(
                    f"{OPTION}: {name} is damaged: in line {number} a result begins that cannot be read "
                    f"({_reason(err)}).",
                    hint="Was it cut off, or written to by two at once? Get it again. " + HOW_MADE,
                ) from None
            yield number, document
            number += text.count("\n", at, end)
            at, end = end, text.find("\n", end) + 1 or len(text)
        number += text.count("\n", at, end)
        at = end


def _reason(err: Exception) -> str:
    return f"line {err.lineno}: {err.msg}" if isinstance(err, json.JSONDecodeError) else "it is nested too deeply"


def check(document: Mapping[str, Any], where: str) -> Shard:
    """The shard of a result whose members are what they should be. Raises BadValue."""
    if "shard" not in document:
        what = "a simulation without --shard" if "endedBy" in document else "something else"
        raise BadValue(f"{OPTION}: {where}: this is the result of {what}.", hint=HOW_MADE)
    try:
        shard = _shard(document["shard"])
        _check_members(document)
        _check_lists(document)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IotJobsError) as err:
        member = f"{err.args[0]} is missing" if isinstance(err, KeyError) else str(err)
        raise BadValue(
            f"{OPTION}: {where}: this result of a shard is damaged: {member}.", hint="Get it again. " + HOW_MADE
        ) from None
    return shard


def _shard(record: Mapping[str, Any]) -> Shard:
    if record["format"] != FORMAT:
        raise ValueError(f"its format is {record['format']!r}, this iotjobs reads {FORMAT}")
    number, total = _count(record, "number"), _count(record, "total")
    if not 1 <= number <= total <= MAX_SHARDS:
        raise ValueError(f"shard {number}/{total}")
    _mapping(record, "options")
    if not isinstance(record["run"], str | None):
        raise TypeError("run is not a text")
    answers = record["answers"]
    for name in ("sumSeconds", "maxSeconds"):
        _number(answers, name)
    for bucket, count in _mapping(answers, "buckets").items():
        if not (bucket.isdecimal() and int(bucket) <= LAST_BUCKET and type(count) is int and 0 < count < MAX_COUNT):
            raise ValueError(f"bucket {bucket[:20]!r} of how long answers took")
    return Shard(number, total)


def _check_members(document: Mapping[str, Any]) -> None:
    for path in COUNTS:
        holder, _, name = path.rpartition(".")
        _count(document[holder] if holder else document, name)
    for name in ("hub", "seed", "endedBy", "startedAt"):
        _text(document, name)
    _number(document, "seconds")
    _check_time(document, document["seconds"])
    if document["devices"]["allConnectedAfterSeconds"] is not None:
        _number(document["devices"], "allConnectedAfterSeconds")
        _check_time(document, document["devices"]["allConnectedAfterSeconds"])
    answers = sum(document["shard"]["answers"]["buckets"].values())
    if answers > document["methods"]["answered"]:
        raise ValueError("more answers were timed than were given")


def _check_time(document: Mapping[str, Any], after_s: float) -> None:
    """Raise what is no time."""
    _ = parse_instant(document["startedAt"]).at + timedelta(seconds=after_s)


def _check_lists(document: Mapping[str, Any]) -> None:
    for each in document["methods"]["byName"]:
        _text(each, "name")
        for name in ("received", "answered"):
            _count(each, name)
        for status in _mapping(each, "statuses"):
            _count(each["statuses"], status)
    for each in document["expectations"]:
        parse_expectation(_text(each, "expectation"))
        _number(each, "decidedAfterSeconds")
        for name in ("devicesNeeded", "devicesTrue"):
            _count(each, name)
        if not isinstance(each["cameTrue"], bool):
            raise TypeError("cameTrue")
        if not each["cameTrue"]:
            _text(each, "reason")
            _count(each, "missingCount")
        _texts(each.get("missing", []), "missing")
    for each in document["trouble"]:
        _text(each, "kind")
        _count(each, "count")
        _texts(each["firstDevices"], "firstDevices")
        if each["firstReason"] is not None:
            _text(each, "firstReason")
    for each in document["gaveUp"]:
        _text(each, "deviceId")
        _text(each, "error")
    if "groups" in document:
        groups = _mapping(document, "groups")
        for group in groups:
            _count(groups, group)
    if document["creation"] is not None:
        _text(document["creation"], "run")
        for name in ("made", "left"):
            _count(document["creation"], name)


def _count(holder: Mapping[str, Any], name: str) -> int:
    value = holder[name]
    if type(value) is not int or not 0 <= value < MAX_COUNT:
        raise TypeError(f"{name} is not a count")
    return value


def _number(holder: Mapping[str, Any], name: str) -> None:
    value = holder[name]
    if type(value) not in (int, float) or not 0 <= value < MAX_COUNT:  # a NaN is no number either
        raise TypeError(f"{name} is not a number")


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a text")
    return value


def _mapping(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = holder[name]
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is not an object")
    return value


def _texts(values: object, name: str) -> None:
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise TypeError(f"{name} is not a list of texts")


def _check_alike(found: Sequence[ShardResult]) -> None:
    """Raise ConflictingChoice unless all are of one simulation."""
    first = found[0]
    for each in found[1:]:
        for what, one, other in _differences(first, each):
            if one != other:
                raise ConflictingChoice(
                    f"{OPTION}: these are not shards of one simulation: {what} is {_shown(one)} in {first.where}, "
                    f"and {_shown(other)} in {each.where}.",
                    hint="Give all shards the same options, and the same --seed, which tells runs apart."
                    if what == "--seed"
                    else "Give the results of one run.",
                )


def _differences(one: ShardResult, other: ShardResult) -> Iterator[tuple[str, Any, Any]]:
    """What has to be the same, in both."""
    yield "the number of shards", one.shard.total, other.shard.total
    yield "the hub", one.document["hub"], other.document["hub"]
    yield "the run", one.record["run"], other.record["run"]
    ours, theirs = one.record["options"], other.record["options"]
    for option in sorted({*ours, *theirs}):
        yield option, ours.get(option), theirs.get(option)
    yield "--seed", one.document["seed"], other.document["seed"]
    yield "what is expected", _expected(one), _expected(other)


def _expected(result: ShardResult) -> list[str]:
    return [each["expectation"] for each in result.document["expectations"]]


def _shown(value: Any) -> str:
    text = "not given" if value is None else json.dumps(value)
    return text if len(text) <= 100 else f"{text[:100]}…"
