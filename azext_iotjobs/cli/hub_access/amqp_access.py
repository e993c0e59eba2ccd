"""The hub arguments -> where to reach a hub by AMQP, and with what; for events, where its built-in endpoint is."""

from typing import Any, NamedTuple

from azext_iotjobs.cli.hub_access import running_hubs
from azext_iotjobs.cli.hub_access.policies import UnresolvedHub, unresolved_hub
from azext_iotjobs.cli.hub_access.policy_rights import SERVICE_CONNECT
from azext_iotjobs.cli.hub_access.resolve import ChosenHub, HubArguments, choose_hub, client_of, hub_of
from azext_iotjobs.clients.event_codec import event_hub, is_event_hub_string, parse_event_hub_string
from azext_iotjobs.clients.events import find_event_hub
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.service_messages import Connect, ServiceMessagesClient
from azext_iotjobs.model.amqp import AmqpEndpoint, endpoint_of
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_event import EventHub
from azext_iotjobs.model.entra import ServiceCredential
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.host_names import is_loopback
from azext_iotjobs.model.target import SasKey
from azext_iotjobs.transport.amqp import AmqpConnection
from azext_iotjobs.transport.sessions import proxy_of

AMQP, AMQP_WEBSOCKET = TRANSPORTS = ("amqp", "amqp_ws")  # as the reference has them


class AmqpAccess(NamedTuple):
    """A hub that is reached by AMQP as a service."""

    endpoint: AmqpEndpoint
    credential: ServiceCredential
    connect: Connect = AmqpConnection

    def open(self, transport: str | None) -> ServiceMessagesClient:
        """A connection over the transport that was typed; None: as `over` has it. Raises LinkError, HubAnswer."""
        return ServiceMessagesClient(over(self.endpoint, transport), self.credential, SystemClock(), self.connect)


class EventsAccess(NamedTuple):
    """How a hub's built-in endpoint is reached."""

    known: EventHub | None  # None: the hub has to be asked
    hub: AmqpEndpoint | None  # None: nothing but the endpoint is known
    key: SasKey
    client: HubClient | None  # None: the same

    def event_hub(self, transport: str | None) -> EventHub:
        """The endpoint, of which the hub is asked if it has to be.

        transport: as typed; None: as the environment has it.  Raises HubAnswer, LinkError.
        """
        if self.known is not None:
            return _over(self.known, transport)
        assert self.hub is not None
        return _over(find_event_hub(over(self.hub, transport), self.key, SystemClock()), transport)


def amqp_access(cli_ctx: Any, command_args: dict[str, Any]) -> AmqpAccess:
    """Take the hub arguments out of `command_args`, and find the hub. Raises what `hub_of` raises."""
    chosen = hub_of(cli_ctx, command_args, changes=True, needed=SERVICE_CONNECT)
    return AmqpAccess(endpoint_of(chosen.target), chosen.credential)


def events_access(cli_ctx: Any, command_args: dict[str, Any]) -> EventsAccess:
    """Take the hub arguments out of `command_args`; errors as for `access_of`."""
    return access_of(unresolved_hub(cli_ctx, command_args))


def access_of(typed: UnresolvedHub) -> EventsAccess:
    """The hub that was typed, or the endpoint. Raises ConflictingChoice, BadValue, and what `choose_hub` raises."""
    if typed.login is not None and is_event_hub_string(typed.login):
        if typed.name is not None or typed.group is not None:
            raise ConflictingChoice(
                "--login with an Event Hubs connection string names the endpoint: leave --hub-name and "
                "--resource-group out."
            )
        named = _known_here(parse_event_hub_string(typed.login))
        return EventsAccess(named, None, named.key, None)
    chosen = _chosen(typed)
    if not isinstance(chosen.credential, SasKey):
        raise BadValue(
            "Events are read with a policy's key, and a finished token was given.",
            hint="Give -n with the hub's name, or --login with the connection string of a policy that has "
            "ServiceConnect.",
        )
    return EventsAccess(_endpoint(typed, chosen), endpoint_of(chosen.target), chosen.credential, client_of(chosen))


def over(endpoint: AmqpEndpoint, transport: str | None) -> AmqpEndpoint:
    """An endpoint with a transport.

    transport: one of TRANSPORTS; None: AMQP over WebSocket where the environment names a proxy for this host, because
    proxies let nothing else through, else AMQP.
    """
    if transport is not None:
        return endpoint._replace(is_websocket=transport == AMQP_WEBSOCKET)
    return endpoint._replace(is_websocket=not is_loopback(endpoint.host) and _has_proxy(endpoint.host))


def _over(hub: EventHub, transport: str | None) -> EventHub:
    return EventHub(endpoint=over(hub.endpoint, transport), name=hub.name, key=hub.key)


def _has_proxy(host: str) -> bool:
    try:
        return proxy_of(f"https://{host}") is not None
    except ValueError:  # said when the connection is made
        return True


def _chosen(typed: UnresolvedHub) -> ChosenHub:
    arguments = HubArguments(hub=typed.name, login=typed.login, group=typed.group, auth=None)
    return choose_hub(arguments, typed.context()._replace(needed=SERVICE_CONNECT))


def _endpoint(typed: UnresolvedHub, chosen: ChosenHub) -> EventHub | None:
    """What Azure, or a local hub's state file, says of the endpoint; None: neither was asked."""
    assert isinstance(chosen.credential, SasKey)
    if chosen.events is not None:
        return event_hub(chosen.events.endpoint, chosen.events.path, chosen.credential)
    if typed.login is None and typed.name is not None and chosen.target.is_local:
        host, port = running_hubs.split_port(typed.name)
        string = running_hubs.pick(https_port=port, host=host).document.get("eventHubsConnectionString")
        return None if string is None else _known_here(parse_event_hub_string(str(string)))
    return None


def _known_here(hub: EventHub) -> EventHub:
    """An endpoint with the ports and the CA of the local hub that it is of, if it is one's; with TLS in any case."""
    endpoint = hub.endpoint
    local = running_hubs.local_amqp(endpoint.host, endpoint.port) if is_loopback(endpoint.host) else None
    if local is None:
        return hub
    target = local.target(endpoint.host)
    port = local.document.get("amqpPort", endpoint.port)
    found = endpoint._replace(port=port, https_port=target.https_port, ca_file=target.ca_file)
    return EventHub(endpoint=found, name=hub.name, key=hub.key)
