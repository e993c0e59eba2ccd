"""What `-o table` shows of a query. Pure."""

from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.output.cells import cell, time_cell
from azext_iotjobs.cli.output.tables import Row, any_documents, at, twins


def query_rows(documents: Iterable[Any]) -> list[Row]:
    """Whatever a query selected: twins and jobs' records have their views, the rest is flattened."""
    rows = list(documents)
    if rows and all("deviceId" in row and "properties" in row for row in rows):
        return twins(rows)
    if rows and all("deviceId" in row and "jobId" in row for row in rows):
        return device_jobs(rows)
    return any_documents(rows)


def device_jobs(documents: Iterable[Any]) -> list[Row]:
    """Records of devices.jobs, as a query gives them."""
    return [
        {
            "JobId": cell(each.get("jobId")),
            "DeviceId": cell(each.get("deviceId")),
            "ModuleId": cell(each.get("moduleId")),
            "Status": cell(each.get("status")),
            "MethodStatus": cell(at(each, "outcome", "deviceMethodResponse", "status")),
            "Payload": cell(at(each, "outcome", "deviceMethodResponse", "payload")),
            "Error": cell(at(each, "error", "code")),
            "Updated": time_cell(each.get("lastUpdatedDateTimeUtc")),
        }
        for each in documents
    ]
