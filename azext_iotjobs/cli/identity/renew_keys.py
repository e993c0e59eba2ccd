"""Handlers of az iot hub device-identity renew-key and module-identity renew-key."""

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.options import ALL
from azext_iotjobs.cli.output.exit_code import end_without_result, leave_with
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.identity_codec import render_renewal_result
from azext_iotjobs.model.errors import ConflictingChoice, IotJobsError
from azext_iotjobs.model.identity import WhichKey
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.text import printable
from azext_iotjobs.operations.identity import renew_keys as operation
from azext_iotjobs.operations.identity.modules import on_device

logger = get_logger(__name__)

MAX_SHOWN = 10  # failures on stderr; the result has all


class RenewalOptions(NamedTuple):
    """How keys are renewed, and what is reported of it."""

    our_key_type: str
    our_no_progress: bool | None = None
    exit_zero: bool = False

    @property
    def which(self) -> WhichKey:
        """Which key to renew."""
        return WhichKey(self.our_key_type)


@takes_option_groups
def renew_devices(
    cmd: Any,
    client: HubClient,
    our_device_ids: list[str],
    our_include_modules: bool = False,
    our_etag: str | None = None,
    *,
    options: RenewalOptions,
) -> dict[str, Any]:
    """Renew the keys of devices."""
    ids = list(dict.fromkeys(our_device_ids))
    if len(ids) == 1 and ALL not in ids and not our_include_modules:
        return _renew_one(client, Address(ids[0]), our_etag, options)
    _check_many(options, our_etag)
    return _renew_many(cmd, client, _of_devices(client, ids, our_include_modules), options)


@takes_option_groups
def renew_modules(
    cmd: Any,
    client: HubClient,
    our_device_id: str,
    our_module_ids: list[str],
    our_etag: str | None = None,
    *,
    options: RenewalOptions,
) -> dict[str, Any]:
    """Renew the keys of a device's modules."""
    ids = list(dict.fromkeys(our_module_ids))
    if len(ids) == 1 and ALL not in ids:
        address = Address(our_device_id, ids[0])
        return on_device(client, our_device_id, lambda: _renew_one(client, address, our_etag, options))
    _check_many(options, our_etag)
    addresses = [Address(our_device_id, each) for each in ids]
    if ALL in ids:
        addresses = on_device(client, our_device_id, lambda: operation.keyed_modules_of(client, our_device_id))
    return _renew_many(cmd, client, addresses, options)


def _renew_one(client: HubClient, address: Address, etag: str | None, options: RenewalOptions) -> dict[str, Any]:
    try:
        return operation.renew(client, address, options.which, etag).document
    except operation.NoKeys as err:
        if options.exit_zero:
            end_without_result(err, Outcome.DEVICES_FAILED, exit_zero=True)
        raise


def _of_devices(client: HubClient, ids: list[str], with_modules: bool) -> Iterable[Address]:
    if ALL in ids:
        yield from operation.keyed_devices(client)
        if with_modules:
            yield from operation.keyed_modules(client)
        return
    for device_id in ids:
        yield Address(device_id)
        if with_modules:
            yield from on_device(client, device_id, partial(operation.keyed_modules_of, client, device_id))


def _check_many(options: RenewalOptions, etag: str | None) -> None:
    if options.which is WhichKey.SWAP:
        raise ConflictingChoice(
            "--key-type swap: keys are swapped for one device or module at a time.",
            hint="Name one, without *, and a device without --include-modules.",
        )
    if etag is not None:
        raise ConflictingChoice("--etag is that of one device or module, but several are named.", hint="Leave it out.")


def _renew_many(cmd: Any, client: HubClient, addresses: Iterable[Address], options: RenewalOptions) -> dict[str, Any]:
    sent = 0

    def on_batch(done: int, total: int) -> None:
        nonlocal sent
        sent = done
        if not options.our_no_progress and total > done:
            logger.warning("%d of %d done.", done, total)

    every = list(addresses)
    if not every:
        logger.warning("No identity here signs in with a key: nothing was renewed.")
    try:
        renewal = operation.renew_many(client, every, options.which, on_batch)
    except IotJobsError:
        if sent:
            last = printable(str(every[sent - 1]))
            logger.warning("Before this error, %d of %d were sent to the hub, up to %s.", sent, len(every), last)
        raise
    for each in renewal.failed[:MAX_SHOWN]:
        logger.warning("Not renewed: %s: %s", printable(str(each.address)), printable(each.reason))
    if renewal.failed:
        logger.warning("%d of %d could not be renewed.", len(renewal.failed), len(every))
        leave_with(cmd, Outcome.DEVICES_FAILED, exit_zero=options.exit_zero)
    return render_renewal_result(options.which, renewal)
