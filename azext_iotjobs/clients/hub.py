"""HubClient: a hub's clients over one transport; the thing that commands receive."""

from azext_iotjobs.clients.identities import IdentitiesClient
from azext_iotjobs.clients.jobs import JobsClient
from azext_iotjobs.clients.methods import MethodsClient
from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.clients.twins import TwinsClient
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.transport.http import HttpTransport, OnWait, Transport


class HubClient:
    """Everything that can be asked of one hub."""

    def __init__(self, target: HubTarget, transport: Transport) -> None:
        self.target = target
        self.transport = transport
        self.identities = IdentitiesClient(transport)
        self.jobs = JobsClient(transport)
        self.methods = MethodsClient(transport)
        self.queries = QueriesClient(transport)
        self.twins = TwinsClient(transport)

    @classmethod
    def open(cls, target: HubTarget, credential: SasKey, clock: Clock, on_wait: OnWait | None = None) -> "HubClient":
        """A client that talks HTTPS to `target`; nothing is sent yet.

        on_wait: told before each pause that throttling or a fault makes us wait.
        """
        return cls(target, HttpTransport(target, credential, clock, on_wait))
