"""Handlers of az iot hub module-identity create | show | list | update | delete and connection-string show."""

from typing import Any

from azext_iotjobs.cli.identity.authentication import SIGN_IN, TO_BE_MADE, certificate_to_make, connection_string
from azext_iotjobs.cli.identity.host_name_type import AUTO, device_host_for
from azext_iotjobs.cli.input.generic_update import EditOptions, apply_edits, check_edits
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import MissingChoice
from azext_iotjobs.model.identity import Identity, NewIdentity
from azext_iotjobs.operations.identity.modules import on_device


def create(
    client: HubClient,
    our_device_id: str,
    our_module_id: str,
    sign_in: str = "shared_private_key",
    first_key: str | None = None,
    second_key: str | None = None,
    first_thumbprint: str | None = None,
    second_thumbprint: str | None = None,
    valid_for_days: int | None = None,
    certificate_dir: str | None = None,
) -> dict[str, Any]:
    """Register a module."""
    name = f"{our_device_id}/{our_module_id}"
    certificate = certificate_to_make(name, sign_in, first_thumbprint, valid_for_days, certificate_dir)
    new = NewIdentity(
        device_id=our_device_id,
        module_id=our_module_id,
        sign_in=SIGN_IN[sign_in],
        primary_key=first_key,
        secondary_key=second_key,
        primary_thumbprint=TO_BE_MADE if certificate else first_thumbprint,
        secondary_thumbprint=second_thumbprint,
    )
    return on_device(
        client,
        our_device_id,
        lambda: certificate.create(client, new) if certificate else client.identities.create(new),
    ).document


def show(client: HubClient, our_device_id: str, our_module_id: str) -> dict[str, Any]:
    """Show a module's registration."""
    return _get(client, our_device_id, our_module_id).document


def list_modules(client: HubClient, our_device_id: str, our_top: int = 1000) -> list[dict[str, Any]]:
    """List a device's modules."""
    if our_top != -1:
        at_least(our_top, 1, "--top")
    found = [
        each.document for each in on_device(client, our_device_id, lambda: client.identities.modules(our_device_id))
    ]
    return found if our_top == -1 else found[:our_top]


@takes_option_groups
def update(
    client: HubClient,
    our_device_id: str,
    our_module_id: str,
    our_etag: str | None = None,
    *,
    edits: EditOptions,
) -> dict[str, Any]:
    """Change a module's registration: read it, change what was named, write it whole."""
    if not edits.is_typed:
        raise MissingChoice("Nothing to update.", hint="Give --set, --add or --remove, for example --set managedBy=me.")
    check_edits(edits.by_verb, keep_text=edits.our_force_string)
    now = _get(client, our_device_id, our_module_id)
    record = apply_edits(now.document, edits.by_verb, keep_text=edits.our_force_string)
    # Without an etag of the user's, the one that was just read: what someone else changed meanwhile is not overwritten.
    return client.identities.replace(our_device_id, record, etag=our_etag or now.etag, module_id=our_module_id).document


def delete(client: HubClient, our_device_id: str, our_module_id: str, our_etag: str | None = None) -> None:
    """Remove a module and its twin."""
    on_device(
        client,
        our_device_id,
        lambda: client.identities.delete(our_device_id, etag=our_etag or "*", module_id=our_module_id),
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


def _get(client: HubClient, device: str, module: str) -> Identity:
    return on_device(client, device, lambda: client.identities.get(device, module))
