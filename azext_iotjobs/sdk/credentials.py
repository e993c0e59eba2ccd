"""Microsoft Entra for programs: any object with azure-identity's `get_token` -> our credential. It imports no azure."""

from datetime import datetime, timezone
from typing import Protocol

from azext_iotjobs.model.entra import AUDIENCE, US_GOVERNMENT_AUDIENCE, AadLogin, BearerToken
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import Field, Text

US_GOVERNMENT_SUFFIX = ".azure-devices.us"


class AccessToken(Protocol):
    """What `get_token` gives; azure.core.credentials.AccessToken is one."""

    @property
    def token(self) -> str:
        """The token itself."""

    @property
    def expires_on(self) -> int:
        """Its end, Unix seconds."""


class TokenCredential(Protocol):
    """Who gets tokens; every synchronous credential of azure-identity is one."""

    def get_token(self, *scopes: str) -> AccessToken:
        """A token for `scopes`; called again when the last one has less than a minute left, by any thread."""


def entra_login(credential: TokenCredential, host: str) -> AadLogin:
    """What a hub's transport asks for tokens. Raises BadValue for what is no credential."""
    if not callable(getattr(credential, "get_token", None)):
        # Its type alone: a text that was given here may well be a key.
        raise BadValue(
            Text(Field("credential"), f" is a {type(credential).__name__}, which has no get_token."),
            hint="Give one of azure-identity's, or a SasKey. JobClient.from_connection_string takes text.",
        )
    audience = US_GOVERNMENT_AUDIENCE if host.lower().endswith(US_GOVERNMENT_SUFFIX) else AUDIENCE

    def fetch() -> BearerToken:
        given = credential.get_token(f"{audience}/.default")
        return BearerToken(text=given.token, expires_at=datetime.fromtimestamp(given.expires_on, tz=timezone.utc))

    return AadLogin(fetch=fetch)
