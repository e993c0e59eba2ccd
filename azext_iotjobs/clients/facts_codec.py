"""Wire JSON -> what the registry shows of a device, from a row of a query or a twin."""

from collections.abc import Mapping
from typing import Any

from azext_iotjobs.model.simulated_devices import DeviceFacts

QUERY = "SELECT deviceId, deviceEtag, connectionState, authenticationType, tags FROM devices"


def parse_facts(row: Mapping[str, Any]) -> DeviceFacts:
    """A row, or a twin: both have these members."""
    tags = row.get("tags")
    return DeviceFacts(
        device_id=str(row.get("deviceId")),
        etag=str(row.get("deviceEtag") or ""),
        is_connected=str(row.get("connectionState")).lower() == "connected",
        sign_in=str(row.get("authenticationType")),
        tags=tags if isinstance(tags, dict) else {},
    )
