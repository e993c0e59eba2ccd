"""Build a shared access signature token.

Source: IoT Hub devguide "control access with shared access signatures".
"""

import base64
import hashlib
import hmac
from urllib.parse import quote


def sas_token(*, resource: str, key: str, expires_at: int, policy: str | None = None) -> str:
    """The token that opens `resource` until `expires_at`.

    resource: host, or host/devices/id; not yet percent-encoded.  key: base64.  expires_at: Unix seconds.
    policy: whose key it is, for policy keys; None for a device's own.
    """
    encoded = quote(resource, safe="")
    signature = hmac.new(base64.b64decode(key), f"{encoded}\n{expires_at}".encode(), hashlib.sha256).digest()
    token = f"SharedAccessSignature sr={encoded}&sig={quote(base64.b64encode(signature), safe='')}&se={expires_at}"
    return f"{token}&skn={quote(policy, safe='')}" if policy else token
