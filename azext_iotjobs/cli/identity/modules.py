"""Handlers of az iot hub module-identity create | show | list | update | delete and connection-string show."""

from typing import Any

from azext_iotjobs.cli.identity.authentication import SIGN_IN, TO_BE_MADE, certificate_to_make, connection_string
from azext_iotjobs.cli.identity.host_name_type import AUTO, device_host_for
from azext_iotjobs.cli.input.generic_update import Edit, apply_edits, check_edits
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import MissingChoice
from azext_iotjobs.model.identity import Identity, NewIdentity
from azext_iotjobs.operations.identity.modules import on_device


def create(
    client: HubClient,
    device: str,
    module: str,
    sign_in: str = "shared_private_key",
    first_key: str | None = None,
    second_key: str | None = None,
    first_thumbprint: str | None = None,
    second_thumbprint: str | None = None,
    valid_for_days: int | None = None,
    certificate_dir: str | None = None,
) -> dict[str, Any]:
    """Register a module."""
    name = f"{device}/{module}"
    certificate = certificate_to_make(name, sign_in, first_thumbprint, valid_for_days, certificate_dir)
    new = NewIdentity(
        device_id=device,
        module_id=module,
        sign_in=SIGN_IN[sign_in],
        primary_key=first_key,
        secondary_key=second_key,
        primary_thumbprint=TO_BE_MADE if certificate else first_thumbprint,
        secondary_thumbprint=second_thumbprint,
    )
    return on_device(
        client,
        device,
        lambda: certificate.create(client, new) if certificate else client.identities.create(new),
    ).document


def show(client: HubClient, device: str, module: str) -> dict[str, Any]:
    """Show a module's registration."""
    return _get(client, device, module).document


def list_modules(client: HubClient, device: str, limit: int = 1000) -> list[dict[str, Any]]:
    """List a device's modules."""
    if limit != -1:
        at_least(limit, 1, "--top")
    found = [each.document for each in on_device(client, device, lambda: client.identities.modules(device))]
    return found if limit == -1 else found[:limit]


def update(
    client: HubClient,
    device: str,
    module: str,
    if_match: str | None = None,
    set_edits: list[Edit] | None = None,
    add_edits: list[Edit] | None = None,
    remove_edits: list[Edit] | None = None,
    as_string: bool = False,
) -> dict[str, Any]:
    """Change a module's registration: read it, change what was named, write it whole."""
    edits = {"set": set_edits, "add": add_edits, "remove": remove_edits}
    if not any(edits.values()):
        raise MissingChoice("Nothing to update.", hint="Give --set, --add or --remove, for example --set managedBy=me.")
    check_edits(edits, keep_text=as_string)
    now = _get(client, device, module)
    record = apply_edits(now.document, edits, keep_text=as_string)
    # Without an etag of the user's, the one that was just read: what someone else changed meanwhile is not overwritten.
    return client.identities.replace(device, record, etag=if_match or now.etag, module_id=module).document


def delete(client: HubClient, device: str, module: str, if_match: str | None = None) -> None:
    """Remove a module and its twin."""
    on_device(client, device, lambda: client.identities.delete(device, etag=if_match or "*", module_id=module))


def show_connection_string(
    client: HubClient, device: str, module: str, which_key: str = "primary", host_kind: str = AUTO
) -> dict[str, str]:
    """Show the connection string with which a module signs in."""
    host = device_host_for(client.target, host_kind)
    return connection_string(host, _get(client, device, module), which_key)


def _get(client: HubClient, device: str, module: str) -> Identity:
    return on_device(client, device, lambda: client.identities.get(device, module))
