"""Handlers of az iot hub device-identity create | show | list | update | delete and connection-string show."""

from typing import Any

from azext_iotjobs.cli.identity.authentication import (
    SIGN_IN,
    TO_BE_MADE,
    certificate_to_make,
    changed_sign_in,
    connection_string,
)
from azext_iotjobs.cli.identity.host_name_type import AUTO, device_host_for
from azext_iotjobs.cli.input.generic_update import EditOptions, apply_edits, check_edits
from azext_iotjobs.cli.input.limited_query import device_rows
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import MissingChoice
from azext_iotjobs.model.identity import NewIdentity, check_status_reason


def create(
    client: HubClient,
    our_device_id: str,
    sign_in: str = "shared_private_key",
    first_key: str | None = None,
    second_key: str | None = None,
    first_thumbprint: str | None = None,
    second_thumbprint: str | None = None,
    device_status: str = "enabled",
    device_status_reason: str | None = None,
    our_edge_enabled: bool = False,
    parent_scope: str | None = None,
    valid_for_days: int | None = None,
    certificate_dir: str | None = None,
) -> dict[str, Any]:
    """Register a device."""
    certificate = certificate_to_make(our_device_id, sign_in, first_thumbprint, valid_for_days, certificate_dir)
    new = NewIdentity(
        device_id=our_device_id,
        sign_in=SIGN_IN[sign_in],
        primary_key=first_key,
        secondary_key=second_key,
        primary_thumbprint=TO_BE_MADE if certificate else first_thumbprint,
        secondary_thumbprint=second_thumbprint,
        is_edge=our_edge_enabled,
        is_enabled=device_status == "enabled",
        status_reason=device_status_reason,
        parent_scope=parent_scope,
    )
    return (certificate.create(client, new) if certificate else client.identities.create(new)).document


def show(client: HubClient, our_device_id: str) -> dict[str, Any]:
    """Show a device's registration."""
    return client.identities.get(our_device_id).document


def list_identities(client: HubClient, our_edge_enabled: bool = False, our_top: int = 1000) -> list[dict[str, Any]]:
    """List devices. By query, as the reference does: the registry's own list has no pages."""
    return device_rows(client, edge=our_edge_enabled, limit=our_top)


@takes_option_groups
def update(
    client: HubClient,
    our_device_id: str,
    sign_in: str | None = None,
    first_key: str | None = None,
    second_key: str | None = None,
    first_thumbprint: str | None = None,
    second_thumbprint: str | None = None,
    device_status: str | None = None,
    device_status_reason: str | None = None,
    our_edge_enabled: bool | None = None,
    our_etag: str | None = None,
    *,
    edits: EditOptions,
) -> dict[str, Any]:
    """Change a device's registration: read it, change what was named, write it whole."""
    check_status_reason(device_status_reason)
    named = (sign_in, first_key, second_key, first_thumbprint, second_thumbprint, device_status, device_status_reason)
    if all(each is None for each in (*named, our_edge_enabled)) and not edits.is_typed:
        raise MissingChoice("Nothing to update.", hint="Give what is to change, for example --status disabled.")
    check_edits(edits.by_verb, keep_text=edits.our_force_string)
    now = client.identities.get(our_device_id)
    record = apply_edits(now.document, edits.by_verb, keep_text=edits.our_force_string)
    if device_status is not None:
        record["status"] = device_status
    if device_status_reason is not None:
        record["statusReason"] = device_status_reason
    if our_edge_enabled is not None:
        record["capabilities"] = {**record.get("capabilities", {}), "iotEdge": our_edge_enabled}
    keys, thumbprints = (first_key, second_key), (first_thumbprint, second_thumbprint)
    if sign_in is not None or any(keys) or any(thumbprints):
        record["authentication"] = changed_sign_in(now, sign_in, keys, thumbprints)
    # Without an etag of the user's, the one that was just read: what someone else changed meanwhile is not overwritten.
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
