"""What `-o table` shows of messages. Pure."""

from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.output.cells import cell
from azext_iotjobs.cli.output.tables import LONG_CELL, Row, at


def messages(documents: Iterable[Any]) -> list[Row]:
    """Cloud-to-device messages; the etag settles one."""
    return [
        {
            "Etag": cell(each.get("etag"), LONG_CELL),
            "MessageId": cell(at(each, "properties", "system", "iothub-messageid")),
            "Data": cell(each.get("data"), LONG_CELL),
            "Properties": cell(at(each, "properties", "app")),
            "Ack": cell(each.get("ack")),
        }
        for each in documents
    ]
