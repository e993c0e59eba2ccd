"""A credential -> the Authorization header of a request, or the password of a device's connection."""

from dataclasses import dataclass
from datetime import datetime

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.target import DeviceKey, HubTarget, SasKey
from azext_iotjobs.transport.sas import sas_token

REQUEST_LIFE_S = 600  # short: a token that leaks is soon worth nothing
RENEW_BEFORE_S = 60  # more than a request takes, and than clocks usually differ


class RequestAuth:
    """The Authorization header of requests for one resource; makes a new token before the old one ends."""

    def __init__(self, resource: str, credential: SasKey | DeviceKey, clock: Clock) -> None:
        self._resource = resource
        self._credential = credential
        self._clock = clock
        self._held = ("", 0.0)  # header and end; together, as several threads may ask

    def header(self) -> str:
        """A header that is valid for at least a minute."""
        now = self._clock.now().timestamp()
        header, ends_at = self._held
        if now > ends_at - RENEW_BEFORE_S:
            renewed_end = int(now) + REQUEST_LIFE_S
            header = sas_token(
                resource=self._resource,
                key=self._credential.key,
                expires_at=renewed_end,
                policy=self._credential.policy if isinstance(self._credential, SasKey) else None,
            )
            self._held = (header, renewed_end)
        return header


def resource_of(target: HubTarget, credential: SasKey | DeviceKey) -> str:
    """What a credential's tokens are for: the whole hub, or one device."""
    return target.host if isinstance(credential, SasKey) else device_resource(target, credential.device_id)


def device_resource(target: HubTarget, device_id: str) -> str:
    """What tokens for one device are for."""
    return f"{target.host}/devices/{device_id}"


@dataclass(frozen=True, kw_only=True)
class DevicePassword:
    """A device's token and the moment at which it must be renewed."""

    text: str
    renew_at: datetime  # aware UTC

    def __repr__(self) -> str:
        return f"DevicePassword(renew_at={self.renew_at!r})"


def device_password(target: HubTarget, credential: DeviceKey, now: datetime, life_s: int) -> DevicePassword:
    """The password with which a device connects.

    life_s: seconds that it is valid; it is to be renewed after 85 percent of them, as the official SDKs do or earlier.
    """
    expires_at = int(now.timestamp()) + life_s
    token = sas_token(resource=resource_of(target, credential), key=credential.key, expires_at=expires_at)
    return DevicePassword(text=token, renew_at=datetime.fromtimestamp(expires_at - 0.15 * life_s, tz=now.tzinfo))
