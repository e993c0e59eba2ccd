"""ConfigurationsClient: /devices/{id}/applyConfigurationContent."""

from typing import Any

from azext_iotjobs.clients.request_parts import identity_path
from azext_iotjobs.clients.response import document
from azext_iotjobs.transport.http import Request, Transport


class ConfigurationsClient:
    """One method, one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def apply(self, device_id: str, content: dict[str, Any], *, waits_out_throttling: bool = True) -> None:
        """Set what the modules of an edge device are to be, all of them. Raises HubAnswer, LinkError.

        content: `modulesContent`, as the hub takes it.
        waits_out_throttling: False gives Throttled at once, for who makes many calls.
        """
        post = Request(
            method="POST",
            path=f"{identity_path(device_id)}/applyConfigurationContent",
            body=content,
            has_body=True,
            waits_out_throttling=waits_out_throttling,
        )
        document(self._transport.send(post))
