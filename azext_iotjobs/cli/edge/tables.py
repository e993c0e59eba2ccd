"""What `-o table` shows of the modules of an edge device. Pure."""

from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.output.cells import cell
from azext_iotjobs.cli.output.tables import Row, at, who


def modules(documents: Iterable[Any]) -> list[Row]:
    """Modules, as the registry shows them; without keys."""
    return [
        {
            **who(each),
            "SignIn": cell(at(each, "authentication", "type")),
            "ManagedBy": cell(each.get("managedBy")),
        }
        for each in documents
    ]
