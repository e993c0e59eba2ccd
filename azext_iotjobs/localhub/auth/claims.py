"""What a verified token or certificate proves. Pure."""

from dataclasses import dataclass
from datetime import datetime

from azext_iotjobs.localhub.auth.policies import OWNER, RIGHTS, Right, named
from azext_iotjobs.localhub.errors import UNAUTHORIZED, UNAUTHORIZED_ACCESS, HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import AuthMethod


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A shared access policy, or a device's or module's own key or certificate; good until it expires."""

    scope: tuple[str, ...]  # segments of the path that it is for; (): the whole hub
    expires_at: datetime  # aware UTC; by the clock's `session_now`
    policy: str | None = None  # None: the device's or module's own
    is_certificate: bool = False
    is_for_event_hubs: bool = False  # proved as only Event Hubs clients do: it reads events, and does nothing else

    @property
    def rights(self) -> Right:
        """The rights of its policy; of a device or module, to connect."""
        return Right.DEVICE_CONNECT if self.policy is None else RIGHTS[self.policy]

    @property
    def auth_method(self) -> AuthMethod:
        """How a device has proved who it is."""
        if self.is_certificate:
            return AuthMethod.CERTIFICATE
        return AuthMethod.DEVICE_KEY if self.policy is None else AuthMethod.POLICY_KEY

    def check_service(self, path: tuple[str, ...], needed: Right, *, owner_only: bool = False) -> None:
        """Raise HubError 401003 or 401002 unless it lets a service in.

        path: segments of what the service wants.  needed: any one of these rights will do.
        owner_only: only iothubowner's key will do.
        """
        if self.policy is None:
            raise HubError(UNAUTHORIZED, "The token names no shared access policy.")
        if self.scope != path[: len(self.scope)]:
            raise _another_resource()
        if owner_only and self.policy != OWNER:
            raise HubError(UNAUTHORIZED_ACCESS, f"Only policy {OWNER} may do this, and the token is of {self.policy}.")
        if not self.rights & needed:
            raise HubError(UNAUTHORIZED_ACCESS, f"Policy {self.policy} lacks {named(needed)}.")

    def check_device(self, address: Address) -> None:
        """Raise HubError 401003 or 401002 unless it lets this device or module in.

        An old sample signs a longer path below the device; only the device's own part counts.
        """
        own_part = self.scope[: len(address.path)]
        if own_part != address.path[: len(own_part)]:
            raise _another_resource()
        if not self.rights & Right.DEVICE_CONNECT:
            raise HubError(UNAUTHORIZED_ACCESS, f"The policy {self.policy} may not connect devices.")
        if self.policy is None and own_part != address.path:
            raise HubError(UNAUTHORIZED, "The token is not this device's.")


def _another_resource() -> HubError:
    return HubError(UNAUTHORIZED, "The token is for another resource.")
