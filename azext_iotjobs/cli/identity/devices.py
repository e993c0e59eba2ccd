"""Handlers of az iot hub device-identity create | show | list | update | delete and connection-string show."""

from typing import Any, NamedTuple

from azext_iotjobs.cli.identity.authentication import (
    AuthenticationOptions,
    CertificateOptions,
    changed_authentication,
    create_identity,
)
from azext_iotjobs.cli.identity.connection_strings import AUTO, connection_string, device_host_for
from azext_iotjobs.cli.input import display_name
from azext_iotjobs.cli.input.generic_update import EditOptions, apply_edits, check_edits
from azext_iotjobs.cli.input.limited_query import device_rows
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import MissingChoice
from azext_iotjobs.model.identity import check_status_reason


class StatusOptions(NamedTuple):
    """Whether a device may connect, and why not, as typed."""

    our_status: str | None = None  # enabled or disabled
    our_status_reason: str | None = None


@takes_option_groups
def create(
    client: HubClient,
    our_device_id: str,
    our_edge_enabled: bool = False,
    our_device_scope: str | None = None,
    *,
    authentication: AuthenticationOptions,
    status: StatusOptions,
    certificate: CertificateOptions,
) -> dict[str, Any]:
    """Register a device."""
    own_certificate = certificate.new_certificate(our_device_id, authentication)
    new = authentication.new_identity(
        our_device_id,
        certificate=own_certificate,
        is_edge=our_edge_enabled,
        is_enabled=status.our_status != "disabled",
        status_reason=status.our_status_reason,
        parent_scope=our_device_scope,
    )
    return create_identity(client, new, own_certificate).document


def show(client: HubClient, our_device_id: str) -> dict[str, Any]:
    """Show a device's registration."""
    return client.identities.get(our_device_id).document


def list_identities(
    cmd: Any, client: HubClient, our_edge_enabled: bool = False, our_top: int = 1000
) -> list[dict[str, Any]]:
    """List devices. By a query, as azure-iot does: the registry's own list has no pages."""
    display_name.note(cmd.cli_ctx)
    return device_rows(client, edge=our_edge_enabled, limit=our_top)


@takes_option_groups
def update(
    client: HubClient,
    our_device_id: str,
    our_edge_enabled: bool | None = None,
    our_etag: str | None = None,
    *,
    authentication: AuthenticationOptions,
    status: StatusOptions,
    edits: EditOptions,
) -> dict[str, Any]:
    """Change a device's registration: read it, change what was typed, write it whole."""
    check_status_reason(status.our_status_reason)
    is_typed = authentication.is_typed or status != StatusOptions() or our_edge_enabled is not None or edits.is_typed
    if not is_typed:
        raise MissingChoice("Nothing to update.", hint="Give what is to change, for example --status disabled.")
    check_edits(edits)
    now = client.identities.get(our_device_id)
    record = apply_edits(now.document, edits)
    if status.our_status is not None:
        record["status"] = status.our_status
    if status.our_status_reason is not None:
        record["statusReason"] = status.our_status_reason
    if our_edge_enabled is not None:
        record["capabilities"] = {**record.get("capabilities", {}), "iotEdge": our_edge_enabled}
    if authentication.is_change:
        record["authentication"] = changed_authentication(now, authentication)
    # Without an etag that was typed, that of the record just read: a change made meanwhile is not overwritten.
    return client.identities.replace(our_device_id, record, etag=our_etag or now.etag).document


def delete(client: HubClient, our_device_id: str, our_etag: str | None = None) -> None:
    """Remove a device and its twin."""
    client.identities.delete(our_device_id, etag=our_etag or "*")


def show_connection_string(
    client: HubClient, our_device_id: str, our_key_type: str = "primary", our_hostname_type: str = AUTO
) -> dict[str, str]:
    """Show the connection string with which a device signs in."""
    host = device_host_for(client.target, our_hostname_type)
    return connection_string(host, client.identities.get(our_device_id), our_key_type)
