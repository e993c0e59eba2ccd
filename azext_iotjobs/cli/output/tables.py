"""What `-o table` shows: a command's result -> rows of short cells. Pure, but for the words on stderr.

Strategy: each kind of document has one view; a command that is not in VIEWS gets the general one, which flattens what
it is given. Keys and connection strings are in no table but the one that asks for them.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.tables import VIEWS as FLEET_JOB_VIEWS
from azext_iotjobs.cli.output.cells import NOISE, cell, heading, printable, time_cell, value_cell
from azext_iotjobs.cli.output.table_fitting import fitted
from azext_iotjobs.cli.simulate.tables import rows_of
from azext_iotjobs.model.ids import in_lists
from azext_iotjobs.model.job import JobType

logger = get_logger(__name__)

Row = dict[str, Any]
View = Callable[[Any], list[Row]]

LONG_CELL = 80  # of the one cell that a table is about
MAX_COLUMNS = 12
MAX_DEPTH = 3  # of what is flattened; what lies deeper is shown as JSON
STATISTICS = "deviceJobStatistics"


def table_of(command: str, result: Any) -> Any:
    """The rows that az prints as a table for the result of `command`."""
    if not isinstance(result, dict | list):
        return printable(result)
    documents = [each if isinstance(each, dict) else {"result": each} for each in _listed(result)]
    rows = printable(_without_empty_columns(VIEWS.get(command, any_documents)(documents)))
    return rows if VIEWS.get(command) is whole else fitted(rows, command)


def jobs(documents: Iterable[Any]) -> list[Row]:
    """Jobs of either kind; one with a summary is shown as that."""
    return [row for document in documents for row in _job(document)]


def job_rows(documents: Iterable[Any]) -> list[Row]:
    """What jobs did to devices, in the order of columns that was asked for."""
    return [{heading(name): value_cell(value) for name, value in document.items()} for document in documents]


def device_jobs(documents: Iterable[Any]) -> list[Row]:
    """Records of devices.jobs, as a query gives them."""
    return [
        {
            "JobId": cell(each.get("jobId")),
            "DeviceId": cell(each.get("deviceId")),
            "ModuleId": cell(each.get("moduleId")),
            "Status": cell(each.get("status")),
            "MethodStatus": cell(_at(each, "outcome", "deviceMethodResponse", "status")),
            "Payload": cell(_at(each, "outcome", "deviceMethodResponse", "payload")),
            "Error": cell(_at(each, "error", "code")),
            "Updated": time_cell(each.get("lastUpdatedDateTimeUtc")),
        }
        for each in documents
    ]


def identities(documents: Iterable[Any]) -> list[Row]:
    """Devices, as the registry or a query shows them; without keys."""
    return [
        {
            **_who(each),
            "SignIn": cell(_at(each, "authentication", "type") or each.get("authenticationType")),
            "Edge": cell(_at(each, "capabilities", "iotEdge")),
            "LastActivity": time_cell(each.get("lastActivityTime")),
            "StatusReason": cell(each.get("statusReason")),
        }
        for each in documents
    ]


def twins(documents: Iterable[Any]) -> list[Row]:
    """Twins: tags and properties in short."""
    return [
        {
            **_who(each),
            "Version": cell(each.get("version")),
            "Tags": cell(each.get("tags")),
            "Desired": cell(_at(each, "properties", "desired")),
            "Reported": cell(_at(each, "properties", "reported")),
        }
        for each in documents
    ]


def reruns(documents: Iterable[Any]) -> list[Row]:
    """The jobs of reruns, each with its parent."""
    rows: list[Row] = []
    for document in documents:
        if document.get("dryRun"):
            rows += _plan(document)
        for job in document.get("jobs") or ():
            rows += [{"ParentJobId": cell(document.get("parentJobId"), LONG_CELL), **row} for row in _job(job)]
    return rows


def method_answers(documents: Iterable[Any]) -> list[Row]:
    """Answers of devices to a direct method: one's alone, a row for each of many, or equal ones as one."""
    answers = list(documents)
    if any("deviceId" in each for each in answers):
        return job_rows(answers)
    if any("devices" in each or "dryRun" in each for each in answers):
        return [row for each in answers for row in (_plan(each) if each.get("dryRun") else any_documents([each]))]
    return [{"Status": cell(each.get("status")), "Payload": cell(each.get("payload"), LONG_CELL)} for each in answers]


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
            "Etag": cell(each.get("etag"), LONG_CELL),
            "MessageId": cell(_at(each, "properties", "system", "iothub-messageid")),
            "Data": cell(each.get("data"), LONG_CELL),
            "Properties": cell(_at(each, "properties", "app")),
            "Ack": cell(each.get("ack")),
        }
        for each in documents
    ]


def local_hubs(documents: Iterable[Any]) -> list[Row]:
    """Running local hubs, without the key."""
    return [
        {
            "HostName": cell(each.get("hostName")),
            "HttpsPort": cell(each.get("httpsPort")),
            "MqttPort": cell(each.get("mqttPort")),
            "Pid": cell(each.get("pid")),
            "InMemory": cell(each.get("inMemory")),
            "Started": time_cell(each.get("startedAt")),
            "DataDirectory": each.get("dataDirectory"),
        }
        for each in documents
    ]


