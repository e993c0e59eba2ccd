"""The start-up values of a local hub, checked."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from azext_iotjobs.localhub.rules.dns_names import MAX_NAMES, BadDnsName, read_dns_name
from azext_iotjobs.localhub.rules.event import MAX_PARTITIONS, MIN_PARTITIONS
from azext_iotjobs.localhub.rules.host_names import ALL_ADDRESSES, DEFAULT_BIND, is_loopback
from azext_iotjobs.localhub.rules.quota import UNIT_LIMITS, Sku, job_slots
from azext_iotjobs.localhub.rules.seed import Seed

AMQP_PORT = 5671  # the one that clients use; most cannot be given another
MAX_TIME_SCALE = 1000  # timers are too coarse for more
MAX_KEEP_DAYS = 7  # IoT Hub "built-in endpoint": retention
GROUP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")  # Azure naming rules, Event Hubs


class BadConfig(Exception):
    """A start-up value that is not allowed."""


@dataclass(frozen=True, kw_only=True)
class LocalHubConfig:
    """Where to listen, where to store data and which limits to apply; ports 0..65535, 0 is any free one."""

    https_port: int = 8443
    mqtt_port: int = 8883
    amqp_port: int | None = None  # None: AMQP_PORT, or any free one where that is taken
    amqp_plain_port: int | None = None  # without TLS; None: none
    bind: str = DEFAULT_BIND  # an IPv4 address; beyond loopback only with dns_names
    dns_names: tuple[str, ...] = ()  # beside those of this machine, as `read_dns_name` gives them
    data_dir: Path
    upload_dir: Path | None = None  # of the storage account; None: below data_dir
    state_dir: Path | None = None  # folder of the state file; None: none is written
    ready_file: Path | None = None  # None: none is written
    ca_file: Path | None = None  # a copy of the CA's certificate for everyone; None: none is written
    in_memory: bool = False
    sku: Sku = Sku.UNLIMITED
    units: int = 1  # of the tier; 1 to UNIT_LIMITS
    time_scale: float = 1.0  # > 0 to MAX_TIME_SCALE; seconds of the hub's clock in one of the machine's
    max_active_jobs: int | None = None  # None: as the tier allows
    keep_events_days: int | None = None  # 1 to MAX_KEEP_DAYS, on disk; None: events are in memory only
    partitions: int | None = None  # of events; None: 4, or as many as events were kept in
    consumer_groups: tuple[str, ...] = ()  # beside $Default
    seed: Seed | None = None  # what the hub is to begin with
    seed_file: Path | None = None  # which it was read from, for errors
    log_file: Path | None = None  # None: the log goes to stderr only

    def __post_init__(self) -> None:
        self._check_ports()
        self._check_addresses()
        if self.max_active_jobs is not None and self.max_active_jobs < 1:
            raise BadConfig(f"--max-active-jobs {self.max_active_jobs}: give 1 or more.")
        self._check_tier()
        self._check_events()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses to listen at: "localhost" includes ::1, and leads to a hub that others reach too."""
        if not self.is_local:
            return (self.bind, "::1") if self.bind == ALL_ADDRESSES else (self.bind, DEFAULT_BIND, "::1")
        return (self.bind, "::1") if self.bind == DEFAULT_BIND else (self.bind,)

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the hub."""
        return is_loopback(self.bind)

    @property
    def storage_dir(self) -> Path:
        """The folder of the storage account. One of a hub in memory holds nothing of an earlier hub."""
        return self.upload_dir or self.data_dir / ("storage.in-memory" if self.in_memory else "storage")

    @property
    def job_slots(self) -> int | None:
        """How many jobs may be active at once; None: any number."""
        return job_slots(self.sku) if self.max_active_jobs is None else self.max_active_jobs

    def _check_ports(self) -> None:
        given = {
            "--https-port": self.https_port,
            "--mqtt-port": self.mqtt_port,
            "--amqp-port": self.amqp_port,
            "--amqp-plain-port": self.amqp_plain_port,
        }
        options: dict[int, str] = {}
        for option, port in given.items():
            if port is None:
                continue
            if not 0 <= port <= 65535:
                raise BadConfig(f"{option} {port}: give a port from 0 to 65535.")
            if port in options:
                raise BadConfig(f"{options[port]} and {option} are both {port}: give two different ports.")
            if port != 0:
                options[port] = option

    def _check_addresses(self) -> None:
        if len(self.dns_names) > MAX_NAMES:
            raise BadConfig(f"--dns-name: {len(self.dns_names)} names; a hub has at most {MAX_NAMES}.")
        if not _is_ipv4(self.bind):
            raise BadConfig(f"--bind {self.bind}: give an IPv4 address: 127.0.0.N, or with --dns-name {ALL_ADDRESSES}.")
        if self.is_local:
            return
        if not self.dns_names:
            raise BadConfig(
                f"--bind {self.bind}: others than this machine would reach the hub there, and it has no name that they "
                "could trust. Give 127.0.0.N, or --dns-name too, the name that they call it by: "
                f"--bind {self.bind} --dns-name iothub."
            )
        if self.amqp_plain_port is not None:
            raise BadConfig(
                f"--amqp-plain-port and --bind {self.bind}: keys and messages would pass through the network as "
                "they are. Without TLS the hub listens on loopback only: leave one of them out."
            )

    def _check_tier(self) -> None:
        most = UNIT_LIMITS.get(self.sku.value)
        if most is None:
            if self.units != 1:
                raise BadConfig(
                    f"--units {self.units}: a hub without a tier has no quotas; give --sku F1, S1, S2 or S3 too."
                )
        elif not 1 <= self.units <= most:
            raise BadConfig(f"--units {self.units}: {self.sku.value} has {f'1 to {most}' if most > 1 else '1'}.")
        if not 0 < self.time_scale <= MAX_TIME_SCALE:
            raise BadConfig(f"--time-scale {self.time_scale:g}: give more than 0 and at most {MAX_TIME_SCALE}.")

    def _check_events(self) -> None:
        days = self.keep_events_days
        if days is not None and not 1 <= days <= MAX_KEEP_DAYS:
            raise BadConfig(f"--keep-events {days}: give 1 to {MAX_KEEP_DAYS} days.")
        if days is not None and self.in_memory:
            raise BadConfig(
                "--keep-events stores events on disk, and --in-memory stores nothing: give only one of them."
            )
        if self.partitions is not None and not MIN_PARTITIONS <= self.partitions <= MAX_PARTITIONS:
            raise BadConfig(f"--partitions {self.partitions}: give {MIN_PARTITIONS} to {MAX_PARTITIONS}.")
        for name in self.consumer_groups:
            if not GROUP_NAME.fullmatch(name):
                raise BadConfig(
                    f"--consumer-groups {name!a}: a consumer group has 1 to 50 letters, digits, dots, dashes and "
                    "underscores, and begins with a letter or digit. Several are separated by spaces; $Default is "
                    "always there."
                )


def read_dns_names(texts: Iterable[str]) -> tuple[str, ...]:
    """The names of --dns-name, each once, in their order. Raises BadConfig."""
    try:
        return tuple(dict.fromkeys(map(read_dns_name, texts)))
    except BadDnsName as err:
        raise BadConfig(f"--dns-name {err}") from err


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
