"""What has to hold between the batches of a fleet job, as typed -> its Gates."""

from dataclasses import replace
from typing import Any, NamedTuple

from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.cli.input.option_groups import is_any_typed
from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.gates import CommandGate, Gates, QueryGate
from azext_iotjobs.model.share import Share, Unit, parse_share
from azext_iotjobs.operations.fleet_job.gate_command import program_of

NONE = "none"  # takes a gate, or a bound, away
MANUAL = "manual"
SUCCESS = "--gate-success"


class QueryGateOptions(NamedTuple):
    """A count of the hub's devices; None where nothing was typed."""

    gate_query: str | None = None
    gate_query_max: str | None = None
    gate_query_min: str | None = None

    @property
    def asks_hub(self) -> bool:
        """Whether the hub has to read a condition that was typed."""
        return self.gate_query not in (None, NONE)

    def onto(self, old: QueryGate | None) -> QueryGate | None:
        """A new gate, `old` with what was typed, or none. Raises UserError, naming the option."""
        changes: dict[str, Any] = {}
        for name, option, text in (
            ("most", "--gate-query-max", self.gate_query_max),
            ("least", "--gate-query-min", self.gate_query_min),
        ):
            if text is not None:
                changes[name] = None if text == NONE else parse_share(text, option)
        if self.gate_query == NONE or (self.gate_query is None and old is None):
            _check_company(changes, "--gate-query-max and --gate-query-min go with --gate-query.")
            return None
        if self.gate_query is not None:
            changes["condition"] = self.gate_query
        return QueryGate(**changes) if old is None else replace(old, **changes)


class CommandGateOptions(NamedTuple):
    """A program that decides; None where nothing was typed."""

    gate_command: str | None = None
    gate_command_timeout: str | None = None
    gate_command_shell: bool | None = None

    def onto(self, old: CommandGate | None) -> CommandGate | None:
        """A new gate, `old` with what was typed, or none. Raises UserError, naming the option."""
        changes: dict[str, Any] = {}
        if self.gate_command_timeout is not None:
            changes["timeout_s"] = duration_s(self.gate_command_timeout, "--gate-command-timeout")
        if self.gate_command_shell is not None:
            changes["through_shell"] = self.gate_command_shell
        if self.gate_command == NONE or (self.gate_command is None and old is None):
            _check_company(changes, "--gate-command-timeout and --gate-command-shell go with --gate-command.")
            return None
        if self.gate_command is not None:
            changes["line"] = self.gate_command
        gate = CommandGate(**changes) if old is None else replace(old, **changes)
        program_of(gate)  # raises for quotes that are not closed
        return gate


class GateOptions(NamedTuple):
    """What has to hold between batches; None where nothing was typed."""

    gate: str | None = None
    gate_success: str | None = None
    bake: str | None = None
    query: QueryGateOptions = QueryGateOptions()
    command: CommandGateOptions = CommandGateOptions()

    @property
    def is_typed(self) -> bool:
        """Whether anything was."""
        return is_any_typed(self)

    def onto(self, old: Gates) -> Gates:
        """`old` with what was typed. Raises UserError, naming the option."""
        changes: dict[str, Any] = {"query": self.query.onto(old.query), "command": self.command.onto(old.command)}
        if self.gate is not None:
            changes["is_manual"] = self.gate == MANUAL
        if self.gate_success is not None:
            changes["success"] = None if self.gate_success == NONE else _percent(self.gate_success)
        if self.bake is not None:
            changes["bake_s"] = 0.0 if self.bake == NONE else duration_s(self.bake, "--bake")
        return replace(old, **changes)


def _percent(text: str) -> Share:
    """What has to complete. Raises BadValue, also for a part of 1 such as 0.95, which would be less than a percent."""
    share = parse_share(text, SUCCESS, Unit.PERCENT)
    if 0 < share.value < 1 and "%" not in text:
        raise BadValue(
            f"{SUCCESS} {text.strip()} is less than 1%: write {Share(share.value * 100, Unit.PERCENT)}.",
            hint=f"If it is what you mean: {SUCCESS} {share}",
        )
    return share


def _check_company(changes: dict[str, Any], text: str) -> None:
    """Raise MissingChoice for what says something of a gate that is not there."""
    if changes:
        raise MissingChoice(text)
