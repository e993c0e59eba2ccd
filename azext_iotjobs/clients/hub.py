"""HubClient: a hub's clients over one transport; the thing that commands receive.

A client is imported when it is first asked for: `az` has to be quick to start.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import AnswerTooLate, BadValue, LinkLost
from azext_iotjobs.model.target import HubTarget, SasKey, SasToken
from azext_iotjobs.model.text import Text
from azext_iotjobs.transport.auth import identity_resource
from azext_iotjobs.transport.http import HttpTransport, OnWait, Request, Transport

if TYPE_CHECKING:
    from azext_iotjobs.clients.configurations import ConfigurationsClient
    from azext_iotjobs.clients.device import DeviceClient
    from azext_iotjobs.clients.identities import IdentitiesClient
    from azext_iotjobs.clients.jobs import JobsClient
    from azext_iotjobs.clients.messages import MessagesClient
    from azext_iotjobs.clients.methods import MethodsClient
    from azext_iotjobs.clients.queries import QueriesClient
    from azext_iotjobs.clients.selections import SelectionsClient
    from azext_iotjobs.clients.twins import TwinsClient
    from azext_iotjobs.model.entra import ServiceCredential

AsDevice = Callable[[str, str | None], Transport]  # device id, its key or None for the policy's
KnownTier = tuple[str, int]  # a tier's name and units: S1, 2


class HubClient:
    """Everything that can be asked of one hub."""

    def __init__(
        self,
        target: HubTarget,
        transport: Transport,
        as_device: AsDevice | None = None,
        *,
        may_act_as_device: bool = True,
        policy_key: SasKey | None = None,
    ) -> None:
        self.target = target
        self.transport = transport
        self.policy_key = policy_key  # that it signs in with; None: it signs in otherwise
        self.known_tier: KnownTier | None = None  # None: nobody has said it
        self._as_device = as_device
        self._may_act_as_device = may_act_as_device

    @classmethod
    def open(
        cls,
        target: HubTarget,
        credential: "ServiceCredential",
        clock: Clock,
        on_wait: OnWait | None = None,
        needed: frozenset[str] = frozenset(),
    ) -> "HubClient":
        """A client that talks HTTPS to `target`; nothing is sent yet.

        on_wait: told before each pause that throttling or a fault makes us wait.
        needed: rights, as policies have them, that are needed beside those of a request, for advice when it is refused.
        """

        def as_device(device_id: str, key: str | None) -> Transport:
            from azext_iotjobs.model.device_credentials import DeviceKey

            of_devices = target.for_devices
            own = credential if key is None else DeviceKey(device_id=device_id, key=key)
            return HttpTransport(of_devices, own, clock, on_wait, identity_resource(of_devices.host, device_id))

        transport = HttpTransport(target, credential, clock, on_wait, needed=needed)
        # A finished token is for one host: where devices have another, it lets none of them in.
        is_one_host = target.for_devices.host == target.host
        return cls(
            target,
            transport,
            as_device,
            may_act_as_device=isinstance(credential, SasKey) or (isinstance(credential, SasToken) and is_one_host),
            policy_key=credential if isinstance(credential, SasKey) else None,
        )

    def check_reached(self) -> None:
        """Raise CannotConnect where no connection to the hub can be made; one that answers, whatever it be, is reached.

        One request, which is not repeated.
        """
        with suppress(LinkLost, AnswerTooLate):
            self.transport.send(Request("GET", "/devices", {"top": "1"}, waits_out_throttling=False))

    @cached_property
    def jobs(self) -> "JobsClient":
        """The hub's jobs."""
        from azext_iotjobs.clients.jobs import JobsClient

        return JobsClient(self.transport)

    @cached_property
    def queries(self) -> "QueriesClient":
        """Queries."""
        from azext_iotjobs.clients.queries import QueriesClient

        return QueriesClient(self.transport)

    @cached_property
    def messages(self) -> "MessagesClient":
        """Cloud-to-device messages, from the service's side."""
        from azext_iotjobs.clients.messages import MessagesClient

        return MessagesClient(self.transport)

    @cached_property
    def methods(self) -> "MethodsClient":
        """Direct methods."""
        from azext_iotjobs.clients.methods import MethodsClient

        return MethodsClient(self.transport)

    @cached_property
    def selections(self) -> "SelectionsClient":
        """Which devices a selection finds."""
        from azext_iotjobs.clients.selections import SelectionsClient

        return SelectionsClient(self.queries)

    @cached_property
    def twins(self) -> "TwinsClient":
        """Twins."""
        from azext_iotjobs.clients.twins import TwinsClient

        return TwinsClient(self.transport)

    @cached_property
    def identities(self) -> "IdentitiesClient":
        """The registry of devices."""
        from azext_iotjobs.clients.identities import IdentitiesClient

        return IdentitiesClient(self.transport)

    @cached_property
    def configurations(self) -> "ConfigurationsClient":
        """What the modules of edge devices are to be."""
        from azext_iotjobs.clients.configurations import ConfigurationsClient

        return ConfigurationsClient(self.transport)

    def device(self, device_id: str, key: str | None = None) -> "DeviceClient":
        """The HTTPS side of one device.

        key: the device's own, base64; None: the policy's, which must have the right to connect devices, or, with
        Microsoft Entra or a token for another host, which let no device in, the key that the registry has.
        """
        from azext_iotjobs.clients.device import DeviceClient

        if key is None and not self._may_act_as_device:
            key = self.key_of(device_id)
        transport = self.transport if self._as_device is None else self._as_device(device_id, key)
        return DeviceClient(transport, device_id)

    def key_of(self, device_id: str) -> str:
        """The primary key of a device, base64, from the registry. Raises BadValue for a device without keys."""
        identity = self.identities.get(device_id)
        if identity.primary_key is None:
            raise BadValue(
                f"Device {device_id} signs in by {identity.sign_in}, not by key.",
                hint=Text.of(
                    "Give {certificate_file_path} and {key_file_path}; devices with certificates connect over MQTT."
                ),
            )
        return identity.primary_key
