"""Devices -> batches, samples, hub jobs' ids and conditions. Pure: random numbers and rows are arguments.

Which devices share a batch depends on their order alone: as they were named, or by their ids.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import ceil

from azext_iotjobs.model.attempt import Attempt
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.query import MAX_CHARACTERS, in_list, of_module, quoted
from azext_iotjobs.model.rerun import JOB_ID_CHARACTERS, words_of
from azext_iotjobs.model.rollout import CLASS_WORDS, BatchSizes
from azext_iotjobs.model.run_state import DeviceState

RUN_KEY_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
RUN_KEY_LENGTH = 8
AS_DASHES = str.maketrans("._", "--")  # a hub's job id has neither; the run's key keeps them apart all the same
ALL = "all"
IN_PROGRESS = "in-progress"  # a call or a hub job is operating it, or may be; its row says `calling` or `pending`
STATE_WORDS = tuple(IN_PROGRESS if each is DeviceState.CALLING else each.value for each in DeviceState)
WORDS = tuple(dict.fromkeys((ALL, *STATE_WORDS, *CLASS_WORDS)))


def parse_words(text: str) -> frozenset[str]:
    """ "failed,uncertain" or "offline" -> words of WORDS. Raises BadValue."""
    return words_of(text, WORDS, "failed")


@dataclass(frozen=True)
class PlannedBatch:
    """A batch: devices first..last, numbered from 1."""

    ordinal: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """How many devices it has."""
        return self.last - self.first + 1


def batches(total: int, sizes: BatchSizes) -> Iterator[PlannedBatch]:
    """Devices 1..total in batches: each in exactly one."""
    first = 1
    for ordinal, size in enumerate(sizes.counts(total), start=1):
        yield PlannedBatch(ordinal, first, first + size - 1)
        first += size


def sample_size(total: int, percent: Fraction) -> int:
    """How many devices a sample has: rounded up."""
    return ceil(total * percent / 100)


def sample_rank(seed: int, device_id: str, module_id: str | None) -> int:
    """A number that looks random and is the same each time; devices with the smallest ones are the sample.

    seed: another one gives another sample.  device_id, module_id: whose number.
    """
    text = f"{seed}\n{device_id}\n{module_id or ''}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1  # SQLite's integers are signed


def run_key(numbers: Sequence[int]) -> str:
    """RUN_KEY_LENGTH random numbers, 0 or more, as letters."""
    return "".join(RUN_KEY_LETTERS[each % len(RUN_KEY_LETTERS)] for each in numbers)


def hub_job_id(fleet_job_id: str, key: str, batch: int, number: int) -> str:
    """The id of a hub job: from stored rows alone, so the same again after a crash.

    key: the run's.  batch, number: the batch, and which of its hub jobs; 1 or more.
    """
    legal = fleet_job_id.translate(AS_DASHES)
    job_id = f"{legal}-{key}-b{batch}" + ("" if number == 1 else f"-{number}")
    assert len(job_id) <= JOB_ID_CHARACTERS
    return job_id


@dataclass(frozen=True)
class PlannedHubJob:
    """What one hub job operates: devices, or modules of one name."""

    condition: str
    devices: tuple[Attempt, ...]


def hub_jobs(devices: Iterable[Attempt]) -> Iterator[PlannedHubJob]:
    """Hub jobs for devices, each with a condition that a hub accepts; each device in exactly one."""
    taken: list[Attempt] = []
    size = 0
    for device in devices:
        more = len(quoted(device.device_id)) + 2
        is_other = bool(taken) and taken[0].module_id != device.module_id
        if taken and (is_other or size + more > MAX_CHARACTERS):
            yield PlannedHubJob(_condition(taken), tuple(taken))
            taken = []
        if not taken:
            size = len(_condition([]) if device.module_id is None else of_module(device.module_id) + _condition([]))
        taken.append(device)
        size += more
    if taken:
        yield PlannedHubJob(_condition(taken), tuple(taken))


def _condition(devices: Sequence[Attempt]) -> str:
    listed = in_list("deviceId", (each.device_id for each in devices))
    module_id = devices[0].module_id if devices else None
    return listed if module_id is None else of_module(module_id) + listed
