"""What `-o table` shows of devices and modules. Pure."""

from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.input.display_name import noted_display_name
from azext_iotjobs.cli.output.cells import cell, time_cell
from azext_iotjobs.cli.output.tables import Row, at, who


def identities(documents: Iterable[Any]) -> list[Row]:
    """Devices, as the registry or a query shows them; without keys."""
    return [
        {
            "DeviceId": "",  # the first column
            "DisplayName": cell(noted_display_name(each)),
            **who(each),
            "SignIn": cell(at(each, "authentication", "type") or each.get("authenticationType")),
            "Edge": cell(at(each, "capabilities", "iotEdge")),
            "LastActivity": time_cell(each.get("lastActivityTime")),
            "StatusReason": cell(each.get("statusReason")),
        }
        for each in documents
    ]
