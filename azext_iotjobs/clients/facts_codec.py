"""Wire JSON -> what the registry holds about a device."""

from collections.abc import Mapping
from typing import Any

from azext_iotjobs.model.simulated_devices import DeviceFacts

QUERY = "SELECT deviceId, deviceEtag, connectionState, authenticationType, tags FROM devices"


def parse_facts(row: Mapping[str, Any]) -> DeviceFacts:
    """From the row of a query, or from a twin: both have these members."""
    tags = row.get("tags")
    return DeviceFacts(
        device_id=str(row.get("deviceId")),
        etag=str(row.get("deviceEtag") or ""),
        is_connected=str(row.get("connectionState")).lower() == "connected",
        sign_in=str(row.get("authenticationType")),
        tags=tags if isinstance(tags, dict) else {},
    )
