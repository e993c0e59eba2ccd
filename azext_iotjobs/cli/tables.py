"""What `-o table` shows: a command's result -> rows of short cells. Pure, but for the words on stderr.

Strategy: each kind of document has one view; a command that is not in VIEWS gets the general one, which flattens what
it is given. Keys and connection strings are in no table but the one that asks for them.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from knack.log import get_logger

logger = get_logger(__name__)

Row = dict[str, Any]
View = Callable[[Any], list[Row]]

CELL = 40  # characters of a cell that may be longer; a terminal has 80 to 200
LONG_CELL = 80  # of the one cell that a table is about
MAX_COLUMNS = 12
MAX_DEPTH = 3  # of what is flattened; what lies deeper is shown as JSON
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:00)")
NO_TIME = ("9999-", "0001-")  # the hub's ways to say "not yet" and "never"
NOISE = ("$metadata", "$version")
STATISTICS = "deviceJobStatistics"


def table_of(command: str, result: Any) -> Any:
    """The rows that az prints as a table for the result of `command`."""
    if not isinstance(result, dict | list):
        return printable(result)
    documents = [each if isinstance(each, dict) else {"result": each} for each in _listed(result)]
    return printable(_without_empty_columns(VIEWS.get(command, any_documents)(documents)))


def jobs(documents: Iterable[Any]) -> list[Row]:
    """Jobs of either kind; one with a summary is shown as that."""
    return [row for document in documents for row in _job(document)]


def job_rows(documents: Iterable[Any]) -> list[Row]:
    """What jobs did to devices, in the order of columns that was asked for."""
    return [{_heading(name): _value(value) for name, value in document.items()} for document in documents]


def device_jobs(documents: Iterable[Any]) -> list[Row]:
    """Records of devices.jobs, as a query gives them."""
    return [
        {
            "JobId": _cell(each.get("jobId")),
            "DeviceId": _cell(each.get("deviceId")),
            "ModuleId": _cell(each.get("moduleId")),
            "Status": _cell(each.get("status")),
            "MethodStatus": _cell(_at(each, "outcome", "deviceMethodResponse", "status")),
            "Payload": _cell(_at(each, "outcome", "deviceMethodResponse", "payload")),
            "Error": _cell(_at(each, "error", "code")),
            "Updated": _time(each.get("lastUpdatedDateTimeUtc")),
        }
        for each in documents
    ]


def identities(documents: Iterable[Any]) -> list[Row]:
    """Devices, as the registry or a query shows them; without keys."""
    return [
        {
            **_who(each),
            "SignIn": _cell(_at(each, "authentication", "type") or each.get("authenticationType")),
            "Edge": _cell(_at(each, "capabilities", "iotEdge")),
            "LastActivity": _time(each.get("lastActivityTime")),
            "StatusReason": _cell(each.get("statusReason")),
        }
        for each in documents
    ]


def twins(documents: Iterable[Any]) -> list[Row]:
    """Twins: tags and properties in short."""
    return [
        {
            **_who(each),
            "Version": _cell(each.get("version")),
            "Tags": _cell(each.get("tags")),
            "Desired": _cell(_at(each, "properties", "desired")),
            "Reported": _cell(_at(each, "properties", "reported")),
        }
        for each in documents
    ]


def method_answers(documents: Iterable[Any]) -> list[Row]:
    """Answers of devices to a direct method."""
    return [
        {"Status": _cell(each.get("status")), "Payload": _cell(each.get("payload"), LONG_CELL)} for each in documents
    ]


def query_rows(documents: Iterable[Any]) -> list[Row]:
    """Whatever a query selected: twins and jobs' records have their views, the rest is flattened."""
    rows = list(documents)
    if rows and all("deviceId" in row and "properties" in row for row in rows):
        return twins(rows)
    if rows and all("deviceId" in row and "jobId" in row for row in rows):
        return device_jobs(rows)
    return any_documents(rows)


def messages(documents: Iterable[Any]) -> list[Row]:
    """Cloud-to-device messages; the etag settles one."""
    return [
        {
            "Etag": _cell(each.get("etag"), LONG_CELL),
            "MessageId": _cell(_at(each, "properties", "system", "iothub-messageid")),
            "Data": _cell(each.get("data"), LONG_CELL),
            "Properties": _cell(_at(each, "properties", "app")),
            "Ack": _cell(each.get("ack")),
        }
        for each in documents
    ]


def local_hubs(documents: Iterable[Any]) -> list[Row]:
    """Running local hubs, without the key."""
    return [
        {
            "HostName": _cell(each.get("hostName")),
            "HttpsPort": _cell(each.get("httpsPort")),
            "MqttPort": _cell(each.get("mqttPort")),
            "Pid": _cell(each.get("pid")),
            "InMemory": _cell(each.get("inMemory")),
            "Started": _time(each.get("startedAt")),
            "DataDirectory": each.get("dataDirectory"),
        }
        for each in documents
    ]


def whole(documents: Iterable[Any]) -> list[Row]:
    """Documents whose values are there to be copied: nothing is shortened."""
    return [{_heading(name): value for name, value in document.items()} for document in documents]


