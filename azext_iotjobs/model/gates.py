"""Gates: what has to hold after a batch has ended and before the next begins; and where a batch stands with them. Pure.

Which verdict a gate gives is decided in fleet_job/gates.py.
"""

import re
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction

from azext_iotjobs.model.condition import check_condition
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.query_words import check_words
from azext_iotjobs.model.share import Share, Unit
from azext_iotjobs.model.text import Field, Text, shown_duration
from azext_iotjobs.model.whole_condition import check_whole

MAX_BAKE_S = 30 * 24 * 3600.0  # the hub keeps what jobs did for 30 days
COMMAND_TIMEOUT_S = 300.0
LONGEST_COMMAND_S = 24 * 3600.0
MAX_COMMAND_CHARACTERS = 8000  # what a command line of Windows takes is 8191
# No process can be given these; of the halves, Python has some for bytes of file names that are no text.
NO_ARGUMENT = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")
CONDITION, COMMAND = Field("gate_query"), Field("gate_command")


class GateKind(Enum):
    """Which gate; in the order in which they are evaluated."""

    BAKE = "bake"  # time passes; devices that were verified must still be good then
    SUCCESS = "success"  # so much of the batch has completed
    QUERY = "query"  # a count of the hub's devices is within bounds
    COMMAND = "command"  # a program says so by its exit code
    MANUAL = "manual"  # somebody approves


@dataclass(frozen=True, kw_only=True)
class QueryGate:
    """How many of the hub's devices a condition may match: `least` to `most`. Raises UserError, naming the field."""

    condition: str  # WHERE part of a twin query on devices
    least: Share | None = None  # percent are of all devices of the hub
    most: Share | None = None

    def __post_init__(self) -> None:
        if not self.condition.strip():
            raise MissingChoice(Text(CONDITION, " is blank."), hint=Text.of('{gate_query} "tags.alarm = true"'))
        if self.condition.split()[0].upper() == "FROM":
            raise BadValue(
                Text(CONDITION, ": give what follows WHERE; it is about devices, of which a hub can say how many."),
                hint=Text.of('{gate_query} "properties.reported.errors > 0"'),
            )
        check_condition(self.condition, CONDITION)
        check_whole(self.condition, CONDITION)
        check_words(self.condition, CONDITION)
        if self.least is None and self.most is None:
            raise MissingChoice(
                Text.of("{gate_query} has no bound: give {gate_query_max}, {gate_query_min} or both."),
                hint=Text.of("{gate_query_max} 5, or {gate_query_max} 1%"),
            )
        if self.least and self.most and self.least.unit is self.most.unit and self.least.value > self.most.value:
            raise ConflictingChoice(
                Text.of(
                    "{gate_query_min} {least} is more than {gate_query_max} {most}: no count is within both.",
                    least=self.least,
                    most=self.most,
                )
            )

    @property
    def is_of_all(self) -> bool:
        """Whether a bound is a share of all devices of the hub, so that these have to be counted, too."""
        return any(each is not None and each.unit is Unit.PERCENT for each in (self.least, self.most))


@dataclass(frozen=True, kw_only=True)
class CommandGate:
    """A program whose exit code is the verdict: 0 go, 1 stop, any other inconclusive. Raises UserError."""

    line: str  # program and arguments, or what a shell is given
    timeout_s: float = COMMAND_TIMEOUT_S
    through_shell: bool = False

    def __post_init__(self) -> None:
        if not self.line.strip():
            raise MissingChoice(Text(COMMAND, " is blank."), hint=Text.of('{gate_command} "./check-alarms.sh north"'))
        if NO_ARGUMENT.search(self.line) or len(self.line) > MAX_COMMAND_CHARACTERS:
            text = (
                f": give at most {MAX_COMMAND_CHARACTERS} characters, without zero characters and halves of characters."
            )
            raise BadValue(Text(COMMAND, text))
        if not 1 <= self.timeout_s <= LONGEST_COMMAND_S:
            raise BadValue(Text.of("{gate_command_timeout} {seconds}s: give 1s to 24h.", seconds=f"{self.timeout_s:g}"))


