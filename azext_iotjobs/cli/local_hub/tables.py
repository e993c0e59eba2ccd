"""What `-o table` shows of local hubs. Pure."""

from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.output.cells import cell, time_cell
from azext_iotjobs.cli.output.tables import Row


def local_hubs(documents: Iterable[Any]) -> list[Row]:
    """Running local hubs, without the key."""
    return [
        {
            "HostName": cell(each.get("hostName")),
            "HttpsPort": cell(each.get("httpsPort")),
            "MqttPort": cell(each.get("mqttPort")),
            "AmqpPort": cell(each.get("amqpPort")),
            "Pid": cell(each.get("pid")),
            "InMemory": cell(each.get("inMemory")),
            "Started": time_cell(each.get("startedAt")),
            "DataDirectory": each.get("dataDirectory"),
        }
        for each in documents
    ]


def faults(documents: Iterable[Any]) -> list[Row]:
    """Faults: what goes wrong, where, how often it has."""
    return [
        {
            "Id": cell(each.get("id")),
            "Kind": cell(each.get("kind")),
            "Operation": cell(each.get("operation")),
            "Device": cell(each.get("device")),
            "Where": cell(each.get("route") or each.get("method")),
            "Times": cell(each.get("times")),
            "Percent": cell(each.get("percent")),
            "ForSeconds": cell(each.get("forSeconds")),
            "Applied": cell(each.get("appliedCount")),
            "Active": cell(each.get("active")),
        }
        for each in documents
    ]
