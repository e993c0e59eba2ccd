"""The devices of a fleet job, as typed -> its Targets."""

from dataclasses import replace
from typing import Any, NamedTuple

from azext_iotjobs.cli.input.device_selection import SelectionOptions
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.fleet_job import Targets
from azext_iotjobs.model.run import Narrowed
from azext_iotjobs.model.selection import HOW_TO_NAME_DEVICES
from azext_iotjobs.model.share import Unit, parse_share
from azext_iotjobs.model.text import Text, command

LIST_GROUPS = Text("List the ones there are: ", command("iot hub fleet-job group list"))


class LimitOptions(NamedTuple):
    """Fewer of the devices; None where nothing was typed."""

    limit: int | None = None  # 0: no limit
    sample: str | None = None
    seed: int | None = None
    max_devices: int | None = None

    def onto(self, old: Targets) -> Targets:
        """`old` with what was typed. Raises UserError, naming the option."""
        return _changed(old, self.changes())

    def changes(self) -> dict[str, Any]:
        """Members of Targets that were typed. Raises UserError, naming the option."""
        changes: dict[str, Any] = {}
        if self.limit is not None:
            changes |= {"limit": at_least(self.limit, 0, "--limit") or None, "sample_percent": None}
        if self.sample is not None:
            changes["sample_percent"] = parse_share(self.sample, "--sample", Unit.PERCENT).value
            changes.setdefault("limit", None)
        if self.seed is not None:
            changes["seed"] = self.seed
        if self.max_devices is not None:
            changes["max_devices"] = self.max_devices
        return changes

    def narrowed(self, targets: Targets) -> Narrowed | None:
        """Which of a definition's devices one run has; None: nothing was typed. Raises UserError."""
        if self.limit is None and self.sample is None and self.seed is None:
            return None
        fewer = self.onto(targets)
        return Narrowed(limit=fewer.limit, sample_percent=fewer.sample_percent, seed=fewer.seed)


class TargetOptions(NamedTuple):
    """Which devices; None where nothing was typed."""

    selection: SelectionOptions = SelectionOptions()
    group: str | None = None
    limits: LimitOptions = LimitOptions()

    @property
    def asks_hub(self) -> bool:
        """Whether the hub has to read what was typed: a condition, or a group, which is one."""
        return self.selection.our_query_condition is not None or self.group is not None

    def onto(self, old: Targets | None) -> Targets:
        """New targets, or `old` with what was typed. Raises UserError, naming the option."""
        names_devices = self.selection.names_devices or self.group is not None
        if old is None and not names_devices:
            raise MissingChoice("No devices are named.", hint=f"{HOW_TO_NAME_DEVICES} A saved group: --group NAME.")
        changes: dict[str, Any] = {}
        if names_devices:
            changes |= {"selection": None, "group": None, "of_run": None, "excluded": ()}
        changes |= self._selection_changes(old)
        if self.group is not None:
            if not self.group.strip():
                raise BadValue("--group is empty.", hint=LIST_GROUPS)
            changes["group"] = self.group
        return _changed(old, changes | self.limits.changes())

    def _selection_changes(self, old: Targets | None) -> dict[str, Any]:
        if self.selection.names_devices:
            return {"selection": self.selection.read()}
        if self.selection.exclude is None:
            return {}
        excluded = self.selection.read_excluded()
        selection = None if old is None or self.group is not None else old.selection
        if selection is None:
            return {"excluded": excluded}
        return {"selection": replace(selection, excluded=excluded)}


def _changed(old: Targets | None, changes: dict[str, Any]) -> Targets:
    targets = Targets(**changes) if old is None else replace(old, **changes)
    if "seed" in changes and targets.sample_percent is None:
        raise MissingChoice("--seed needs --sample.", hint="--sample 5% --seed 7")
    return targets
