"""Authenticates services and devices: tokens against policies and device keys, certificates against thumbprints
and CAs.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from azext_iotjobs.localhub.auth import sas
from azext_iotjobs.localhub.auth.policies import OWNER, RIGHTS, Right
from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.errors import UNAUTHORIZED, UNAUTHORIZED_ACCESS, HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.host_names import ClientKind, HostNames
from azext_iotjobs.localhub.rules.identity import SignInKind
from azext_iotjobs.localhub.store.authorities import Authorities
from azext_iotjobs.localhub.store.identities import ENABLED, Identities, Identity


class Authenticator:
    """Decides whether a service or device may use the hub."""

    def __init__(
        self,
        policy_keys: Mapping[str, str],
        identities: Identities,
        authorities: Authorities,
        hosts: HostNames,
        clock: HubClock,
    ) -> None:
        self._policy_keys = policy_keys
        self._identities = identities
        self._authorities = authorities
        self._hosts = hosts
        self._clock = clock

    def is_own_host(self, host: str) -> bool:
        """Whether a host, with or without a port, is this hub."""
        return host in self._hosts

    def check_client(self, host: str, client: ClientKind) -> None:
        """Raise HubError 401002 when `host`, as the client gave it, is the name for the other kind of client."""
        self._hosts.check_client(host, client)

    def authenticate_service(
        self, token_text: str | None, path: str, needed: Right, *, owner_only: bool = False
    ) -> None:
        """Let a request for `path` in.

        needed: any one of these rights will do.  owner_only: only iothubowner's key will do.
        Raises HubError 401003 or 401002.
        """
        if not token_text:
            raise HubError(UNAUTHORIZED, "The authorization header is missing.")
        token = sas.parse_token(token_text)
        if token.policy is None:
            raise HubError(UNAUTHORIZED, "The token names no shared access policy.")
        self._check_policy(token, tuple(path.strip("/").split("/")))
        if not RIGHTS[token.policy] & needed or (owner_only and token.policy != OWNER):
            raise HubError(UNAUTHORIZED_ACCESS, f"The policy {token.policy} lacks the right for this operation.")

    def authenticate_device(
        self, address: Address, host: str | None, token_text: str, certificates: Sequence[bytes]
    ) -> datetime:
        """Check a device or module; gives the expiry of its token, or of its certificate when it gives no token.

        host: the hub's name as the client gave it; None where it gives none.
        certificates: from its connection, DER, its own first; not verified yet.
        Raises HubError 401003 or 401002, also for one that is unknown or whose device is disabled.
        """
        if host is not None and host.lower() not in self._hosts:
            raise HubError(UNAUTHORIZED, "The device asks for another hub.")
        if host is not None:
            self._hosts.check_client(host, ClientKind.DEVICE)
        device = self._identities.get(address.device)
        identity = device if address.module_id is None else self._identities.get(address)
        if device is None or identity is None or device.status != ENABLED:
            raise HubError(UNAUTHORIZED, "The device is unknown or disabled.")
        if not token_text:
            return self._check_certificate(identity, certificates)
        token = sas.parse_token(token_text)
        # An old sample signs a longer path below the device; only the device's own part counts.
        own_path = address.path + token.resource[1 + len(address.path) :]
        if token.policy is not None:
            self._check_policy(token, own_path)
            if not RIGHTS[token.policy] & Right.DEVICE_CONNECT:
                raise HubError(UNAUTHORIZED_ACCESS, f"The policy {token.policy} may not connect devices.")
        else:
            keys = [key for key in (identity.primary_key, identity.secondary_key) if key]
            sas.check_key(token, keys)
            sas.check_scope(token, hosts=self._hosts, path=own_path)
            if token.resource[1 : 1 + len(address.path)] != address.path:
                raise HubError(UNAUTHORIZED, "The token is not this device's.")
        sas.check_expiry(token, self._clock.now())
        return token.expires_at

    def _check_certificate(self, identity: Identity, certificates: Sequence[bytes]) -> datetime:
        kind = SignInKind(identity.sign_in)
        if kind not in (SignInKind.SELF_SIGNED, SignInKind.AUTHORITY):
            raise HubError(UNAUTHORIZED, "There is no token.")
        if not certificates:
            raise HubError(UNAUTHORIZED, "There is neither a token nor a certificate.")
        # Imported here: `cryptography` loads slowly, and most hubs never need it.
        from azext_iotjobs.localhub.auth import x509

        now = self._clock.now()
        if kind is SignInKind.SELF_SIGNED:
            known = filter(None, (identity.primary_thumbprint, identity.secondary_thumbprint))
            return x509.check_thumbprint(certificates[0], known, now)
        name = "/".join(filter(None, (identity.device_id, identity.module_id)))
        return x509.check_chain(certificates, [each.der for each in self._authorities.all()], name, now)

    def _check_policy(self, token: sas.Token, path: tuple[str, ...]) -> None:
        key = self._policy_keys.get(token.policy or "")
        if key is None:
            raise HubError(UNAUTHORIZED_ACCESS, "The token names a policy that this hub does not have.")
        sas.check_key(token, [key])
        sas.check_scope(token, hosts=self._hosts, path=path)
        sas.check_expiry(token, self._clock.now())
