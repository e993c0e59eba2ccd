"""How a device signs in over MQTT or HTTPS: with what was typed, or with its key from the registry."""

from dataclasses import field

from azext_iotjobs.cli.hub_access.secret_files import warn_if_others_read
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.device_credentials import DeviceCertificate, DeviceKey
from azext_iotjobs.model.errors import ConflictingChoice, MissingChoice
from azext_iotjobs.model.ids import check_file_name
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.target import check_key


@dataclass(frozen=True, kw_only=True)
class SignInOptions:
    """The options that say how a device connects and signs in, as typed; None where nothing was typed."""

    symmetric_key: str | None = field(default=None, repr=False)
    certificate_file_path: str | None = None
    key_file_path: str | None = None
    our_passphrase: str | None = field(default=None, repr=False)
    websocket: bool = False  # MQTT through the HTTPS port

    def __post_init__(self) -> None:
        for option, path in (
            ("--certificate-file-path", self.certificate_file_path),
            ("--key-file-path", self.key_file_path),
        ):
            check_file_name(path or "", option)

    @property
    def names_certificate(self) -> bool:
        """Whether any part of a certificate was typed."""
        return any(each is not None for each in (self.certificate_file_path, self.key_file_path, self.our_passphrase))

    def credential(self, client: HubClient, device: str) -> DeviceKey | DeviceCertificate:
        """What a device signs in with over MQTT.

        Raises MissingChoice for half a certificate, ConflictingChoice for a key and a certificate, and what `key`
        raises.
        """
        if not self.names_certificate:
            return DeviceKey(device_id=device, key=self.key(client, device))
        if self.certificate_file_path is None or self.key_file_path is None:
            raise MissingChoice("A certificate needs both --certificate-file-path and --key-file-path.")
        if self.symmetric_key is not None:
            raise ConflictingChoice("--symmetric-key and --certificate-file-path are two ways to sign in.")
        return self.certificate(self.certificate_file_path, self.key_file_path)

    def certificate(self, certificate_file: str, key_file: str) -> DeviceCertificate:
        """A certificate in files that were named; a warning where others can read a key that has no passphrase."""
        if self.our_passphrase is None:
            warn_if_others_read(key_file, "--key-file-path")
        return DeviceCertificate(certificate_file=certificate_file, key_file=key_file, passphrase=self.our_passphrase)

    def key(self, client: HubClient, device: str) -> str:
        """The device's key: the typed one, or its primary key from the registry.

        Raises BadValue for a typed key that is not one, and for a device without keys; HubAnswer, LinkError.
        """
        if self.symmetric_key is not None:
            check_key(self.symmetric_key, "--symmetric-key")
            return self.symmetric_key
        return client.key_of(device)
