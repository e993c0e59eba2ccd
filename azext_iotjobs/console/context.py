"""What the door that starts a console lends it: a hub, a store of fleet jobs, documents, commands, spelling."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.console.job_forms import JobForms
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.model.device_event import DeviceEvent
from azext_iotjobs.model.fleet_job import FleetJob
from azext_iotjobs.model.gates import Gates
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.message import NewC2dMessage
from azext_iotjobs.model.result import DeviceResult
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.model.schedule import Schedule
from azext_iotjobs.model.tier import TierFacts

Document = dict[str, Any]
# The events of a hub from now on, None after each round; it is told when the connection is lost, and when it is back.
OpenEvents = Callable[[Callable[[str], None]], Generator[DeviceEvent | None]]


@dataclass(frozen=True, kw_only=True)
class Documents:
    """How the command line shows what is stored: the pages have the same members."""

    fleet_job: Callable[[FleetJob, Schedule | None], Document]
    run: Callable[[Run, datetime], Document]
    run_details: Callable[[FleetJob, Run], Document]
    batch: Callable[[Batch, Run, Gates], Document]
    result: Callable[[DeviceResult], Document]
    result_columns: tuple[str, ...]  # of `result` and `run_details`, in their order
    csv_line: Callable[[Sequence[Any]], bytes]


class Spelling(Protocol):
    """How the command line writes commands and texts."""

    def command(self, words: str, *typed: str, **fields: str | bool) -> str:
        """A command that can be pasted. words: without az.  typed: options.  fields: their values, not yet quoted."""

    def text(self, text: str) -> str:
        """A message or hint that names fields and commands, in the command line's words."""


@dataclass(frozen=True, kw_only=True)
class Simulations:
    """The simulations of this user that run on this machine."""

    running: Callable[[], Iterable[Document]]
    one: Callable[[str], Document]  # by its id; raises NotFound
    log_end: Callable[[str], str]  # the last lines that one in the background has written; "": it has no log
    request_stop: Callable[[str], object]  # raises NotFound, StateError


class MessageSender(Protocol):
    """A connection that messages to devices are sent over."""

    def send(self, message: NewC2dMessage, device_id: str) -> None:
        """Send one. Raises HubAnswer, LinkError."""

    def close(self) -> None:
        """End the connection."""


@dataclass(frozen=True, kw_only=True)
class LocalHub:
    """What a local hub has said of itself when it was ready, and no key."""

    selector: str  # what names it in commands of local hubs: localhost:8443
    facts: Document  # ports, folder and the like
    trust_lines: tuple[str, ...]  # for a shell whose programs are to trust it
    connection_strings: Callable[[], Mapping[str, str]]  # by what they are for; keys are in them. Raises BadValue


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    output: bytes
    errors: bytes


@dataclass(frozen=True, kw_only=True)
class ConsoleContext:
    """What is lent."""

    hub: HubClient | None  # None: no hub is named, and only fleet jobs are shown
    open_store: Callable[[Access], SqlStore]  # of fleet jobs; it may not be there yet
    secret_folder: Path  # where the console keeps the secret that it signs cookies with
    has_host: Callable[[str], bool]  # whether fleet jobs of a hub, by its stored host, are shown
    documents: Documents
    spelling: Spelling
    simulations: Simulations
    run_command: Callable[[Sequence[str]], Ran]  # runs az with these words, for this hub and folder, to its end
    forms: JobForms
    new_store_key: Callable[[], str]  # makes 8 random letters of a-z, 0-9
    tier: TierFacts | None = None  # of the hub, if it is known
    open_messages: Callable[[], MessageSender] | None = None  # None: there is no hub to send them through
    open_events: OpenEvents | None = None  # None: there is no hub whose events can be read
    local_hub: LocalHub | None = None  # None: the hub is not a local one of this machine
    is_read_only: bool = False
