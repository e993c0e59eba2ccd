"""Handlers of az iot hub device-identity export | import: jobs of the hub that use containers for blobs."""

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from azext_iotjobs.cli.hub_access.az_login import AzLogin, az_login
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.job import JobType
from azext_iotjobs.model.registry_transfer import RegistryTransfer

SYSTEM_IDENTITY = "[system]"
MAX_URI_CHARACTERS = 8192
LOCAL_URI = '"$(az iot local-hub show --query containerUri -o tsv)"'


class StorageIdentity(NamedTuple):
    """How the hub signs in to the storage account, as typed."""

    our_identity: str | None = None
    our_storage_authentication_type: str | None = None  # deprecated

    @property
    def is_used(self) -> bool:
        """Whether it signs in with an identity, not by a signature in the URI."""
        return self.our_identity is not None or self.our_storage_authentication_type == "identity"

    @property
    def user_identity(self) -> str | None:
        """The resource id of the identity; None: the hub's own."""
        return None if self.our_identity == SYSTEM_IDENTITY else self.our_identity

    def check(self) -> None:
        """Raise ConflictingChoice for two answers to one question."""
        if self.our_identity is not None and self.our_storage_authentication_type == "key":
            raise ConflictingChoice("Give either --identity or --storage-authentication-type key, not both.")


class OutputContainer(NamedTuple):
    """The container of an export, as typed."""

    our_blob_container_uri: str | None = None
    our_storage_account_name: str | None = None
    our_blob_container_name: str | None = None


class ImportContainers(NamedTuple):
    """The containers of an import, as typed."""

    our_input_blob_container_uri: str | None = None
    our_input_storage_account_name: str | None = None
    our_input_blob_container_name: str | None = None
    our_output_blob_container_uri: str | None = None
    our_output_storage_account_name: str | None = None
    our_output_blob_container_name: str | None = None


class _Typed(NamedTuple):
    """One container, as typed, and how its options are spelled."""

    options: tuple[str, str, str]  # URI, storage account, container
    uri: str | None
    account: str | None
    container: str | None

    def check(self, client: HubClient) -> None:
        """Raise UserError unless the container is named in one way that the hub can use."""
        uri, account, container = self.options
        named = f"Give {uri}, or {account} with {container}."
        if self.uri is not None:
            if self.account is not None or self.container is not None:
                raise ConflictingChoice(f"{uri} and {account} or {container} are both given.", hint=named)
            return
        if client.target.is_local:
            raise MissingChoice(
                f"A local hub reads and writes containers of its own only: {uri} is needed.",
                hint=f"Give {uri} {LOCAL_URI}",
            )
        if self.account is None or self.container is None:
            raise MissingChoice("No container is given.", hint=named)


@takes_option_groups
def export_devices(
    cmd: Any,
    client: HubClient,
    our_include_keys: bool = False,
    *,
    output: OutputContainer,
    identity: StorageIdentity,
) -> dict[str, Any]:
    """Have the hub export its registry."""
    identity.check()
    typed = _Typed(("--blob-container-uri", "--storage-account", "--blob-container"), *output)
    typed.check(client)
    transfer = RegistryTransfer(
        kind=JobType.EXPORT,
        output_uri=_uri_of(typed, az_login(cmd.cli_ctx), identity),
        includes_keys=bool(our_include_keys),
        is_by_identity=identity.is_used,
        user_identity=identity.user_identity,
    )
    return client.jobs.create_v1(transfer).document


@takes_option_groups
def import_devices(
    cmd: Any, client: HubClient, *, containers: ImportContainers, identity: StorageIdentity
) -> dict[str, Any]:
    """Have the hub import devices."""
    identity.check()
    source, log = (
        _Typed((f"--{which}-blob-container-uri", f"--{which}-storage-account", f"--{which}-blob-container"), *given)
        for which, given in (("input", containers[:3]), ("output", containers[3:]))
    )
    source.check(client)
    log.check(client)
    login = az_login(cmd.cli_ctx)
    transfer = RegistryTransfer(
        kind=JobType.IMPORT,
        input_uri=_uri_of(source, login, identity),
        output_uri=_uri_of(log, login, identity),
        is_by_identity=identity.is_used,
        user_identity=identity.user_identity,
    )
    return client.jobs.create_v1(transfer).document


def _uri_of(typed: _Typed, login: AzLogin, identity: StorageIdentity) -> str:
    if typed.uri is not None:
        return container_uri(typed.uri, typed.options[0], needs_signature=not identity.is_used)
    from azext_iotjobs.cli.hub_access.storage_accounts import container_uri as looked_up

    assert typed.account is not None and typed.container is not None  # checked
    now: datetime | None = None if identity.is_used else SystemClock().now()
    return looked_up(login, typed.account, typed.container, signed_at=now)


def container_uri(given: str, option: str, *, needs_signature: bool) -> str:
    """A container's URI.

    given: the URI, or the path of a file with it.  option: its name, for errors, which do not show the URI.
    needs_signature: False where the hub signs in with an identity.
    Raises BadValue.
    """
    text = given.strip()
    if not text.startswith("https:"):
        text = _content_of(text, option)
    try:
        parts = urlsplit(text)
        is_address = parts.scheme == "https" and bool(parts.hostname) and len(parts.path) > 1
    except ValueError:
        is_address = False
    if not is_address or len(text) > MAX_URI_CHARACTERS or not text.isprintable() or " " in text:
        raise BadValue(
            f"{option} is not the URI of a container.", hint="It has the form https://ACCOUNT…/CONTAINER?SIGNATURE."
        )
    if needs_signature and "sig=" not in parts.query:
        raise BadValue(
            f"{option} has no signature (SAS): the hub could not use the container.",
            hint="Give the URI with its signature, or --identity with an identity that may use the container.",
        )
    return text


def _content_of(path: str, option: str) -> str:
    try:
        with open(Path(path), encoding="utf-8-sig") as file:
            return file.read(MAX_URI_CHARACTERS + 1).strip()
    except (OSError, ValueError):
        raise BadValue(
            f"{option} is neither a URI that begins with https: nor a file that can be read.",
            hint="Give the container's URI with its signature, in quotes: it holds &.",
        ) from None
