"""Who is at the other end of one connection: what it has proved, until when, and which links depend on that.

A client proves something in three ways: a token, or a policy's key, as the password of SASL PLAIN, a token that it
puts on `$cbs` (as often as it likes: a later one takes the place of an earlier one of the same scope), a certificate of
its TLS connection.
Source: IoT Hub "AMQP support", claims-based security and SASL PLAIN. docs/reference/local-hub.md has the user names.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from azext_iotjobs.localhub.auth.authenticator import Authenticator
from azext_iotjobs.localhub.auth.claims import Claim
from azext_iotjobs.localhub.auth.policies import Right
from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, UNAUTHORIZED, UNAUTHORIZED_ACCESS, HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.host_names import ClientKind
from azext_iotjobs.localhub.rules.identity import possible_address
from azext_iotjobs.localhub.rules.observation import Client, ClientProtocol

MECHANISMS = ("PLAIN", "ANONYMOUS", "EXTERNAL", "MSSBCBS")  # of SASL; all but PLAIN prove nothing themselves
SAS_TYPES = ("servicebus.windows.net:sastoken", "azure-devices.net:sastoken")
ENTRA_TYPES = ("jwt", "bearer", "amqp:jwt", "servicebus.windows.net:jwt")
MAX_CLAIMS = 1000  # of one connection: a gateway may put a token for each of its devices
_POLICY_USER = re.compile(r"(?P<policy>.+)@sas\.root\.[^@]+")
_DEVICE_USER = re.compile(r"(?P<device>[^/]+)(?:/(?P<module>.+))?@sas\.[^@]+")


class Need(Protocol):
    """What a link needs its client to have proved."""

    @property
    def kind(self) -> ClientKind | None:
        """The clients whose host names it may have used; None: any."""

    def check(self, claim: Claim) -> None:
        """Raise HubError unless a claim is enough."""


def _check_is_for_hub(claim: Claim) -> None:
    if claim.is_for_event_hubs:
        raise HubError(UNAUTHORIZED_ACCESS, "The client signed in as Event Hubs clients do: it may only read events.")


@dataclass(frozen=True)
class DeviceNeed:
    """The link is a device's or module's own."""

    address: Address
    kind: ClientKind | None = ClientKind.DEVICE

    def check(self, claim: Claim) -> None:
        """Raise HubError unless a claim lets the device in."""
        _check_is_for_hub(claim)
        claim.check_device(self.address)


@dataclass(frozen=True)
class ServiceNeed:
    """The link is for whoever has a policy with one of these rights."""

    path: tuple[str, ...]  # segments of the link's address
    rights: Right = Right.SERVICE_CONNECT
    kind: ClientKind | None = ClientKind.SERVICE  # None: of an Event Hubs client

    def check(self, claim: Claim) -> None:
        """Raise HubError unless a claim lets a service in."""
        if self.kind is not None:
            _check_is_for_hub(claim)
        # Words of these paths have no fixed case; only ids of devices do, and no service's path has one.
        scope = claim.scope if claim.scope[:1] == ("devices",) else tuple(map(str.lower, claim.scope))
        replace(claim, scope=scope).check_service(tuple(map(str.lower, self.path)), self.rights)


@dataclass(frozen=True)
class Expired:
    """What ends because claims have expired."""

    links: tuple[Any, ...]  # those that no other claim supports
    ends_connection: bool


class Peer:
    """What the client of one connection has proved.

    host: the hub's name as the client gave it when it opened the connection; None: it gave none.
    name: for the log: the user name that it gave, or the device, module or policy of its first claim; None before that.
    on_change: called when a claim was added, so that its expiry is noticed.
    online_count: how many devices are online over the connection.
    """

    def __init__(
        self, authenticator: Authenticator, clock: HubClock, certificates: Callable[[], Sequence[bytes]]
    ) -> None:
        """certificates: those of the TLS connection, DER, the client's own first; not verified yet."""
        self.host: str | None = None
        self.name: str | None = None
        self.on_change: Callable[[], None] = lambda: None
        self.protocol = ClientProtocol.AMQP
        self.online_count = 0
        self.end_reason: str | None = None  # of the connection; None while nothing ends it
        self._signing_in: Address | None = None  # the device that SASL PLAIN is for
        self._authenticator = authenticator
        self._clock = clock
        self._certificates = certificates
        self._claims: dict[tuple[str | None, tuple[str, ...]], Claim] = {}
        self._links: dict[Any, Need] = {}

    def client(self, address: Address | None = None, *, other_name: str | None = None) -> Client:
        """It, for who reads about connections.

        address: the device or module that it is about; None: that of its user name, if it is one.
        other_name: what it is called before it has a `name`.
        """
        return Client(self.protocol, self.name or other_name, address or self._signing_in)

    def will_end(self, reason: str) -> None:
        """The connection is about to end, if it was not already."""
        if self.end_reason is None:
            self.end_reason = reason

    def sign_in(self, mechanism: str, response: bytes) -> None:
        """Take the first answer of a SASL exchange. Raises HubError 401003 or 401002 when it is refused."""
        if mechanism not in MECHANISMS:
            raise HubError(
                UNAUTHORIZED, f"The SASL mechanism {mechanism[:40]!a} is not one of {', '.join(MECHANISMS)}."
            )
        if mechanism != "PLAIN":
            return
        try:
            _, user, password = response.decode().split("\0")
        except ValueError:
            raise HubError(UNAUTHORIZED, "The answer of SASL PLAIN has no user name and password.") from None
        self.name = user
        self._add(self._claim_of_user(user, password))

    def put_token(self, kind: str, token: str) -> Claim:
        """Take a token that was put on `$cbs`; gives what it proves. Raises HubError 401003, 401002, 400004.

        kind: its type, as the client names it.
        """
        if kind.lower() in ENTRA_TYPES or token.startswith("Bearer "):
            raise HubError(UNAUTHORIZED, "Microsoft Entra is not supported by the local hub: put a SAS token.")
        if kind.lower() not in SAS_TYPES:
            raise HubError(
                ARGUMENT_INVALID, f"The token type {kind[:80]!a} is not known; give one of {', '.join(SAS_TYPES)}."
            )
        claim = self._authenticator.verify_token(token)
        self._add(claim)
        return claim

    def require(self, need: Need) -> Claim:
        """What lets the client do something. Raises HubError 401003, 401002."""
        self._check_may_ask(need)
        now = self._clock.session_now()
        refusal = HubError(
            UNAUTHORIZED,
            "The connection has no valid token: put one on $cbs, or use SASL PLAIN, or show a certificate.",
        )
        for claim in self._candidates(need):
            try:
                if claim.expires_at > now:
                    need.check(claim)
                    return claim
            except HubError as err:
                refusal = err
        if isinstance(need, DeviceNeed) and self._certificates():
            return self._require_certificate(need.address)
        raise refusal

    def require_device(self, address: Address) -> Claim:
        """What lets the client act as a device or module. Raises HubError 401003, 401002."""
        return self.require(DeviceNeed(address))

    def hold(self, link: Any, need: Need) -> None:
        """A link depends on what the client has proved, until it is let go."""
        self._links[link] = need

    def let_go(self, link: Any) -> None:
        """A link has ended."""
        self._links.pop(link, None)

    @property
    def next_expiry(self) -> datetime | None:
        """When the next claim expires, by the clock's `session_now`; None when there is none."""
        return min((claim.expires_at for claim in self._claims.values()), default=None)

    def drop_expired(self) -> Expired:
        """Forget the claims that have expired; gives what ends with them."""
        now = self._clock.session_now()
        live = {key: claim for key, claim in self._claims.items() if claim.expires_at > now}
        if len(live) == len(self._claims):
            return Expired((), ends_connection=False)
        self._claims = live
        ended = {link: need for link, need in self._links.items() if not self._is_met(need)}
        is_device = any(isinstance(need, DeviceNeed) for need in ended.values())
        return Expired(tuple(ended), ends_connection=is_device and not live)

    def _claim_of_user(self, user: str, password: str) -> Claim:
        if policy_user := _POLICY_USER.fullmatch(user):
            claim = self._authenticator.verify_token(password)
            if claim.policy != policy_user["policy"]:
                raise HubError(UNAUTHORIZED, "The token is of another policy than the user name.")
            return claim
        if device_user := _DEVICE_USER.fullmatch(user):
            need = DeviceNeed(Address(device_user["device"], device_user["module"]))
            self._signing_in = possible_address(device_user["device"], device_user["module"])
            self._authenticator.enabled_identity(need.address)
            claim = self._authenticator.verify_token(password)
            need.check(claim)
            return claim
        if "@" not in user:
            return self._authenticator.verify_policy_key(user, password)
        raise HubError(
            UNAUTHORIZED,
            "The user name is neither policy@sas.root.hub nor device@sas.hub nor device/module@sas.hub, nor, with the "
            "policy's key as the password, the name of a policy.",
        )

    def _check_may_ask(self, need: Need) -> None:
        """Raise HubError unless the client is at the right host, and the device may connect that it is about."""
        if self.host is not None and need.kind is not None:
            self._authenticator.check_client(self.host, need.kind)
        if isinstance(need, DeviceNeed):
            self._authenticator.enabled_identity(need.address)

    def _candidates(self, need: Need) -> Iterator[Claim]:
        """The claims, a device's own first: a gateway has many others."""
        if isinstance(need, DeviceNeed) and (own := self._claims.get((None, need.address.path))):
            yield own
        yield from list(self._claims.values())

    def _is_met(self, need: Need) -> bool:
        for claim in self._candidates(need):
            try:
                need.check(claim)
            except HubError:
                continue
            return True
        return False

    def _require_certificate(self, address: Address) -> Claim:
        ends_at = self._authenticator.authenticate_device(address, self.host, "", self._certificates())
        claim = Claim(scope=address.path, expires_at=ends_at, is_certificate=True)
        self._add(claim)
        return claim

    def _add(self, claim: Claim) -> None:
        key = claim.policy, claim.scope
        if key not in self._claims and len(self._claims) >= MAX_CLAIMS:
            raise HubError(ARGUMENT_INVALID, f"A connection may have at most {MAX_CLAIMS} tokens.")
        self._claims[key] = claim
        if self.name is None:
            self.name = "/".join(claim.scope[1::2]) if claim.policy is None else f"policy {claim.policy}"
        self.on_change()
