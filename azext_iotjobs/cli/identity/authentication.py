"""How devices and modules sign in: the options for it -> the registration's `authentication`, or a new identity."""

import os
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.clients.identity_codec import render_sign_in
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, HubAnswer, MissingChoice
from azext_iotjobs.model.identity import Identity, NewIdentity, SignIn, check_keys
from azext_iotjobs.model.late_dataclass import dataclass

if TYPE_CHECKING:
    from azext_iotjobs.clients.hub import HubClient

SIGN_IN = {
    "shared_private_key": SignIn.SAS,
    "x509_thumbprint": SignIn.THUMBPRINT,
    "x509_ca": SignIn.CA,
}
DEFAULT_VALID_DAYS = 365
MOST_VALID_DAYS = 365 * 100
DEFAULT_METHOD = "shared_private_key"
PLACEHOLDER = "0" * 40  # for the thumbprint of a certificate that is made once everything else is checked

Pair = tuple[str | None, str | None]  # primary and secondary


@dataclass(frozen=True)
class AuthenticationOptions:
    """How a device or module signs in, as typed."""

    our_auth_method: str | None = None
    our_primary_key: str | None = field(default=None, repr=False)
    our_secondary_key: str | None = field(default=None, repr=False)
    our_primary_thumbprint: str | None = None
    our_secondary_thumbprint: str | None = None

    @property
    def keys(self) -> Pair:
        """Primary and secondary key."""
        return self.our_primary_key, self.our_secondary_key

    @property
    def thumbprints(self) -> Pair:
        """Primary and secondary thumbprint."""
        return self.our_primary_thumbprint, self.our_secondary_thumbprint

    @property
    def is_typed(self) -> bool:
        """Whether any of them was given."""
        return self != AuthenticationOptions()

    @property
    def is_change(self) -> bool:
        """Whether there is anything to change."""
        return self.our_auth_method is not None or any(self.keys) or any(self.thumbprints)

    def new_identity(
        self, device_id: str, module_id: str | None = None, *, certificate: "NewCertificate | None" = None, **more: Any
    ) -> NewIdentity:
        """A device or module to register, which signs in like this.

        certificate: that is made for it.  more: other members of a NewIdentity.  Raises UserError.
        """
        return NewIdentity(
            device_id=device_id,
            module_id=module_id,
            sign_in=SIGN_IN[self.our_auth_method or DEFAULT_METHOD],
            primary_key=self.our_primary_key,
            secondary_key=self.our_secondary_key,
            primary_thumbprint=self.our_primary_thumbprint if certificate is None else PLACEHOLDER,
            secondary_thumbprint=self.our_secondary_thumbprint,
            **more,
        )


def changed_authentication(now: Identity, typed: AuthenticationOptions) -> dict[str, Any]:
    """The `authentication` member of a registration with what was typed changed.

    now: the registration as it is; the half of a pair that was not typed stays as it is there.
    Raises ConflictingChoice for a key or thumbprint of another method, MissingChoice for half a pair that needs both;
    BadValue.
    """
    known = {each.value: each for each in SignIn}
    kind = SIGN_IN[typed.our_auth_method] if typed.our_auth_method else known.get(now.sign_in)
    if kind is None:
        raise BadValue(f"Device {now.device_id} signs in by {now.sign_in}.", hint="Give --auth-method too.")
    _check_fits(kind, typed)
    keys, thumbprints = typed.keys, typed.thumbprints
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


def _check_fits(kind: SignIn, typed: AuthenticationOptions) -> None:
    if any(typed.keys) and kind is not SignIn.SAS:
        raise ConflictingChoice(
            "--primary-key and --secondary-key can only be used with --auth-method shared_private_key."
        )
    if any(typed.thumbprints) and kind is not SignIn.THUMBPRINT:
        raise ConflictingChoice("Thumbprints can only be used with --auth-method x509_thumbprint.")
    if typed.our_auth_method is None:
        return
    # A method that is typed starts afresh: with half of a pair, the other half would be that of the old method.
    if kind is SignIn.SAS:
        check_keys(*typed.keys)
    if kind is SignIn.THUMBPRINT and not any(typed.thumbprints):
        raise MissingChoice(
            "--auth-method x509_thumbprint needs --primary-thumbprint.",
            hint="Leave --auth-method out to keep what the device has.",
        )


class NewCertificate(NamedTuple):
    """A self-signed certificate to make. It is made last: a refusal leaves no file behind."""

    name: str  # the device's id, or device/module: its common name, and the start of its files' names
    days: int  # that it is valid, 1 to MOST_VALID_DAYS
    folder: Path

    def create(self, client: "HubClient", new: NewIdentity) -> Identity:
        """Make the certificate, and register an identity that signs in with it.

        new: its primary thumbprint is replaced.
        Raises HubAnswer, and BadValue for files that exist or cannot be written.
        """
        from azext_iotjobs.cli.identity.self_signed import write_self_signed  # here: `cryptography` loads slowly

        files = write_self_signed(self.name, self.days, self.folder)
        try:
            return client.identities.create(replace(new, primary_thumbprint=files.thumbprint))
        except HubAnswer:
            files.remove()
            raise


class CertificateOptions(NamedTuple):
    """A self-signed certificate to make, as typed."""

    our_valid_days: int | None = None
    our_output_dir: str | None = None

    def new_certificate(self, name: str, typed: AuthenticationOptions) -> NewCertificate | None:
        """The certificate to make; None when none is wanted.

        name: of the device or module.  typed: how it signs in.
        Raises UserError when the options do not fit together, or the folder does not exist.
        """
        days, folder = self
        if days is None and folder is None:
            return None
        if typed.our_auth_method != "x509_thumbprint" or typed.our_primary_thumbprint is not None:
            raise ConflictingChoice(
                "--valid-days and --output-dir make a certificate: they need --auth-method x509_thumbprint, and no "
                "--primary-thumbprint."
            )
        if folder is None:
            raise MissingChoice(
                "--valid-days makes a certificate, which needs a folder to be written to.", hint="Give --output-dir."
            )
        if not os.path.isdir(folder):
            raise BadValue(f"--output-dir {folder}: there is no such folder.")
        days = at_least(DEFAULT_VALID_DAYS if days is None else days, 1, "--valid-days")
        if days > MOST_VALID_DAYS:
            raise BadValue(f"--valid-days {days}: give at most {MOST_VALID_DAYS}.")
        return NewCertificate(name, days, Path(folder))


def create_identity(client: "HubClient", new: NewIdentity, certificate: NewCertificate | None) -> Identity:
    """Register a device or module, and make its certificate.

    certificate: to make; None: none.  Raises HubAnswer, BadValue.
    """
    return client.identities.create(new) if certificate is None else certificate.create(client, new)
