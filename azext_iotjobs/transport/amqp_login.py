"""What signs in over AMQP: a credential -> tokens for `$cbs`.

Source: IoT Hub devguide "control access with shared access signatures"; Event Hubs "authenticate with SAS", which signs
with the key's text, where IoT Hub signs with the bytes that it stands for.
"""

import base64
from collections.abc import Callable

from azext_iotjobs.model.amqp import AmqpLogin, AmqpToken
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.entra import AUDIENCE, AadLogin, ServiceCredential
from azext_iotjobs.model.target import SasKey, SasToken
from azext_iotjobs.transport.auth import sas_token

SAS = "servicebus.windows.net:sastoken"
BEARER = "Bearer"
TOKEN_S = 3600  # a connection gets a new one when a tenth of it is left


def hub_login(host: str, credential: ServiceCredential, clock: Clock) -> AmqpLogin:
    """Sign in to a hub as a service.

    host: of the hub, without a port.  credential: a policy's key or token, or Microsoft Entra's.
    clock: by which tokens end.
    """
    if isinstance(credential, AadLogin):
        return AmqpLogin(kind=BEARER, audience=AUDIENCE, fetch=lambda: _bearer(credential))
    if isinstance(credential, SasToken):
        token = AmqpToken(credential.text, int(credential.expires_at.timestamp()))
        return AmqpLogin(kind=SAS, audience=host, fetch=lambda: token)
    return AmqpLogin(kind=SAS, audience=host, fetch=_signing(host, credential, clock))


def event_hub_login(host: str, name: str, key: SasKey, clock: Clock) -> AmqpLogin:
    """Sign in to an event hub.

    host: of its namespace, without a port.  name: of the event hub.  key: of a policy that may listen.
    clock: by which tokens end.
    """
    audience = f"sb://{host}/{name}"
    text = SasKey(policy=key.policy, key=base64.b64encode(key.key.encode()).decode())
    return AmqpLogin(kind=SAS, audience=audience, fetch=_signing(audience, text, clock))


def _signing(resource: str, key: SasKey, clock: Clock) -> Callable[[], AmqpToken]:
    def sign() -> AmqpToken:
        ends_at = int(clock.now().timestamp()) + TOKEN_S
        return AmqpToken(sas_token(resource=resource, key=key.key, expires_at=ends_at, policy=key.policy), ends_at)

    return sign


def _bearer(login: AadLogin) -> AmqpToken:
    token = login.fetch()
    return AmqpToken(f"{BEARER} {token.text}", int(token.expires_at.timestamp()))
