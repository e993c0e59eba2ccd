"""Certificates of simulated devices: from a folder, or issued by a test CA for this run."""

import hashlib
import os
import re
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from azext_iotjobs.cli.hub_access.secret_files import warn_if_others_read
from azext_iotjobs.cli.input.scalars import bytes_of_file
from azext_iotjobs.model.device_credentials import DeviceCertificate
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.identity import SignIn
from azext_iotjobs.model.simulated_devices import shown_ids

FIRST_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9._-]")


class Certificates(Protocol):
    """A source of certificates."""

    kind: SignIn  # how devices with such certificates are registered

    def check(self, device_ids: Iterable[str]) -> None:
        """Raise BadValue unless there is a certificate for each device, or can be one."""

    def thumbprint(self, device_id: str) -> str | None:
        """The thumbprint to register a device with; None: it needs none."""

    def of(self, device_id: str, folder: Path) -> DeviceCertificate:
        """A device's certificate; files that have to be written go into `folder`."""


class CertificateFolder:
    """Existing files: ID-cert.pem and ID-key.pem, as device-identity create writes them, or ID.pem with both."""

    kind = SignIn.THUMBPRINT

    def __init__(self, path: str, passphrase: str | None) -> None:
        self._path = Path(path)
        self._passphrase = passphrase

    def check(self, device_ids: Iterable[str]) -> None:
        missing = [each for each in device_ids if self._files(each) is None]
        if missing:
            raise BadValue(
                f"--certificate-file-path {self._path}: there is no certificate of {shown_ids(missing)}.",
                hint=f"Expected {missing[0]}-cert.pem and {missing[0]}-key.pem, or {missing[0]}.pem with both.",
            )

    def thumbprint(self, device_id: str) -> str | None:
        """The SHA-1 thumbprint, which is what the registry stores."""
        path = self.of(device_id, self._path).certificate_file
        found = FIRST_CERTIFICATE.search(bytes_of_file(path, "--certificate-file-path").decode("ascii", "replace"))
        try:
            der = ssl.PEM_cert_to_DER_cert(found[0] if found else "")
        except ValueError:
            raise BadValue(f"{path} holds no certificate in PEM form.") from None
        return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()

    def of(self, device_id: str, folder: Path) -> DeviceCertificate:
        self.check([device_id])
        certificate, key = self._files(device_id) or ("", "")
        if self._passphrase is None:
            warn_if_others_read(key, "--certificate-file-path")  # of many such files, one is said
        return DeviceCertificate(certificate_file=certificate, key_file=key, passphrase=self._passphrase)

    def _files(self, device_id: str) -> tuple[str, str] | None:
        for stem in dict.fromkeys((device_id, NOT_IN_FILE_NAMES.sub("_", device_id))):
            pair = (self._path / f"{stem}-cert.pem", self._path / f"{stem}-key.pem")
            both = self._path / f"{stem}.pem"
            if all(each.is_file() for each in pair):
                return str(pair[0]), str(pair[1])
            if both.is_file():
                return str(both), str(both)
        return None


class IssuedCertificates:
    """Certificates made for this run, and signed by a CA that the hub knows."""

    kind = SignIn.CA

    def __init__(self, ca_path: str, key_path: str | None, passphrase: str | None) -> None:
        # Imported only when needed: az's `cryptography` loads slowly.
        from azext_iotjobs.cli.simulate.test_ca import Issuer

        named = "--ca-key" if key_path else "--issue-from-ca"
        ca, key = bytes_of_file(ca_path, "--issue-from-ca"), bytes_of_file(key_path or ca_path, named)
        if passphrase is None:
            warn_if_others_read(key_path or ca_path, named)
        self._issuer = Issuer(ca, key, passphrase)

    def check(self, device_ids: Iterable[str]) -> None:
        long = [each for each in device_ids if len(each) > 64]
        if long:
            raise BadValue(
                f"--issue-from-ca: {shown_ids(long)}: a certificate's common name has at most 64 characters (RFC 5280)."
            )

    def thumbprint(self, device_id: str) -> str | None:
        return None

    def of(self, device_id: str, folder: Path) -> DeviceCertificate:
        path = folder / f"{hashlib.sha256(device_id.encode()).hexdigest()}.pem"  # ids may hold what file names may not
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(self._issuer.issue(device_id))
        return DeviceCertificate(certificate_file=str(path), key_file=str(path))
