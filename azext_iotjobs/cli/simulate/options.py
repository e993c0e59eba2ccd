"""The options of a simulation of many devices: every option that one device alone does not have."""

import re
from collections.abc import Mapping
from dataclasses import field, fields
from functools import cached_property
from typing import Any, NamedTuple

from azext_iotjobs.cli.input.json_option import Given, json_object_or_file
from azext_iotjobs.cli.input.option_groups import option_of_dest
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.selection import HOW_TO_NAME_DEVICES
from azext_iotjobs.model.simulated_devices import RUN_TAG, SIMULATED_TAG
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.transport.connect_pacing import RAMP_PER_S

HOW_TO_NAME_MANY = f"For many devices: --prefix P --count N. {HOW_TO_NAME_DEVICES}"
RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*(s|m|h))?")
SECONDS = {"s": 1, "m": 60, "h": 3600}
MAX_RAMP_PER_S = 10_000
EVERYTHING = ""  # --clean-up without a run


def _which(default: Any = None) -> Any:
    """An option that says which devices are simulated, and so does not go with --device-id."""
    return field(default=default, metadata={"says_which": True})


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """The options of simulations that several machines share, as typed: what is made of them, or for them."""

    merge: list[str] | None = None
    export: str | None = None
    image: str | None = None
    shards: int | None = None
    job_name: str | None = None
    secret_name: str | None = None

    @property
    def needs_export(self) -> str | None:
        """An option that was typed and means nothing without --export."""
        rest = [self.image, self.shards, self.job_name, self.secret_name]
        names = ("--image", "--shards", "--job-name", "--secret-name")
        return next((name for name, value in zip(names, rest, strict=True) if value is not None), None)


@dataclass(frozen=True, kw_only=True)
class SimulateOptions:
    """The options as typed; None or False where nothing was typed."""

    our_query_condition: str | None = _which()
    our_device_ids: str | None = _which()
    devices_file: str | None = _which()
    prefix: str | None = _which()
    count: int | None = _which()
    exclude: str | None = _which()
    shard: str | None = _which()
    create: bool = _which(False)
    delete_after: bool = _which(False)
    our_tags: Given | None = _which()
    clean_up: str | None = _which()
    max_devices: int | None = None
    dry_run: bool = False
    take_over: bool = False
    detach: bool = False
    issue_from_ca: str | None = None
    ca_key: str | None = None
    ramp: str | None = None
    until: list[str] | None = None
    expect: list[str] | None = None
    events: str | None = None
    report: list[str] | None = None
    overwrite: bool = False
    metrics_port: int | None = None
    metrics_bind: str | None = None

    @property
    def is_typed(self) -> bool:
        """Whether any of them was typed."""
        return bool(self.typed())

    @property
    def names_devices(self) -> bool:
        """Whether they say which devices to simulate."""
        return self.prefix is not None or self.count is not None or self._selects_devices

    @property
    def _selects_devices(self) -> bool:
        return any(each is not None for each in (self.our_query_condition, self.our_device_ids, self.devices_file))

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
    def extra_tags(self) -> Mapping[str, Any]:
        """The tags of devices that are created, beside those of every simulation. Raises BadValue."""
        if self.our_tags is None:
            return {}
        tags = json_object_or_file(self.our_tags, "--tags")
        reserved = sorted({SIMULATED_TAG, RUN_TAG} & tags.keys())
        if reserved:
            raise BadValue(
                f"--tags: {reserved[0]} is set by --create itself.", hint="Give other tags: --tags site=north"
            )
        empty = [name for name, value in tags.items() if value is None]
        if empty:
            raise BadValue(f"--tags: {shown(empty[0])} is null; a new device has no tag to remove.")
        return tags

    def typed(self, *, says_which_only: bool = False) -> Mapping[str, Any]:
        """What was typed, by option."""
        return {
            option_of_dest(each.name): getattr(self, each.name)
            for each in fields(self)
            if getattr(self, each.name) != each.default and (each.metadata.get("says_which") or not says_which_only)
        }

    def check(self, device: str | None) -> None:
        """Raise UserError when they do not fit together, or do not go with --device-id."""
        typed = self.typed(says_which_only=True)
        if device is not None and typed:
            raise ConflictingChoice(
                f"--device-id names one device; {next(iter(typed))} is for many.",
                hint="Leave one of them out; --device-ids also takes a single id.",
            )
        if self.clean_up is not None:
            self._check_clean_up()
            return
        if device is None and not self.names_devices:
            raise MissingChoice("No device is named: --device-id is missing.", hint=HOW_TO_NAME_MANY)
        self._check_prefix()
        self._check_create()
        if self.ca_key is not None and self.issue_from_ca is None:
            raise MissingChoice("--ca-key is the key of --issue-from-ca: give --issue-from-ca too.")

    def _check_clean_up(self) -> None:
        others = [option for option in self.typed() if option not in ("--clean-up", "--dry-run")]
        if others:
            raise ConflictingChoice(
                f"--clean-up removes what earlier runs left and simulates nothing; {others[0]} cannot be used with it.",
                hint="--clean-up takes a run, --dry-run, and nothing else.",
            )

    def _check_prefix(self) -> None:
        if self.prefix is None and self.count is not None:
            raise MissingChoice("--count is the number of devices of --prefix: give --prefix too.")
        if self.prefix is not None and self.count is None:
            raise MissingChoice(
                "--prefix needs --count: a prefix alone names no devices.",
                hint=f"To simulate existing devices: --query-condition with a tag. --prefix {self.prefix} --count 10",
            )
        if self.prefix is not None and self._selects_devices:
            raise ConflictingChoice("--prefix and --count name the devices; so does another option. Which are meant?")

    def _check_create(self) -> None:
        if self.create and self.prefix is None:
            raise MissingChoice("--create registers the devices of --prefix and --count: give both.")
        if self.our_tags is not None and not self.create:
            raise ConflictingChoice(
                "--tags are for the devices that --create registers: give --create too.",
                hint=Text(
                    "For existing devices: ", command("iot hub device-twin update"), " --tags …, or a job on many."
                ),
            )
        _ = self.extra_tags  # raises what cannot be read before any request
        if self.delete_after and not self.create:
            raise ConflictingChoice(
                "--delete-after removes what --create registered: give --create too.",
                hint="Devices that existed before are never removed.",
            )


class SeveralOptions(NamedTuple):
    """The options of several devices, and of several machines."""

    many: SimulateOptions
    cluster: ClusterOptions
