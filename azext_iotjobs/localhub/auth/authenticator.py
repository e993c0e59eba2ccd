"""Authenticates services and devices: tokens against policies and device keys, certificates against thumbprints
and CAs.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from azext_iotjobs.localhub.auth import sas
from azext_iotjobs.localhub.auth.claims import Claim
from azext_iotjobs.localhub.auth.policies import Right
from azext_iotjobs.localhub.clock import NO_TIME, HubClock
from azext_iotjobs.localhub.errors import UNAUTHORIZED, UNAUTHORIZED_ACCESS, HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.host_names import ClientKind, HostNames
from azext_iotjobs.localhub.rules.identity import SignInKind
from azext_iotjobs.localhub.store.authorities import Authorities
from azext_iotjobs.localhub.store.identities import ENABLED, Identities, Identity


class Authenticator:
    """Decides whether a service or device may use the hub.

    Tokens and certificates are judged by the machine's clock, by which they were made, however far the hub's is ahead.
    """

    def __init__(
        self,
        policy_keys: Mapping[str, str],
        identities: Identities,
        authorities: Authorities,
        hosts: HostNames,
        clock: HubClock,
        clock_skew: Callable[[str | None], timedelta] = lambda _device: NO_TIME,
    ) -> None:
        """clock_skew: how far the clock is ahead by which tokens are judged, of a device or, for None, of a policy."""
        self._policy_keys = policy_keys
        self._identities = identities
        self._authorities = authorities
        self._hosts = hosts
        self._clock = clock
        self._clock_skew = clock_skew

    def is_own_host(self, host: str) -> bool:
        """Whether a host, with or without a port, is this hub."""
        return host in self._hosts

    def check_client(self, host: str, client: ClientKind) -> None:
        """Raise HubError 401002 when `host`, as the client gave it, is the name for the other kind of client."""
        self._hosts.check_client(host, client)

    def authenticate_service(
        self, token_text: str | None, path: str, needed: Right, *, owner_only: bool = False
    ) -> str:
        """Let a request for `path` in; gives the policy whose token it has.

        needed: any one of these rights will do.  owner_only: only iothubowner's key will do.
        Raises HubError 401003 or 401002.
        """
        if not token_text:
            raise HubError(UNAUTHORIZED, "The authorization header is missing.")
        token = sas.parse_token(token_text)
        if token.policy is None:
            raise HubError(UNAUTHORIZED, "The token names no shared access policy.")
        claim = self._owner_claim(token) if owner_only else self._policy_claim(token)
        claim.check_service(tuple(path.strip("/").split("/")), needed, owner_only=owner_only)
        return token.policy

    def authenticate_device(
        self, address: Address, host: str | None, token_text: str, certificates: Sequence[bytes]
    ) -> datetime:
        """Check a device or module; gives when its session ends, by the clock's `session_now`: once its token expires,
        or its certificate when it gives no token.

        host: the hub's name as the client gave it; None where it gives none.
        certificates: from its connection, DER, its own first; not verified yet.
        Raises HubError 401003 or 401002, also for one that is unknown or whose device is disabled.
        """
        if host is not None and host.lower() not in self._hosts:
            raise HubError(UNAUTHORIZED, "The device asks for another hub.")
        if host is not None:
            self._hosts.check_client(host, ClientKind.DEVICE)
        identity = self.enabled_identity(address)
        if not token_text:
            return self._check_certificate(identity, certificates)
        token = sas.parse_token(token_text)
        claim = self._own_claim(token, identity) if token.policy is None else self._policy_claim(token)
        claim.check_device(address)
        return claim.expires_at

    def verify_token(self, token_text: str) -> Claim:
        """What a token proves, of a policy or of the device or module that it names. Raises HubError 401003, 401002.

        Unlike for requests, it may be one of an Event Hubs client.
        """
        token = sas.parse_token(token_text)
        if token.policy is not None:
            if sas.is_signed_for_event_hubs(token, self._policy_key(token.policy)):
                return replace(self._claim(token), is_for_event_hubs=True)
            return self._policy_claim(token)
        match token.resource[1:]:
            case ("devices", device, "modules", module, *_):
                address = Address(device, module)
            case ("devices", device, *_):
                address = Address(device)
            case _:
                raise HubError(UNAUTHORIZED, "The token names neither a shared access policy nor a device.")
        return replace(self._own_claim(token, self.enabled_identity(address)), scope=address.path)

    def verify_policy_key(self, policy: str, key: str) -> Claim:
        """What the key of a policy proves, given itself: that events may be read. Raises HubError 401003."""
        known = self._policy_keys.get(policy, "")
        if not known or not hmac.compare_digest(known.encode(), key.encode()):
            raise HubError(UNAUTHORIZED, "There is no policy with that name and key.")
        return Claim(scope=(), expires_at=sas.LATEST_EXPIRY, policy=policy, is_for_event_hubs=True)

    def enabled_identity(self, address: Address) -> Identity:
        """A device or module that may connect. Raises HubError 401003 for one that is unknown or disabled."""
        device = self._identities.get(address.device)
        identity = device if address.module_id is None else self._identities.get(address)
        if device is None or identity is None or device.status != ENABLED:
            raise HubError(UNAUTHORIZED, "The device is unknown or disabled.")
        return identity

    def _check_certificate(self, identity: Identity, certificates: Sequence[bytes]) -> datetime:
        kind = SignInKind(identity.sign_in)
        if kind not in (SignInKind.SELF_SIGNED, SignInKind.AUTHORITY):
            raise HubError(UNAUTHORIZED, "There is no token.")
        if not certificates:
            raise HubError(UNAUTHORIZED, "There is neither a token nor a certificate.")
        # Imported here: `cryptography` loads slowly, and most hubs never need it.
        from azext_iotjobs.localhub.auth import x509

        now = self._clock.machine_now()
        if kind is SignInKind.SELF_SIGNED:
            known = filter(None, (identity.primary_thumbprint, identity.secondary_thumbprint))
            return self._clock.session_end(x509.check_thumbprint(certificates[0], known, now))
        name = "/".join(filter(None, (identity.device_id, identity.module_id)))
        authorities = [each.der for each in self._authorities.all()]
        return self._clock.session_end(x509.check_chain(certificates, authorities, name, now))

    def _policy_claim(self, token: sas.Token) -> Claim:
        sas.check_key(token, [self._policy_key(token.policy or "")])
        return self._claim(token)

    def _owner_claim(self, token: sas.Token) -> Claim:
        """As `_policy_claim`, by the right clock: who makes a clock wrong can put it right again."""
        sas.check_key(token, [self._policy_key(token.policy or "")])
        return self._unexpired(token, NO_TIME)

    def _policy_key(self, policy: str) -> str:
        key = self._policy_keys.get(policy)
        if key is None:
            raise HubError(UNAUTHORIZED_ACCESS, "The token names a policy that this hub does not have.")
        return key

    def _own_claim(self, token: sas.Token, identity: Identity) -> Claim:
        sas.check_key(token, [key for key in (identity.primary_key, identity.secondary_key) if key])
        return self._claim(token)

    def _claim(self, token: sas.Token) -> Claim:
        """What a token says whose signature fits."""
        return self._unexpired(token, self._clock_skew(_device_of(token)))

    def _unexpired(self, token: sas.Token, skew: timedelta) -> Claim:
        """What a token says, if it is for this hub and has not expired by a clock that is so far ahead."""
        sas.check_host(token, self._hosts)
        sas.check_expiry(token, self._clock.machine_now() + skew)
        try:
            expires_at = token.expires_at - skew
        except OverflowError:  # it never expires, by any clock
            expires_at = token.expires_at
        return Claim(scope=token.resource[1:], expires_at=self._clock.session_end(expires_at), policy=token.policy)


def _device_of(token: sas.Token) -> str | None:
    """The device whose token it is, or of whose module; None for one of a policy."""
    match token.resource[1:]:
        case ("devices", device, *_) if token.policy is None:
            return device
    return None
