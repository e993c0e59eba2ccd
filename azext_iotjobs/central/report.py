"""What a document of IoT Central's became here, member by member: the values that translations give. Pure."""

from enum import Enum
from typing import NamedTuple

from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.schedule import Schedule


class Kind(Enum):
    """What a document is; the value is the word that people see."""

    JOB = "job"
    SCHEDULED_JOB = "scheduledJob"
    DEVICE_GROUP = "deviceGroup"
    UNRECOGNISED = "unrecognised"


class TranslatedMember(NamedTuple):
    """A member of a document."""

    name: str  # its path in the document, such as data[0].path
    became: str | None  # None: it has no counterpart, or was not imported
    note: str = ""  # why, or what to mind; may be a Text


class WantedGroup(NamedTuple):
    """A device group to save."""

    name: str
    condition: str


class WantedJob(NamedTuple):
    """A fleet job to save, with its schedule."""

    fleet_job_id: str
    definition: Definition
    schedule: Schedule | None  # None: it has none, or one that is not imported


class SourceDocument(NamedTuple):
    """A document, as it was read."""

    place: str  # its file, and which document of it
    content: object  # JSON


class Translated(NamedTuple):
    """A document and what it is to become: a group, a fleet job, or nothing."""

    place: str
    kind: Kind
    central_id: str | None  # None: it has none
    members: tuple[TranslatedMember, ...]
    wanted: WantedGroup | WantedJob | None = None
    reason: str = ""  # why nothing is wanted
    is_history: bool = False  # a run of the past, which is not a fault


class MemberList:
    """The members of one document, as they are translated."""

    def __init__(self) -> None:
        self._members: list[TranslatedMember] = []

    def became(self, name: str, became: str, note: str = "") -> None:
        """Record what a member became. note: what to mind; may be a Text."""
        self._members.append(TranslatedMember(name, became, note))

    def left_out(self, name: str, note: str) -> None:
        """Record a member that is not imported. note: why; may be a Text."""
        self._members.append(TranslatedMember(name, None, note))

    def all(self) -> tuple[TranslatedMember, ...]:
        """What was recorded, in its order."""
        return tuple(self._members)

    def extend(self, others: "MemberList") -> None:
        """Record what another list has."""
        self._members += others.all()
