"""What is typed about a fleet of simulated devices: every option that one device alone does not have."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from azext_iotjobs.cli.input.json_option import Given, json_object_or_file
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.fleets import RUN_TAG, SIMULATED_TAG
from azext_iotjobs.model.selection import HOW_TO_NAME_DEVICES
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.transport.pacing import RAMP_PER_S

HOW_TO_NAME_A_FLEET = f"For a fleet: --prefix P --count N. {HOW_TO_NAME_DEVICES}"
RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*(s|m|h))?")
SECONDS = {"s": 1, "m": 60, "h": 3600}
MAX_RAMP_PER_S = 10_000
EVERYTHING = ""  # --clean-up without a run


def _member(option: str, default: Any = None) -> Any:
    """An option that says which devices there are, and so does not go with --device-id."""
    return field(default=default, metadata={"option": option, "is_member": True})


def _other(option: str, default: Any = None) -> Any:
    return field(default=default, metadata={"option": option, "is_member": False})


@dataclass(frozen=True, kw_only=True)
class FleetOptions:
    """The options by their dest; None or False where nothing was typed."""

    condition: str | None = _member("--query-condition")
    named_devices: str | None = _member("--device-ids")
    devices_path: str | None = _member("--devices-file")
    id_prefix: str | None = _member("--prefix")
    fleet_size: int | None = _member("--count")
    left_out: str | None = _member("--exclude")
    shard: str | None = _member("--shard")
    creates: bool = _member("--create", False)
    deletes_after: bool = _member("--delete-after", False)
    tags_json: Given | None = _member("--tags")
    cleans_up: str | None = _member("--clean-up")
    devices_at_most: int | None = _other("--max-devices")
    only_plans: bool = _other("--dry-run", False)
    takes_over: bool = _other("--take-over", False)
    ca_path: str | None = _other("--issue-from-ca")
    ca_key_path: str | None = _other("--ca-key")
    ramp: str | None = _other("--ramp")
    until: list[str] | None = _other("--until")
    expected: list[str] | None = _other("--expect")
    events_path: str | None = _other("--events")
    overwrites_events: bool = _other("--overwrite", False)
    metrics_port: int | None = _other("--metrics-port")
    metrics_address: str | None = _other("--metrics-bind")

    @property
    def is_typed(self) -> bool:
        """Whether any of them was typed."""
        return bool(self.typed())

    @property
    def names_devices(self) -> bool:
        """Whether they say which devices are meant."""
        named = (self.condition, self.named_devices, self.devices_path, self.id_prefix, self.fleet_size)
        return any(each is not None for each in named)

    @property
    def ramp_per_s(self) -> float:
        """Connections to begin in a second. Raises BadValue."""
        if self.ramp is None:
            return RAMP_PER_S
        found = RATE.fullmatch(self.ramp.strip())
        per_s = float(found[1]) / SECONDS[found[2] or "s"] if found else 0.0
        if not 0 < per_s <= MAX_RAMP_PER_S:
            raise BadValue(
                f"--ramp {self.ramp}: give connections a second such as 200/s or 600/m, more than 0 and at most "
                f"{MAX_RAMP_PER_S} a second."
            )
        return per_s

    @cached_property
    def tags(self) -> Mapping[str, Any]:
        """Of the devices that are made, beside those of a simulation. Raises BadValue."""
        if self.tags_json is None:
            return {}
        tags = json_object_or_file(self.tags_json, "--tags")
        ours = sorted({SIMULATED_TAG, RUN_TAG} & tags.keys())
        if ours:
            raise BadValue(f"--tags: {ours[0]} is set by --create itself.", hint="Give other tags: --tags site=north")
        empty = [name for name, value in tags.items() if value is None]
        if empty:
            raise BadValue(f"--tags: {shown(empty[0])} is null; a device that is made has no tag to take away.")
        return tags

    def typed(self, *, members_only: bool = False) -> Mapping[str, Any]:
        """What was typed, by option."""
        return {
            each.metadata.get("option", each.name): getattr(self, each.name)
            for each in fields(self)
            if getattr(self, each.name) != each.default and (each.metadata.get("is_member") or not members_only)
        }

    def check(self, device: str | None) -> None:
        """Raise UserError when they do not fit together, or beside --device-id."""
        typed = self.typed(members_only=True)
        if device is not None and typed:
            raise ConflictingChoice(
                f"--device-id is one device; {next(iter(typed))} is about a fleet.",
                hint="Leave one of them out; --device-ids takes one id too.",
            )
        if self.cleans_up is not None:
            self._check_alone({"--clean-up", "--dry-run"})
            return
        if device is None and not self.names_devices:
            raise MissingChoice("No device is named: --device-id is missing.", hint=HOW_TO_NAME_A_FLEET)
        self._check_prefix()
        if self.ca_key_path is not None and self.ca_path is None:
            raise MissingChoice("--ca-key is the key of --issue-from-ca, which is missing.")

    def _check_alone(self, together: set[str]) -> None:
        others = [option for option in self.typed() if option not in together]
        if others:
            raise ConflictingChoice(
                f"--clean-up removes what earlier runs left and simulates nothing; {others[0]} does not go with it.",
                hint="--clean-up takes a run, --dry-run, and nothing else.",
            )

    def _check_prefix(self) -> None:
        named = (self.condition, self.named_devices, self.devices_path)
        if self.id_prefix is None and self.fleet_size is not None:
            raise MissingChoice("--count says how many devices --prefix means, which is missing.")
        if self.id_prefix is not None and self.fleet_size is None:
            raise MissingChoice(
                "--prefix needs --count: a prefix alone names no devices.",
                hint=f"For whatever is there: --query-condition, with a tag. --prefix {self.id_prefix} --count 10",
            )
        if self.id_prefix is not None and any(each is not None for each in named):
            raise ConflictingChoice("--prefix and --count name the devices; so does another option. Which are meant?")
        if self.creates and self.id_prefix is None:
            raise MissingChoice("--create registers the devices of --prefix and --count, which are missing.")
        if self.tags_json is not None and not self.creates:
            raise ConflictingChoice(
                "--tags are those of the devices that --create makes, which is missing.",
                hint=Text(
                    "Devices that are there: ", command("iot hub device-twin update"), " --tags …, or a job on many."
                ),
            )
        _ = self.tags  # what cannot be read is said before anything is asked of the hub
        if self.deletes_after and not self.creates:
            raise ConflictingChoice(
                "--delete-after removes what --create made, which is missing.",
                hint="Devices that are there already are never removed.",
            )