@dataclass(frozen=True, kw_only=True)
class Gates:
    """What stands between batches; without arguments nothing. Raises BadValue."""

    bake_s: float = 0.0  # how long nothing begins after a batch; its devices have to stay as they were verified
    success: Share | None = None  # percent of the batch's devices that must have completed
    query: QueryGate | None = None
    command: CommandGate | None = None
    is_manual: bool = False  # somebody has to approve

    def __post_init__(self) -> None:
        if not 0 <= self.bake_s <= MAX_BAKE_S:
            most = shown_duration(MAX_BAKE_S)
            raise BadValue(Text(Field("bake"), f" {shown_duration(self.bake_s)}: give 0 to {most}."))
        if self.success is not None and self.success.unit is not Unit.PERCENT:
            raise BadValue(
                Text(Field("gate_success"), f": {self.success} is a number of devices; give a percentage such as 95%.")
            )
        if self.success is not None and self.success.value <= Fraction(0):
            raise BadValue(Text(Field("gate_success"), ": give more than 0% and at most 100%."))

    @property
    def kinds(self) -> tuple[GateKind, ...]:
        """Those that there are, in the order in which they are evaluated."""
        there = {
            GateKind.BAKE: self.bake_s > 0,
            GateKind.SUCCESS: self.success is not None,
            GateKind.QUERY: self.query is not None,
            GateKind.COMMAND: self.command is not None,
            GateKind.MANUAL: self.is_manual,
        }
        return tuple(kind for kind in GateKind if there[kind])

    def next_kind(self, standing: "BatchGates") -> GateKind | None:
        """The first gate that a batch has not passed; None: it has passed all."""
        passed = {each.kind for each in standing.verdicts if each.passes}
        return next((kind for kind in self.kinds if kind not in passed), None)

    def bakes_until(self, standing: "BatchGates") -> datetime | None:
        """When the time of the bake is over; None: it has passed, or there is none."""
        if self.next_kind(standing) is not GateKind.BAKE:
            return None
        return standing.since + timedelta(seconds=self.bake_s)


class GateDecision(Enum):
    """What a gate says."""

    GO = "go"
    STOP = "stop"
    INCONCLUSIVE = "inconclusive"  # it could not be evaluated, or says so itself


@dataclass(frozen=True, kw_only=True)
class GateVerdict:
    """What a gate said of a batch."""

    kind: GateKind
    decision: GateDecision
    reason: str  # in words, for people
    at: datetime
    accepted_at: datetime | None = None  # of a STOP: when somebody has resumed over it

    @property
    def passes(self) -> bool:
        """Whether the next gate is evaluated."""
        return self.decision is GateDecision.GO or self.accepted_at is not None


@dataclass(frozen=True, kw_only=True)
class GateAnswer:
    """What somebody said of a batch that waits for approval."""

    is_approved: bool
    by: str
    reason: str | None
    at: datetime

    @property
    def words(self) -> str:
        """Such as "approved by ann@host: looks fine"."""
        what = "approved" if self.is_approved else "rejected"
        return f"{what} by {self.by}{'' if self.reason is None else f': {self.reason}'}"


@dataclass(frozen=True, kw_only=True)
class BatchGates:
    """Where a batch stands with its gates."""

    since: datetime  # its devices had ended
    verdicts: tuple[GateVerdict, ...] = ()  # of each gate the last one, in the order in which they were evaluated
    answer: GateAnswer | None = None  # for the manual gate; it may not have been seen yet

    def verdict_of(self, kind: GateKind) -> GateVerdict | None:
        """What a gate said; None: nothing yet."""
        return next((each for each in self.verdicts if each.kind is kind), None)

    @property
    def last_at(self) -> datetime:
        """When the gate that is evaluated now was reached."""
        return max((self.since, *(each.accepted_at or each.at for each in self.verdicts)))
