"""Signing in with Microsoft Entra. Apart from keys and tokens of policies: who uses those starts without it."""

from collections.abc import Callable
from dataclasses import field
from datetime import datetime

from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.target import SasKey, SasToken

# The audience of a token for IoT Hub. Microsoft's service SDKs for .NET, Node.js and Java have one for the US
# Government cloud and one for every other, private clouds included.
AUDIENCE = "https://iothubs.azure.net"
US_GOVERNMENT_AUDIENCE = "https://iothubs.azure.us"


@dataclass(frozen=True, kw_only=True)
class BearerToken:
    """A Microsoft Entra access token."""

    expires_at: datetime  # aware UTC
    text: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class AadLogin:
    """Whoever az is signed in as. It opens the service's side of a hub; a device never signs in so.

    fetch: gives a token that is valid for some minutes at least; asked again when that one nears its end.
    """

    fetch: Callable[[], BearerToken] = field(repr=False)


ServiceCredential = SasKey | SasToken | AadLogin
