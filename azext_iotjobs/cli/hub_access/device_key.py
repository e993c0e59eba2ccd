"""What a device signs in with over MQTT, as it was typed, or its key from the registry."""

from azext_iotjobs.cli.message.receive import key_of
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.device_credentials import DeviceCertificate, DeviceKey
from azext_iotjobs.model.errors import ConflictingChoice, MissingChoice


def credential_of(
    client: HubClient,
    device: str,
    *,
    device_key: str | None,
    certificate_path: str | None,
    key_path: str | None,
    passphrase: str | None,
) -> DeviceKey | DeviceCertificate:
    """Raises MissingChoice for half a certificate, ConflictingChoice for two ways, what `key_of` raises."""
    if certificate_path is None and key_path is None and passphrase is None:
        return DeviceKey(device_id=device, key=key_of(client, device, device_key))
    if certificate_path is None or key_path is None:
        raise MissingChoice("A certificate needs both --certificate-file-path and --key-file-path.")
    if device_key is not None:
        raise ConflictingChoice("--symmetric-key and --certificate-file-path are two ways to sign in.")
    return DeviceCertificate(certificate_file=certificate_path, key_file=key_path, passphrase=passphrase)
