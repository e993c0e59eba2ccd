"""The token with which a device connects over MQTT: how long it lives, and when the device renews it. Pure.

A token cannot be changed within a connection: to renew it, a device connects anew. Requests of devices over HTTP have
short tokens, as all requests (auth.py).
"""

from datetime import datetime
from typing import NamedTuple

from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.transport.auth import identity_resource, sas_token

LIFE_S = 3600  # as in the official device SDKs
RENEW_BEFORE = 0.15  # of its life, before its end: as the official SDKs do, or earlier
RENEW_SPREAD = 0.3  # of the time to the renewal: by chance, up to so much sooner


class DevicePassword(NamedTuple):
    """A device's token and the moment at which it must be renewed."""

    text: str
    renew_at: datetime  # aware UTC

    def __repr__(self) -> str:
        return f"DevicePassword(renew_at={self.renew_at!r})"


def device_password(target: HubTarget, credential: DeviceKey, now: datetime, valid_s: int = LIFE_S) -> DevicePassword:
    """The password with which a device connects.

    target: the hub, under the name that devices use.  now: aware UTC.  valid_s: seconds that it is valid, 1 or more.
    """
    expires_at = int(now.timestamp()) + valid_s
    resource = identity_resource(target.host, credential.device_id)
    token = sas_token(resource=resource, key=credential.key, expires_at=expires_at, policy=credential.policy)
    renew_at = datetime.fromtimestamp(expires_at - RENEW_BEFORE * valid_s, tz=now.tzinfo)
    return DevicePassword(text=token, renew_at=renew_at)


def renew_pause(longest_s: float, *, chance: float) -> float:
    """Seconds until a token is renewed: `longest_s`, made shorter by chance.

    chance: 0..1; devices that a hub let in within one second must not all renew within one second.
    """
    return longest_s * (1 - RENEW_SPREAD * chance)
