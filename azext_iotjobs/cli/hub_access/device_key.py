"""What a device signs in with over MQTT, as it was typed, or its key from the registry."""

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.device_certificate import DeviceCertificate
from azext_iotjobs.model.errors import ConflictingChoice, MissingChoice
from azext_iotjobs.model.target import DeviceKey, check_key


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


def key_of(client: HubClient, device: str, typed_key: str | None) -> str:
    """The device's key: typed, or the primary one that the registry has. Raises BadValue for a device without keys."""
    if typed_key is not None:
        check_key(typed_key, "--symmetric-key")
        return typed_key
    return client.key_of(device)
