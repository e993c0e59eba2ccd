"""The parts of a hub that nodes of AMQP links use: real ones over a database in memory, with a clock moved by hand; and
the links that they are given, which keep what is done with them.
"""

import asyncio
import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from azext_iotjobs.localhub.amqp.nodes.base import ConnectionContext, EventHubEndpoint, HubParts
from azext_iotjobs.localhub.amqp.peer import Peer
from azext_iotjobs.localhub.amqp.wire.message import Message, decode_message
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError, DeliveryState, Source, Target
from azext_iotjobs.localhub.auth.authenticator import Authenticator
from azext_iotjobs.localhub.auth.policies import RIGHTS
from azext_iotjobs.localhub.clock import render
from azext_iotjobs.localhub.engine.c2d_queue import C2dQueue
from azext_iotjobs.localhub.engine.device_service import DeviceService
from azext_iotjobs.localhub.engine.event_log import EventLog
from azext_iotjobs.localhub.engine.event_readers import EventReaders
from azext_iotjobs.localhub.engine.faults import Faults
from azext_iotjobs.localhub.engine.feedback_queue import FeedbackQueue
from azext_iotjobs.localhub.engine.file_notifications import FileNotifications
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.observations import Observations
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.host_names import HostNames
from azext_iotjobs.localhub.rules.twin import new_twin
from azext_iotjobs.localhub.store.authorities import Authorities
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.file_uploads import FileUploads
from azext_iotjobs.localhub.store.identities import Identities, Identity
from azext_iotjobs.localhub.store.messages import Messages
from azext_iotjobs.localhub.store.sessions import Sessions
from azext_iotjobs.localhub.store.twins import Twins
from tests.helpers.moved_loop import HandClock

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(range(1, 33))).decode()
ENDPOINT = EventHubEndpoint(port=5671, name="local-hub")


