"""Handlers of az iot hub module-identity create | show | list | update | delete and connection-string show."""

from typing import Any

from azext_iotjobs.cli.identity.authentication import (
    AuthenticationOptions,
    CertificateOptions,
    create_identity,
)
from azext_iotjobs.cli.identity.connection_strings import AUTO, connection_string, device_host_for
from azext_iotjobs.cli.input.generic_update import EditOptions, apply_edits, check_edits
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import MissingChoice
from azext_iotjobs.model.identity import Identity
from azext_iotjobs.operations.identity.modules import on_device


@takes_option_groups
def create(
    client: HubClient,
    our_device_id: str,
    our_module_id: str,
    *,
    authentication: AuthenticationOptions,
    certificate: CertificateOptions,
) -> dict[str, Any]:
    """Register a module."""
    own_certificate = certificate.new_certificate(f"{our_device_id}/{our_module_id}", authentication)
    new = authentication.new_identity(our_device_id, our_module_id, certificate=own_certificate)
    return on_device(client, our_device_id, lambda: create_identity(client, new, own_certificate)).document


def show(client: HubClient, our_device_id: str, our_module_id: str) -> dict[str, Any]:
    """Show a module's registration."""
    return _get(client, our_device_id, our_module_id).document


def list_modules(client: HubClient, our_device_id: str, our_top: int = 1000) -> list[dict[str, Any]]:
    """List a device's modules."""
    if our_top != -1:
        at_least(our_top, 1, "--top")
    modules = on_device(client, our_device_id, lambda: client.identities.modules(our_device_id))
    documents = [each.document for each in modules]
    return documents if our_top == -1 else documents[:our_top]


@takes_option_groups
def update(
    client: HubClient, our_device_id: str, our_module_id: str, our_etag: str | None = None, *, edits: EditOptions
) -> dict[str, Any]:
    """Change a module's registration: read it, change what was typed, write it whole."""
    if not edits.is_typed:
        raise MissingChoice("Nothing to update.", hint="Give --set, --add or --remove, for example --set managedBy=me.")
    check_edits(edits)
    now = _get(client, our_device_id, our_module_id)
    record = apply_edits(now.document, edits)
    # Without an etag that was typed, that of the record just read: a change made meanwhile is not overwritten.
    etag = our_etag or now.etag
    return client.identities.replace(our_device_id, record, etag=etag, module_id=our_module_id).document


def delete(client: HubClient, our_device_id: str, our_module_id: str, our_etag: str | None = None) -> None:
    """Remove a module and its twin."""
    etag = our_etag or "*"
    on_device(
        client, our_device_id, lambda: client.identities.delete(our_device_id, etag=etag, module_id=our_module_id)
    )


def show_connection_string(
    client: HubClient,
    our_device_id: str,
    our_module_id: str,
    our_key_type: str = "primary",
    our_hostname_type: str = AUTO,
) -> dict[str, str]:
    """Show the connection string with which a module signs in."""
    host = device_host_for(client.target, our_hostname_type)
    return connection_string(host, _get(client, our_device_id, our_module_id), our_key_type)


def _get(client: HubClient, device_id: str, module_id: str) -> Identity:
    return on_device(client, device_id, lambda: client.identities.get(device_id, module_id))
