"""Renew the keys of one device or module, or of many."""

import base64
import secrets
from collections.abc import Callable, Iterator, Sequence

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.identities import MAX_RENEWED
from azext_iotjobs.clients.identity_codec import render_with_keys
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.identity import Identity, SignIn, WhichKey
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.key_renewal import Renewal
from azext_iotjobs.model.text import Command, Text, command

KEY_BYTES = 32  # as the hub makes them; it takes 16 to 64

KEYED_DEVICES = "SELECT deviceId FROM devices WHERE authenticationType = 'sas'"
KEYED_MODULES = "SELECT deviceId, moduleId, authenticationType FROM devices.modules"
OnBatch = Callable[[int, int], None]  # how many are done, of how many


class NoKeys(BadValue):
    """The device or module does not sign in with keys."""


def renew(client: HubClient, address: Address, which: WhichKey, etag: str | None) -> Identity:
    """Renew or swap the keys of one identity.

    etag: that the registration must still have; None: that of the registration as it is read here, so that a change
    made in between is not overwritten.
    Gives the registration as it is afterwards.
    Raises NoKeys when it does not sign in with keys; HubAnswer, LinkError.
    """
    now = client.identities.get(address.device_id, address.module_id)
    primary, secondary = now.primary_key, now.secondary_key
    if now.sign_in != SignIn.SAS.value or primary is None or secondary is None:
        raise NoKeys(
            f"The {address} has no keys: it signs in by {now.sign_in}.",
            hint=Text(
                "Only identities that sign in with keys (sas) have keys to renew. Show how it signs in: ",
                _show(address),
            ),
        )
    match which:
        case WhichKey.PRIMARY:
            primary = new_key()
        case WhichKey.SECONDARY:
            secondary = new_key()
        case WhichKey.BOTH:
            primary, secondary = new_key(), new_key()
        case WhichKey.SWAP:
            primary, secondary = secondary, primary
    record = render_with_keys(now, primary, secondary)
    return client.identities.replace(address.device_id, record, etag=etag or now.etag, module_id=address.module_id)


def _show(address: Address) -> Command:
    if address.module_id is None:
        return command("iot hub device-identity show", device_id=address.device_id)
    return command("iot hub module-identity show", device_id=address.device_id, module_id=address.module_id)


def renew_many(client: HubClient, addresses: Sequence[Address], which: WhichKey, on_batch: OnBatch) -> Renewal:
    """Have the hub renew the keys of many identities; each succeeds or fails by itself.

    addresses: any number; a request takes MAX_RENEWED of them.  which: not SWAP, which the hub does not do.
    on_batch: called after each request with how many are done, and of how many.
    Raises HubAnswer, LinkError for a whole request; the batches before it are renewed then.
    """
    result = Renewal()
    for start in range(0, len(addresses), MAX_RENEWED):
        batch = addresses[start : start + MAX_RENEWED]
        result += client.identities.renew_keys(which, batch)
        on_batch(start + len(batch), len(addresses))
    return result


def keyed_devices(client: HubClient) -> Iterator[Address]:
    """Every device that signs in with a key, as the hub's query finds them."""
    for row in client.queries.run(KEYED_DEVICES):
        yield Address(str(row["deviceId"]))


def keyed_modules(client: HubClient) -> Iterator[Address]:
    """Every module that signs in with a key, however its device signs in."""
    for row in client.queries.run(KEYED_MODULES):
        if row.get("authenticationType") == SignIn.SAS.value:
            yield Address(str(row["deviceId"]), str(row["moduleId"]))


def keyed_modules_of(client: HubClient, device_id: str) -> list[Address]:
    """The modules of one device that sign in with a key, as the registry has them now."""
    return [each.address for each in client.identities.modules(device_id) if each.sign_in == SignIn.SAS.value]


def new_key() -> str:
    """A fresh key, base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
