"""A job once more, on some of its devices: which they are, and the conditions and ids of the new jobs. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.query import in_lists, of_module
from azext_iotjobs.model.result import ENDED, ErrorClass
from azext_iotjobs.model.text import Field, Text

ON = Field("on")  # which devices of the job, or of the run
JOB_ID_CHARACTERS = 64
FAILED, PENDING, ALL = "failed", "pending", "all"
WORDS = (FAILED, PENDING, ALL, *(each.value for each in ErrorClass))  # a file of results may say not-verified


@dataclass(frozen=True)
class Chosen:
    """Which devices of a job are meant: words of WORDS."""

    words: frozenset[str]

    def holds(self, status: str, error_class: str | None) -> bool:
        """Whether a device is meant.

        status: of its row, the hub's word.  error_class: a word of ErrorClass; None: it has not failed.
        """
        if ALL in self.words or (error_class is not None and {FAILED, error_class} & self.words):
            return True
        return PENDING in self.words and status.lower() not in ENDED


def words_of(text: str, known: Sequence[str], example: str) -> frozenset[str]:
    """ "offline,timeout" -> its words: which devices are operated once more.

    known: the words that there are, in lower case.  example: some of them, for the error.
    Raises BadValue for another word, and for none.
    """
    words = frozenset(filter(None, (word.strip().lower() for word in text.split(","))))
    if not words or not words.issubset(known):
        raise BadValue(
            Text(ON, f" {text[:60]!r}: give one or more of {', '.join(known)}."),
            hint=Text("For example ", ON, f" {example}"),
        )
    return words


def parse_chosen(text: str) -> Chosen:
    """ "offline,timeout" -> which devices of a job. Raises BadValue."""
    return Chosen(words_of(text, WORDS, "offline,timeout"))


def conditions(targets: Iterable[Address]) -> Iterator[str]:
    """Conditions that select each target once, none longer than a hub takes; devices first, then module by module."""
    by_module: dict[str | None, dict[str, None]] = {}
    for target in targets:
        by_module.setdefault(target.module_id, {})[target.device_id] = None
    for module_id in sorted(by_module, key=lambda each: each or ""):
        prefix = "" if module_id is None else of_module(module_id)
        yield from (prefix + each for each in in_lists("deviceId", by_module[module_id], len(prefix)))


def new_job_id(parent_id: str, suffix: str) -> str:
    """The id of a job made from another one: short enough for a hub."""
    return parent_id[: JOB_ID_CHARACTERS - len(suffix)] + suffix


def part_ids(job_id: str, count: int) -> list[str]:
    """The ids of `count` jobs that do one job's work together: its own, or with numbers behind it."""
    return [job_id] if count == 1 else [new_job_id(job_id, f"-{number}") for number in range(1, count + 1)]
