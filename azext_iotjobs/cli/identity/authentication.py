"""How devices and modules sign in: what was typed about it -> values, and the connection string that they are given."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from azext_iotjobs.cli.identity.unreadable import say_if_unreadable
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.clients.identity_codec import render_sign_in
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, HubAnswer, MissingChoice
from azext_iotjobs.model.identity import Identity, NewIdentity, SignIn, check_keys

if TYPE_CHECKING:
    from azext_iotjobs.clients.hub import HubClient

SIGN_IN = {
    "shared_private_key": SignIn.SAS,
    "x509_thumbprint": SignIn.THUMBPRINT,
    "x509_ca": SignIn.CA,
}
DEFAULT_VALID_DAYS = 365
MOST_VALID_DAYS = 365 * 100
TO_BE_MADE = "0" * 40  # stands for a thumbprint until all else is known to fit


def connection_string(host: str, identity: Identity, which_key: str) -> dict[str, str]:
    """The connection string with which a device or module signs in, as a command's result; said when none can read it.

    which_key: primary or secondary.  Raises BadValue when it has no such key.
    """
    # Without a port: devices dial fixed ports, and their SDKs refuse a HostName that has one.
    start = f"HostName={host};DeviceId={identity.device_id}"
    if identity.module_id is not None:
        start += f";ModuleId={identity.module_id}"
    if identity.sign_in in (SignIn.THUMBPRINT.value, SignIn.CA.value):
        text = f"{start};x509=true"
    else:
        text = f"{start};SharedAccessKey={key_of(identity, which_key)}"
    say_if_unreadable(text, {"DeviceId": identity.device_id, "ModuleId": identity.module_id})
    return {"connectionString": text}


def key_of(identity: Identity, which_key: str) -> str:
    """One of the keys of a device or module. Raises BadValue when it has none."""
    key = identity.primary_key if which_key == "primary" else identity.secondary_key
    if key is None:
        raise BadValue(f"The {identity.address} has no {which_key} key: it signs in by {identity.sign_in}.")
    return key


def changed_sign_in(
    now: Identity,
    sign_in: str | None,
    keys: tuple[str | None, str | None],
    thumbprints: tuple[str | None, str | None],
) -> dict[str, Any]:
    """The `authentication` member with what was named changed; the half of a pair that was not named stays."""
    known = {each.value: each for each in SignIn}
    kind = SIGN_IN[sign_in] if sign_in else known.get(now.sign_in)
    if kind is None:
        raise BadValue(f"Device {now.device_id} signs in by {now.sign_in}.", hint="Give --auth-method too.")
    if any(keys) and kind is not SignIn.SAS:
        raise ConflictingChoice("--primary-key and --secondary-key go with --auth-method shared_private_key only.")
    if any(thumbprints) and kind is not SignIn.THUMBPRINT:
        raise ConflictingChoice("Thumbprints go with --auth-method x509_thumbprint only.")
    if sign_in is not None:
        _check_whole(kind, keys, thumbprints)
    if kind is SignIn.SAS:
        keys = (keys[0] or now.primary_key, keys[1] or now.secondary_key)
        check_keys(*keys)
    if kind is SignIn.THUMBPRINT:
        old = now.document.get("authentication", {}).get("x509Thumbprint") or {}
        thumbprints = (
            thumbprints[0] or old.get("primaryThumbprint"),
            thumbprints[1] or old.get("secondaryThumbprint"),
        )
        if not thumbprints[0]:
            raise MissingChoice("Signing in by a certificate's thumbprint needs --primary-thumbprint.")
    return render_sign_in(kind, keys=keys, thumbprints=thumbprints)


def _check_whole(
    kind: SignIn, keys: tuple[str | None, str | None], thumbprints: tuple[str | None, str | None]
) -> None:  # fmt: skip
    """Raise MissingChoice unless what --auth-method begins anew is given whole: half of it may be half of the old."""
    if kind is SignIn.SAS:
        check_keys(*keys)
    if kind is SignIn.THUMBPRINT and not any(thumbprints):
        raise MissingChoice(
            "--auth-method x509_thumbprint needs --primary-thumbprint.",
            hint="Leave --auth-method out to keep what the device has.",
        )


class CertificateToMake(NamedTuple):
    """A self-signed certificate that is asked for. It is made last: a refusal leaves no file behind."""

    name: str  # the device's id, or device/module: its common name; made fit, the start of its files' names
    days: int
    folder: Path

    def create(self, client: "HubClient", new: NewIdentity) -> Identity:
        """Register what signs in with it. Raises HubAnswer, and BadValue for files that are there or cannot be made."""
        from azext_iotjobs.cli.identity.self_signed import write_self_signed

        files = write_self_signed(self.name, self.days, self.folder)
        try:
            return client.identities.create(replace(new, primary_thumbprint=files.thumbprint))
        except HubAnswer:
            files.remove()
            raise


def certificate_to_make(
    name: str, sign_in: str, thumbprint: str | None, valid_days: int | None, folder: str | None
) -> CertificateToMake | None:
    """The certificate that --valid-days and --output-dir ask for; None without them. Raises UserError."""
    if valid_days is None and folder is None:
        return None
    if sign_in != "x509_thumbprint" or thumbprint is not None:
        raise ConflictingChoice(
            "--valid-days and --output-dir make a certificate: they go with --auth-method x509_thumbprint, without "
            "--primary-thumbprint."
        )
    if folder is None:
        raise MissingChoice(
            "--valid-days makes a certificate, but there is no folder to keep it in.", hint="Give --output-dir."
        )
    if not Path(folder).is_dir():
        raise BadValue(f"--output-dir {folder}: there is no such folder.")
    days = at_least(DEFAULT_VALID_DAYS if valid_days is None else valid_days, 1, "--valid-days")
    if days > MOST_VALID_DAYS:
        raise BadValue(f"--valid-days {days}: give at most {MOST_VALID_DAYS}.")
    return CertificateToMake(name, days, Path(folder))
