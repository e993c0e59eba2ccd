"""Handlers of az iot hub device-identity renew-key and module-identity renew-key."""

from collections.abc import Iterable
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.exit_code import end_without_result, leave_with
from azext_iotjobs.clients.answer import printable
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.identity_codec import render_renewal_result
from azext_iotjobs.model.errors import ConflictingChoice, IotJobsError
from azext_iotjobs.model.identity import Address, WhichKey
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.operations.identity import renew_keys as operation
from azext_iotjobs.operations.identity.modules import on_device

logger = get_logger(__name__)

ALL = "*"
MAX_TOLD = 10  # of those that could not be renewed; the result has all


def renew_devices(
    cmd: Any,
    client: HubClient,
    devices: list[str],
    renewed_key: str,
    with_modules: bool = False,
    our_etag: str | None = None,
    hides_progress: bool = False,
    exit_zero: bool = False,
) -> dict[str, Any]:
    """Renew the keys of devices."""
    which = WhichKey(renewed_key)
    named = list(dict.fromkeys(devices))
    if len(named) == 1 and ALL not in named and not with_modules:
        return _renew_one(client, Address(named[0]), which, our_etag, always_zero=exit_zero)
    _check_many(which, our_etag)
    addresses = _of_devices(client, named, with_modules)
    return _renew_many(cmd, client, addresses, which, hides_progress, always_zero=exit_zero)


def renew_modules(
    cmd: Any,
    client: HubClient,
    our_device_id: str,
    modules: list[str],
    renewed_key: str,
    our_etag: str | None = None,
    hides_progress: bool | None = None,
    exit_zero: bool = False,
) -> dict[str, Any]:
    """Renew the keys of a device's modules."""
    which = WhichKey(renewed_key)
    named = list(dict.fromkeys(modules))
    if len(named) == 1 and ALL not in named:
        address = Address(our_device_id, named[0])
        return on_device(
            client, our_device_id, lambda: _renew_one(client, address, which, our_etag, always_zero=exit_zero)
        )
    _check_many(which, our_etag)
    if ALL in named:
        addresses = on_device(client, our_device_id, lambda: operation.keyed_modules_of(client, our_device_id))
    else:
        addresses = [Address(our_device_id, each) for each in named]
    return _renew_many(cmd, client, addresses, which, bool(hides_progress), always_zero=exit_zero)


def _renew_one(
    client: HubClient, address: Address, which: WhichKey, if_match: str | None, *, always_zero: bool
) -> dict[str, Any]:
    try:
        return operation.renew(client, address, which, if_match).document
    except operation.NoKeys as err:
        if always_zero:
            end_without_result(err, Outcome.DEVICES_FAILED, exit_zero=True)
        raise


def _of_devices(client: HubClient, named: list[str], with_modules: bool) -> Iterable[Address]:
    if ALL in named:
        yield from operation.keyed_devices(client)
        if with_modules:
            yield from operation.keyed_modules(client)
        return
    for each in named:
        yield Address(each)
        if with_modules:
            yield from on_device(client, each, lambda each=each: operation.keyed_modules_of(client, each))


def _check_many(which: WhichKey, if_match: str | None) -> None:
    if which is WhichKey.SWAP:
        raise ConflictingChoice(
            "--key-type swap: keys are swapped for one device or module at a time.",
            hint="Name one, without *, and a device without --include-modules.",
        )
    if if_match is not None:
        raise ConflictingChoice("--etag is that of one device or module, but more are meant.", hint="Leave it out.")


def _renew_many(
    cmd: Any,
    client: HubClient,
    addresses: Iterable[Address],
    which: WhichKey,
    hides_progress: bool,
    *,
    always_zero: bool,
) -> dict[str, Any]:
    asked_for = 0

    def on_batch(done: int, total: int) -> None:
        nonlocal asked_for
        asked_for = done
        if not hides_progress and total > done:
            logger.warning("%d of %d done.", done, total)

    meant = list(addresses)
    if not meant:
        logger.warning("Nothing signs in with a key here: nothing was renewed.")
    try:
        renewal = operation.renew_many(client, meant, which, on_batch)
    except IotJobsError:
        if asked_for:
            logger.warning("Before this error %d of %d were asked for, up to %s.", asked_for, len(meant),
                           printable(str(meant[asked_for - 1])))  # fmt: skip
        raise
    for each in renewal.failed[:MAX_TOLD]:
        logger.warning("Not renewed: %s: %s", printable(str(each.address)), printable(each.reason))
    if renewal.failed:
        logger.warning("%d of %d could not be renewed.", len(renewal.failed), len(meant))
        leave_with(cmd, Outcome.DEVICES_FAILED, exit_zero=always_zero)
    return render_renewal_result(which, renewal)