def simulations(documents: Iterable[Any]) -> list[Row]:
    """Runs of simulated fleets: a line for each number."""
    return [
        {heading(name): cell(value, LONG_CELL) for name, value in row.items()}
        for document in documents
        for row in (rows_of(document) if "endedBy" in document else any_documents([document]))
    ]


def whole(documents: Iterable[Any]) -> list[Row]:
    """Documents whose values are there to be copied: nothing is shortened."""
    return [{heading(name): value for name, value in document.items()} for document in documents]


def any_documents(documents: Iterable[Any]) -> list[Row]:
    """Documents of any kind: inner objects become columns with dots in their names."""
    flat = [dict(_flattened(document, "", 1)) for document in documents]
    names = list(dict.fromkeys(name for row in flat for name in row))
    if len(names) > MAX_COLUMNS:
        logger.warning(
            "The table shows %d of %d columns; choose others with --query, for example --query \"[].{a:%s}\".",
            MAX_COLUMNS, len(names), names[MAX_COLUMNS],
        )  # fmt: skip
    return [{heading(name): value_cell(row.get(name)) for name in names[:MAX_COLUMNS]} for row in flat]


VIEWS: Mapping[str, View] = {
    **FLEET_JOB_VIEWS,
    "iot hub fleet-job results": job_rows,
    "iot hub job create": jobs,
    "iot hub job wait": jobs,
    "iot hub job copy": jobs,
    "iot hub job rerun": reruns,
    "iot hub job show": jobs,
    "iot hub job list": jobs,
    "iot hub job cancel": jobs,
    "iot hub job results": job_rows,
    "iot hub invoke-device-method": method_answers,
    "iot hub invoke-module-method": method_answers,
    "iot hub query": query_rows,
    "iot hub device-identity create": identities,
    "iot hub device-identity show": identities,
    "iot hub device-identity list": identities,
    "iot hub device-identity update": identities,
    "iot hub device-identity connection-string show": whole,
    "iot hub module-identity create": identities,
    "iot hub module-identity show": identities,
    "iot hub module-identity list": identities,
    "iot hub module-identity update": identities,
    "iot hub module-identity connection-string show": whole,
    "iot hub connection-string show": whole,
    "iot hub generate-sas-token": whole,
    "iot hub module-twin show": twins,
    "iot hub module-twin update": twins,
    "iot hub module-twin replace": twins,
    "iot hub device-twin replace": twins,
    "iot hub device-twin show": twins,
    "iot hub device-twin update": twins,
    "iot hub device-twin list": twins,
    "iot device c2d-message receive": messages,
    "iot device simulate": simulations,
    "iot local-hub start": local_hubs,
    "iot local-hub show": local_hubs,
}


def _plan(document: Row) -> list[Row]:
    """What --dry-run gives."""
    return [
        {
            "Hub": cell(document.get("hub")),
            "Devices": cell(document.get("deviceCount")),
            "Sample": cell(", ".join(in_lists(str(each)) for each in document.get("sample") or ()), LONG_CELL),
            "NotRegistered": cell(document.get("notRegisteredCount")),
        }
    ]


def _job(document: Row) -> list[Row]:
    if document.get("dryRun"):
        return _plan(document)
    if isinstance(document.get("summary"), dict):
        return _summary(document)
    counts = document.get(STATISTICS) or {}
    row = {
        "JobId": cell(document.get("jobId"), LONG_CELL),
        "Type": cell(document.get("type")),
        "Status": cell(document.get("status")),
        "Start": time_cell(document.get("startTime") or document.get("startTimeUtc")),
        "End": time_cell(document.get("endTime") or document.get("endTimeUtc")),
        "Devices": cell(counts.get("deviceCount")),
        **_succeeded(document, counts),
        **{name.title(): cell(counts.get(f"{name}Count")) for name in ("failed", "running", "pending")},
        "Progress": cell(document.get("progress")),
        "Reason": cell(document.get("failureReason") or document.get("statusMessage"), LONG_CELL),
    }
    return [row]


def _succeeded(document: Row, counts: Row) -> Row:
    """What a hub counts as succeeded is, of a method, a device that has answered, whatever status it answered with."""
    name = "Answered" if document.get("type") == JobType.METHOD.value else "Succeeded"
    return {"Answered": "", "Succeeded": "", name: cell(counts.get("succeededCount"))}


def _summary(document: Row) -> list[Row]:
    """The counts of a job's rows, one below the other."""
    summary = document["summary"]
    counted = [
        *(("status", name, count) for name, count in (summary.get("byStatus") or {}).items()),
        *(("error class", name, count) for name, count in (summary.get("byErrorClass") or {}).items()),
        *(
            ("answer", f"{cell(each.get('status'))} {cell(each.get('payload'), LONG_CELL)}", each.get("count"))
            for each in summary.get("answers") or ()
        ),
        *([("answer", "others", summary["otherAnswers"])] if summary.get("otherAnswers") else []),
    ]
    return [
        {"JobId": cell(document.get("jobId"), LONG_CELL), "By": by, "Value": value, "Devices": count}
        for by, value, count in counted
    ]


def _who(document: Row) -> Row:
    return {
        "DeviceId": cell(document.get("deviceId"), LONG_CELL),
        "ModuleId": cell(document.get("moduleId")),
        "Status": cell(document.get("status")),
        "Connection": cell(document.get("connectionState")),
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
