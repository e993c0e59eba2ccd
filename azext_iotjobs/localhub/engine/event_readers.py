"""Who reads which partition for which consumer group, and who has to give way.

A reader may have an owner level, the epoch: it is then the only one of its group at its partition, and gives way to one
whose level is as high or higher. Readers without one share the partition, five at most.
Source: Event Hubs "event consumers"; the texts and conditions of a live service, azure-sdk-for-java issues 26583 and
38117, azure-event-hubs-go issue 181.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from azext_iotjobs.localhub.rules.event import DEFAULT_GROUP

MAX_READERS = 5  # without an owner level, of one partition and consumer group


class ReaderRefused(Exception):
    """A reader may not read now; the text is for its client. is_owned: by one with an owner level."""

    def __init__(self, text: str, *, is_owned: bool) -> None:
        super().__init__(text)
        self.is_owned = is_owned


class Reader(Protocol):
    """One that reads a partition."""

    name: str
    epoch: int | None  # None: it shares the partition

    def give_way(self, reason: str) -> None:
        """It has to stop: another reader has taken the partition."""


class GroupPartition(NamedTuple):
    """A consumer group's view of a partition."""

    group: str
    number: int  # of the partition


class EventReaders:
    """All readers of a hub. groups: the consumer groups that there are beside $Default."""

    def __init__(self, groups: Iterable[str] = ()) -> None:
        self._groups = {each.lower(): each for each in (DEFAULT_GROUP, *groups)}
        self._readers: dict[GroupPartition, list[Reader]] = {}

    @property
    def groups(self) -> list[str]:
        """The names of all consumer groups."""
        return list(self._groups.values())

    def group(self, name: str) -> str | None:
        """A consumer group, in whatever case it is written; None when there is none."""
        return self._groups.get(name.lower())

    def enter(self, partition: GroupPartition, reader: Reader) -> None:
        """A reader begins; those that it drives out stop first. Raises ReaderRefused."""
        others = self._readers.get(partition, [])
        if reader.epoch is None:
            _check_shared(others)
            self._readers.setdefault(partition, []).append(reader)
            return
        for other in others:
            if other.epoch is not None and other.epoch > reader.epoch:
                raise ReaderRefused(
                    f"Receiver {other.name!a} with a higher epoch {other.epoch} already exists. Receiver "
                    f"{reader.name!a} with epoch {reader.epoch} cannot be created: use a higher epoch, or close the "
                    "other one.",
                    is_owned=True,
                )
        self._readers[partition] = [reader]
        for other in others:
            other.give_way(
                f"New receiver {reader.name!a} with epoch {reader.epoch} is created, hence receiver {other.name!a} is "
                "getting disconnected: only one receiver with an epoch may read a partition."
            )

    def leave(self, partition: GroupPartition, reader: Reader) -> None:
        """A reader has stopped; a second call does nothing."""
        left = [each for each in self._readers.get(partition, []) if each is not reader]
        if left:
            self._readers[partition] = left
        else:
            self._readers.pop(partition, None)


def _check_shared(others: list[Reader]) -> None:
    owner = next((each.epoch for each in others if each.epoch is not None), None)
    if owner is not None:
        raise ReaderRefused(
            f"At least one receiver for the endpoint is created with epoch of {owner}, and so a receiver without an "
            "epoch is not allowed: use a higher epoch, or close all receivers that have one.",
            is_owned=True,
        )
    if len(others) >= MAX_READERS:
        names = ", ".join(ascii(each.name) for each in others)
        raise ReaderRefused(
            f"Exceeded the maximum number of allowed receivers per partition in a consumer group, which is "
            f"{MAX_READERS}. Connected receivers: {names}.",
            is_owned=False,
        )