def any_documents(documents: Iterable[Any]) -> list[Row]:
    """Documents of any kind: inner objects become columns with dots in their names."""
    flat = [dict(_flattened(document, "", 1)) for document in documents]
    names = list(dict.fromkeys(name for row in flat for name in row))
    if len(names) > MAX_COLUMNS:
        logger.warning(
            "The table shows %d of %d columns; choose others with --query, for example --query \"[].{a:%s}\".",
            MAX_COLUMNS, len(names), names[MAX_COLUMNS],
        )  # fmt: skip
    return [{_heading(name): _value(row.get(name)) for name in names[:MAX_COLUMNS]} for row in flat]


VIEWS: Mapping[str, View] = {
    "iot hub job create": jobs,
    "iot hub job wait": jobs,
    "iot hub job show": jobs,
    "iot hub job list": jobs,
    "iot hub job cancel": jobs,
    "iot hub job results": job_rows,
    "iot hub invoke-device-method": method_answers,
    "iot hub query": query_rows,
    "iot hub device-identity create": identities,
    "iot hub device-identity show": identities,
    "iot hub device-identity list": identities,
    "iot hub device-identity update": identities,
    "iot hub device-identity connection-string show": whole,
    "iot hub device-twin show": twins,
    "iot hub device-twin update": twins,
    "iot hub device-twin list": twins,
    "iot device c2d-message receive": messages,
    "iot local-hub start": local_hubs,
    "iot local-hub show": local_hubs,
}


def printable(value: Any) -> Any:
    """The same value with every text fit for a terminal: no control characters, in keys neither."""
    if isinstance(value, str):
        return value if value.isprintable() else "".join(map(_visible, value))
    if isinstance(value, dict):
        return {printable(key): printable(inner) for key, inner in value.items()}
    return [printable(inner) for inner in value] if isinstance(value, list | tuple) else value


def _job(document: Row) -> list[Row]:
    if isinstance(document.get("summary"), dict):
        return _summary(document)
    counts = document.get(STATISTICS) or {}
    row = {
        "JobId": _cell(document.get("jobId"), LONG_CELL),
        "Type": _cell(document.get("type")),
        "Status": _cell(document.get("status")),
        "Start": _time(document.get("startTime") or document.get("startTimeUtc")),
        "End": _time(document.get("endTime") or document.get("endTimeUtc")),
        "Devices": _cell(counts.get("deviceCount")),
        **{name.title(): _cell(counts.get(f"{name}Count")) for name in ("succeeded", "failed", "running", "pending")},
        "Progress": _cell(document.get("progress")),
        "Reason": _cell(document.get("failureReason") or document.get("statusMessage"), LONG_CELL),
    }
    return [row]


def _summary(document: Row) -> list[Row]:
    """The counts of a job's rows, one below the other."""
    summary = document["summary"]
    counted = [
        *(("status", name, count) for name, count in (summary.get("byStatus") or {}).items()),
        *(("error class", name, count) for name, count in (summary.get("byErrorClass") or {}).items()),
        *(
            ("answer", f"{_cell(each.get('status'))} {_cell(each.get('payload'), LONG_CELL)}", each.get("count"))
            for each in summary.get("answers") or ()
        ),
        *([("answer", "others", summary["otherAnswers"])] if summary.get("otherAnswers") else []),
    ]
    return [
        {"JobId": _cell(document.get("jobId"), LONG_CELL), "By": by, "Value": value, "Devices": count}
        for by, value, count in counted
    ]


def _who(document: Row) -> Row:
    return {
        "DeviceId": _cell(document.get("deviceId"), LONG_CELL),
        "ModuleId": _cell(document.get("moduleId")),
        "Status": _cell(document.get("status")),
        "Connection": _cell(document.get("connectionState")),
    }


def _flattened(document: Mapping[str, Any], before: str, depth: int) -> Iterable[tuple[str, Any]]:
    for name, value in document.items():
        if name in NOISE and before:
            continue
        if isinstance(value, dict) and value and depth < MAX_DEPTH:
            yield from _flattened(value, f"{before}{name}.", depth + 1)
        else:
            yield f"{before}{name}", value


def _listed(result: Any) -> list[Any]:
    return result if isinstance(result, list) else [result]


def _without_empty_columns(rows: list[Row]) -> list[Row]:
    """az puts a column where its first value is, and leaves out None: every row has every column, or none has."""
    all_names = dict.fromkeys(name for row in rows for name in row)
    names = [name for name in all_names if any(row.get(name, "") not in ("", None) for row in rows)]
    return [{name: "" if row.get(name) is None else row[name] for name in names} for row in rows]


def _at(document: Any, *path: str) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _heading(name: str) -> str:
    return name[:1].upper() + name[1:CELL]


def _value(value: Any) -> str:
    """A value of which no more is known than what it looks like."""
    if isinstance(value, str) and INSTANT.fullmatch(value):
        return _time(value)
    return _cell(round(value, 3) if isinstance(value, float) else value)


def _cell(value: Any, width: int = CELL) -> str:
    """A value as it stands in a cell: one line, short, JSON for what is no text."""
    if value is None:
        return ""
    if isinstance(value, dict):
        value = {name: inner for name, inner in value.items() if name not in NOISE}
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else ""
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    shown = printable(text[: width + 1])
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def _time(value: Any) -> str:
    """An instant to the second; nothing for what the hub gives when there is none."""
    if not isinstance(value, str) or value.startswith(NO_TIME):
        return ""
    return _cell(f"{value[:19]}Z" if value.endswith(("Z", "+00:00")) else value)


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
