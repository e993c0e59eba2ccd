"""Who a request is of, and whether the row of its route lets them in."""

from aiohttp import web

from azext_iotjobs.localhub.auth import sas
from azext_iotjobs.localhub.auth.authenticator import Authenticator
from azext_iotjobs.localhub.auth.policies import Right
from azext_iotjobs.localhub.engine.observations import Connections
from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.http.route import Caller
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.host_names import ClientKind
from azext_iotjobs.localhub.rules.identity import possible_address
from azext_iotjobs.localhub.rules.observation import Client, ClientProtocol
from azext_iotjobs.localhub.tls.context import peer_certificates

CALLER = web.RequestKey("caller", str)  # of a request: who was let in


def authenticate(
    authenticator: Authenticator, caller: Right | Caller, request: web.Request, connections: Connections
) -> str | None:
    """Let a request in; gives who it is of: a policy, or a device; None for anybody.

    caller: who may be let in.  connections: where a device that is not let in is noted.  Raises HubError 401.
    """
    token = request.headers.get("Authorization")
    if caller is Caller.DEVICE:
        address = Address(request.match_info["id"])
        try:
            certificates = peer_certificates(request.transport)
            authenticator.authenticate_device(address, None, token or "", certificates)
            authenticator.check_client(request.host, ClientKind.DEVICE)
        except HubError as err:
            client = Client(ClientProtocol.HTTPS, address=possible_address(address.device_id))
            connections.refused(client, err.text)
            raise
        return (sas.parse_token(token).policy if token else None) or f"device {address.device_id}"
    if caller is Caller.OWNER:
        return authenticator.authenticate_service(token, request.path, Right.REGISTRY_WRITE, owner_only=True)
    if caller is Caller.ANYBODY:
        return None
    policy = authenticator.authenticate_service(token, request.path, caller)
    authenticator.check_client(request.host, ClientKind.SERVICE)
    return policy
