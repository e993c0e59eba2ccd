"""A credential -> the Authorization header of a request, and how shared access signatures are made.

The password of a device's connection: device_tokens.py.

Source: IoT Hub devguide "control access with shared access signatures".
"""

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.target import SasKey, SasToken

if TYPE_CHECKING:
    from azext_iotjobs.model.device_credentials import DeviceKey
    from azext_iotjobs.model.entra import ServiceCredential

REQUEST_TOKEN_S = 600  # short: a token that leaks is soon worth nothing
RENEW_BEFORE_S = 60  # more than a request takes, and than clocks usually differ


class _Header(NamedTuple):
    """An Authorization header, and how long it is valid."""

    text: str
    ends_at: float  # Unix seconds
    ends_after_s: float  # the same on the monotonic clock


class RequestAuth:
    """The Authorization header of requests for one resource; gets a new token before the old one ends."""

    def __init__(self, resource: str, credential: "ServiceCredential | DeviceKey", clock: Clock) -> None:
        self._resource = resource
        self._credential = credential
        self._clock = clock
        self._header = _Header("", 0.0, 0.0)  # replaced whole, as threads may share us

    def header(self) -> str:
        """A header that is valid for at least a minute; of a token that someone else made, as long as that lasts.

        By both clocks: the machine's may be set back while we use a token, and that lasts no longer for it.
        """
        now, passed_s = self._clock.now().timestamp(), self._clock.monotonic()
        header = self._header
        if now > header.ends_at - RENEW_BEFORE_S or passed_s > header.ends_after_s - RENEW_BEFORE_S:
            text, ends_at = self._new(int(now))
            header = self._header = _Header(text, ends_at, passed_s + ends_at - now)
        return header.text

    def _new(self, now: int) -> tuple[str, float]:
        credential = self._credential
        if isinstance(credential, SasToken):
            return credential.text, credential.expires_at.timestamp()
        if not isinstance(credential, SasKey):
            from azext_iotjobs.model.entra import AadLogin  # here, so that others start without it

            if isinstance(credential, AadLogin):
                token = credential.fetch()
                return f"Bearer {token.text}", token.expires_at.timestamp()
        expires_at = now + REQUEST_TOKEN_S
        text = sas_token(resource=self._resource, key=credential.key, expires_at=expires_at, policy=credential.policy)
        return text, float(expires_at)


def identity_resource(host: str, device_id: str | None, module_id: str | None = None) -> str:
    """What tokens for a device or module are for, not yet percent-encoded.

    device_id: None: the whole hub.  module_id: None: the device itself.
    """
    device = "" if device_id is None else f"/devices/{device_id}"
    return f"{host}{device}" if module_id is None else f"{host}{device}/modules/{module_id}"


def sas_token(*, resource: str, key: str, expires_at: int, policy: str | None = None) -> str:
    """The token that opens `resource` until `expires_at`.

    resource: host, or host/devices/id; not yet percent-encoded.  key: base64.  expires_at: Unix seconds.
    policy: whose key it is, for policy keys; None for a device's own.
    """
    encoded = quote(resource, safe="")
    signature = hmac.new(base64.b64decode(key), f"{encoded}\n{expires_at}".encode(), hashlib.sha256).digest()
    token = f"SharedAccessSignature sr={encoded}&sig={quote(base64.b64encode(signature), safe='')}&se={expires_at}"
    return f"{token}&skn={quote(policy, safe='')}" if policy else token
