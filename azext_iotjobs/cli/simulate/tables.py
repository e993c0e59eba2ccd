"""What `-o table` shows of the result of a simulation."""

from collections.abc import Iterable, Mapping
from typing import Any

from azext_iotjobs.cli.output.cells import cell, heading
from azext_iotjobs.cli.output.tables import LONG_CELL, Row, any_documents
from azext_iotjobs.model.text import counted

SHOWN = {"id", "hub", "connected", "devices", "messages", "methods", "expectations", "pid"}  # of one that runs


def simulations(documents: Iterable[Any]) -> list[Row]:
    """Results of simulations: a line for each number."""
    return [
        {heading(name): cell(value, LONG_CELL) for name, value in row.items()}
        for document in documents
        for row in (rows_of(document) if "endedBy" in document else any_documents([document]))
    ]


def running(documents: Iterable[Any]) -> list[Row]:
    """Simulations that run: a line for each. With --query it may be anything."""
    return [
        {heading(name): cell(value, LONG_CELL) for name, value in row.items()}
        for each in documents
        for row in ([_running(each)] if SHOWN <= each.keys() else any_documents([each]))
    ]


def _running(document: Mapping[str, Any]) -> Row:
    verdicts = [each["cameTrue"] for each in document["expectations"]]
    return {
        "id": document["id"],
        "hub": document["hub"],
        "connected": f"{document['connected']} of {document['devices']}",
        "messages/s": document["messages"]["perSecond"],
        "methods/s": document["methods"]["perSecond"],
        "expectations": f"{verdicts.count(True)} of {len(verdicts)} true" if verdicts else "",
        "pid": document["pid"],
    }


def rows_of(document: Mapping[str, Any]) -> Iterable[Row]:
    """A line for each number of a result."""
    devices, messages, methods = document["devices"], document["messages"], document["methods"]
    ready_s = devices["allConnectedAfterSeconds"]
    yield _row("run", document["endedBy"], f"{document['seconds']:.1f} s")
    connected = f"{devices['connectedAtEnd']} of {devices['count']}"
    yield _row("devices", "connected at the end", connected, "" if ready_s is None else f"all after {ready_s:.1f} s")
    acknowledged = f"{messages['acknowledged']} of {messages['sent']}"
    yield _row("messages", "acknowledged", acknowledged, f"{messages['perSecond']}/s")
    for method in methods["byName"]:
        statuses = ", ".join(f"{status}: {count}" for status, count in method["statuses"].items())
        yield _row("method", method["name"], f"{method['answered']} of {method['received']}", statuses)
    for name, seconds in (methods["answerSeconds"] or {}).items():
        yield _row("answers", name, f"{seconds * 1000:.3f} ms")
    for each in document["expectations"]:
        of = f"{each['devicesTrue']} of {counted(each['devicesNeeded'], 'device')}, {each['decidedAfterSeconds']:.1f} s"
        missing = f"; not of {', '.join(each['missing'])}" if each.get("missing") else ""
        yield _row("expectation", each["expectation"], "true" if each["cameTrue"] else "NOT TRUE", of + missing)
    for each in document["trouble"]:
        yield _row("trouble", each["kind"], each["count"], f"{', '.join(each['firstDevices'])}: {each['firstReason']}")


def _row(what: str, name: str, value: Any, detail: str = "") -> Row:
    return {"what": what, "name": name, "value": value, "detail": detail}
