"""A console that is served for tests: real sockets and store, a hub or its double; commands are only noted."""

import http.client
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from azext_iotjobs.cli.fleet_job.console_context import DOCUMENTS, SIMULATIONS, CommandLineSpelling
from azext_iotjobs.cli.fleet_job.console_local_hub import described
from azext_iotjobs.cli.fleet_job.job_form.forms import CommandLineForms
from azext_iotjobs.cli.fleet_job.schedule.save import new_store_key
from azext_iotjobs.cli.hub_access.running_hubs import RunningHub
from azext_iotjobs.clients.events import EventsClient, find_event_hub
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.service_messages import ServiceMessagesClient
from azext_iotjobs.console.context import ConsoleContext, Ran
from azext_iotjobs.console.parts import Topic
from azext_iotjobs.console.routes import TOPICS
from azext_iotjobs.console.server import Console
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.amqp import endpoint_of
from azext_iotjobs.model.clock import Clock, SystemClock
from azext_iotjobs.model.device_event import DeviceEvent
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.operations.events.monitor import EventMonitor
from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import LIMIT_S

JSON = "application/json"


def client_of(hub: HubProcess) -> HubClient:
    """The client of a hub, as its owner."""
    return HubClient.open(_target(hub), _key(hub), SystemClock())


def messages_of(hub: HubProcess) -> ServiceMessagesClient:
    """A connection that messages are sent to its devices over."""
    return ServiceMessagesClient(endpoint_of(_target(hub)), _key(hub), SystemClock())


def events_of(hub: HubProcess, on_notice: Callable[[str], None]) -> Generator[DeviceEvent | None]:
    """Its events from now on."""
    clock = SystemClock()
    found = find_event_hub(endpoint_of(_target(hub)), _key(hub), clock)
    return EventMonitor(lambda: EventsClient(found, "$Default", clock), clock, on_notice).events()


def _target(hub: HubProcess) -> HubTarget:
    return HubTarget(hub.host, hub.https_port, hub.mqtt_port, hub.ca, is_local=True, amqp_port=hub.amqp_port)


def _key(hub: HubProcess) -> SasKey:
    return SasKey(policy=hub.policy, key=hub.key())


class Answer(NamedTuple):
    """What a console has answered."""

    status: int
    headers: dict[str, str]  # by their names in small letters
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class ConsoleClient:
    """A browser's side of a console, which may lie."""

    address: str  # as the console gives it, with the token
    cookie: str = field(default="", kw_only=True)

    @property
    def host(self) -> str:
        return str(urlsplit(self.address).netloc)

    @property
    def port(self) -> int:
        return urlsplit(self.address).port or 0

    @property
    def token(self) -> str:
        return urlsplit(self.address).fragment

    def sign_in(self) -> Answer:
        """Exchange the token; the cookie goes with each request from here on."""
        answer = self.post("/api/session", {"token": self.token})
        self.cookie = answer.headers.get("set-cookie", "").partition(";")[0]
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, None, headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        """As a page of the console does it."""
        as_page = {"Origin": f"http://{self.host}", "Content-Type": JSON, "Sec-Fetch-Site": "same-origin"}
        return self.send("POST", path, json.dumps(body).encode(), as_page | headers)

    def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        """One request, on a connection of its own. headers: an underscore stands for a dash; Host can be among them."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Host": self.host, **({"Cookie": self.cookie} if self.cookie else {}), **sent}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    @contextmanager
    def stream(self, *topics: str, last: str = "") -> Iterator["Events"]:
        """The live updates of some topics. last: the id of the event that was seen last."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        query = "&".join(f"topic={each}" for each in topics)
        try:
            resumed = {"Last-Event-ID": last} if last else {}
            connection.request("GET", f"/api/events?{query}", headers={"Cookie": self.cookie, **resumed})
            yield Events(connection.getresponse())
        finally:
            connection.close()

    def document(self, topic: str, is_so: Callable[[Any], object] = lambda _: True) -> Any:
        """The first document of a topic of which something is so; nothing is said: the first of all."""
        with self.stream(quote(topic, safe="")) as events:
            while (event := events.next()) is not None:
                if is_so(event.data["document"]):
                    return event.data["document"]
        raise AssertionError(f"the stream of {topic} has ended")


@dataclass
class ServedConsole(ConsoleClient):
    """A console that is served here."""

    console: Console
    commands: list[tuple[str, ...]] = field(default_factory=list)  # that it has run
    command_result: Ran = Ran(0, b"{}", b"")


class Event(NamedTuple):
    """A server-sent event."""

    kind: str
    id: str
    data: Any


class Events:
    """The events of a stream, in their order."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response

    def next(self) -> Event | None:
        """The next snapshot; None: the stream has ended."""
        members: dict[str, str] = {}
        while line := self.response.readline():
            text = line.decode().rstrip("\n")
            if text:
                name, _, value = text.partition(": ")
                members[name] = value
            elif members.get("event") == "snapshot":
                return Event("snapshot", members["id"], json.loads(members["data"]))
            else:
                members = {}
        return None


@contextmanager
def served(
    folder: Path,
    *,
    hub: HubClient | None = None,
    port: int = 0,
    is_read_only: bool = False,
    clock: Clock | None = None,
    hosts: Sequence[str] | None = None,
    topics: Mapping[str, Topic] = TOPICS,
    local: HubProcess | None = None,
    open_store: Callable[[Access], SqlStore] | None = None,
) -> Iterator[ServedConsole]:
    """A console that serves what is below `folder`: the store in `state`, its secret in `secret`.

    hosts: of the hubs whose fleet jobs it shows; None: all.  local: a real hub in place of `hub`.
    open_store: None: the file below `folder`.
    """

    def run_command(words: Sequence[str]) -> Ran:
        made.commands.append(tuple(words))
        return made.command_result

    context = ConsoleContext(
        hub=hub if local is None else client_of(local),
        open_store=open_store or (lambda access: SqliteStore.open(folder / "state", access)),
        secret_folder=folder / "secret",
        has_host=lambda host: hosts is None or host in hosts,
        documents=DOCUMENTS,
        spelling=CommandLineSpelling(),
        simulations=SIMULATIONS,
        run_command=run_command,
        forms=CommandLineForms(),
        new_store_key=new_store_key,
        open_messages=None if local is None else lambda: messages_of(local),
        open_events=None if local is None else lambda on_notice: events_of(local, on_notice),
        local_hub=None if local is None else described(RunningHub(local.info, local.data_dir)),
        is_read_only=is_read_only,
    )
    console = Console(context, clock, topics)
    console.start(port)
    made = ServedConsole(console.sign_in_address, console)
    try:
        yield made
    finally:
        console.stop()
