"""Microsoft Entra for programs: any object with azure-identity's `get_token` -> our credential. Imports no azure."""

from datetime import datetime, timezone
from typing import Protocol

from azext_iotjobs.model.entra import AUDIENCE, US_GOVERNMENT_AUDIENCE, AadLogin, BearerToken
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import Field, Text

US_GOVERNMENT_SUFFIX = ".azure-devices.us"


class AccessToken(Protocol):
    """What `get_token` returns, such as azure.core.credentials.AccessToken."""

    @property
    def token(self) -> str:
        """The token itself."""

    @property
    def expires_on(self) -> int:
        """When it expires, as Unix seconds."""


class TokenCredential(Protocol):
    """A source of tokens, such as any synchronous credential of azure-identity."""

    def get_token(self, *scopes: str) -> AccessToken:
        """A token for `scopes`. Called again, from any thread, when the last one has less than a minute left."""


def entra_login(credential: TokenCredential, host: str) -> AadLogin:
    """The credential for a hub's transport. Raises BadValue for an object without `get_token`."""
    if not callable(getattr(credential, "get_token", None)):
        # Only its type is shown: a text that was given here may be a key.
        raise BadValue(
            Text(Field("credential"), f" is a {type(credential).__name__}, which has no get_token."),
            hint="Give one of azure-identity's, or a SasKey. JobClient.from_connection_string takes text.",
        )
    audience = US_GOVERNMENT_AUDIENCE if host.lower().endswith(US_GOVERNMENT_SUFFIX) else AUDIENCE

    def fetch() -> BearerToken:
        given = credential.get_token(f"{audience}/.default")
        return BearerToken(text=given.token, expires_at=datetime.fromtimestamp(given.expires_on, tz=timezone.utc))

    return AadLogin(fetch=fetch)