class HubInMemory:
    """A hub whose policies all have the key KEY, like its devices.

    loop: that runs the test; None: one of its own, which runs only when `turn` is called.
    """

    def __init__(self, *devices: Address, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.loop = loop or asyncio.new_event_loop()
        self._is_loop_own = loop is None
        self.clock = HandClock()
        self.host_names = HostNames("127.0.0.1", 443, 8883, 5671, dns_names=["iothub"])
        self.database = Database(None)
        self.identities = Identities(self.database, Twins(self.database))
        self.links = Links(Faults(self.clock), Observations(self.clock))
        self.authenticator = Authenticator(
            dict.fromkeys(RIGHTS, KEY),
            self.identities,
            Authorities(self.database),
            self.host_names,
            self.clock,
            self.links.faults.clock_skew,
        )
        self.event_log = EventLog(self.loop)
        self.event_readers = EventReaders(["alerts"])
        self.twins = TwinService(Twins(self.database), self.links, self.clock)
        self.file_notifications = FileNotifications(self.database, FileUploads(self.database), self.clock)
        self.messages = Messages(self.database)
        self.c2d_queue = C2dQueue(self.database, self.messages, self.identities, self.links, self.clock)
        for address in devices:
            self.add(address)

    def __enter__(self) -> "HubInMemory":
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()
        if self._is_loop_own:
            self.loop.close()

    def turn(self) -> None:
        """Do what is due on the loop."""
        self.loop.run_until_complete(asyncio.sleep(0))

    def add(self, address: Address, **columns: Any) -> None:
        """Register a device or module."""
        fields = {"sign_in": "sas", "primary_key": KEY, "secondary_key": OTHER_KEY, **columns}
        identity = Identity(
            device_id=address.device_id, module_id=address.module_id, generation_id="g", etag=1, **fields
        )
        self.identities.create(identity, new_twin(render(self.clock.now())))

    def token(self, resource: str, *, policy: str | None = None, key: str = KEY, life_s: float = 600) -> str:
        """A token, made by hand; `resource` is not yet percent-encoded."""
        return self._signed(resource, base64.b64decode(key), policy, life_s)

    def event_hubs_token(self, resource: str, policy: str) -> str:
        """A token as Event Hubs clients make it: the key's text signs it."""
        return self._signed(resource, KEY.encode(), policy, 600)

    def _signed(self, resource: str, secret: bytes, policy: str | None, life_s: float) -> str:
        encoded = quote(resource, safe="")
        expiry = str(int((self.clock.machine_now() + timedelta(seconds=life_s)).timestamp()))
        mac = hmac.new(secret, f"{encoded}\n{expiry}".encode(), hashlib.sha256).digest()
        token = f"SharedAccessSignature sr={encoded}&sig={quote(base64.b64encode(mac), safe='')}&se={expiry}"
        return token if policy is None else f"{token}&skn={policy}"

    def peer(self, *certificates: bytes) -> Peer:
        """The client of a new connection. certificates: those that it shows, DER."""
        return Peer(self.authenticator, self.clock, lambda: certificates)

    def parts(self, quotas: Quotas | None = None) -> HubParts:
        """What nodes use."""
        sessions = Sessions(self.database)
        return HubParts(
            devices=DeviceService(
                self.authenticator,
                self.identities,
                sessions,
                self.twins,
                self.c2d_queue,
                self.event_log,
                self.clock,
                quotas,
            ),
            links=self.links,
            c2d_queue=self.c2d_queue,
            feedback=FeedbackQueue(self.c2d_queue),
            file_notifications=self.file_notifications,
            event_hub=ENDPOINT,
            event_log=self.event_log,
            event_readers=self.event_readers,
            host_names=self.host_names,
            quotas=quotas,
            clock=self.clock,
            loop=self.loop,
        )

    def context(self, peer: Peer | None = None, quotas: Quotas | None = None) -> ConnectionContext:
        """What the nodes of one connection share."""
        return ConnectionContext(hub=self.parts(quotas), peer=peer or self.peer())


@dataclass(eq=False)
class LinkOfTest:
    """What both kinds of links keep."""

    address: str
    name: str = "link"
    properties: dict[str, Any] = field(default_factory=dict)
    source: Source | None = None
    target: Target | None = None
    node: Any = None
    is_accepted: bool = False
    ended_with: list[AmqpError | None] = field(default_factory=list)

    @property
    def condition(self) -> str | None:
        """Why it was ended."""
        return self.ended_with[0].condition if self.ended_with and self.ended_with[0] else None

    def refuse(self, error: AmqpError) -> None:
        self.ended_with.append(error)

    def detach(self, error: AmqpError | None = None) -> None:
        self.ended_with.append(error)


@dataclass(frozen=True)
class DeliveryOfTest:
    """A message from the client."""

    payload: bytes = field(repr=False)
    delivery_id: int = 0
    tag: bytes = b"t"
    is_settled: bool = False
    message_format: int = 0


@dataclass(eq=False)
class InLinkOfTest(LinkOfTest):
    """A link on which the client sends."""

    outcomes: list[DeliveryState] = field(default_factory=list)

    def accept(self, *, credit: int = 0, max_message_bytes: int = 0) -> None:
        self.is_accepted = True

    def settle(self, delivery: Any, outcome: DeliveryState) -> None:
        self.outcomes.append(outcome)


@dataclass(eq=False)
class OutLinkOfTest(LinkOfTest):
    """A link on which the client receives."""

    credit: int = 0
    wants_drain: bool = False
    filters: dict[str, Any] = field(default_factory=dict)
    desired_capabilities: tuple[str, ...] = ()
    is_settled_by_sender: bool = False
    sent: list[Message] = field(default_factory=list)
    tags: list[bytes] = field(default_factory=list)
    confirmed: list[DeliveryState | None] = field(default_factory=list)

    def accept(self, *, offered_capabilities: tuple[str, ...] = (), sends_settled: bool = False) -> None:
        self.is_accepted = True

    def send(self, payload: bytes, *, tag: bytes | None = None, is_settled: bool = False) -> None:
        assert self.credit > 0 and self.is_accepted
        self.credit -= 1
        self.sent.append(decode_message(payload))
        self.tags.append(tag if tag is not None else str(len(self.sent)).encode())

    def end_drain(self) -> None:
        self.wants_drain = False

    def confirm(self, tag: bytes, outcome: DeliveryState | None) -> None:
        self.confirmed.append(outcome)
