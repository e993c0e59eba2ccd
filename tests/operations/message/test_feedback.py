"""Which feedback is shown, and which stays with the hub."""

from collections.abc import Iterator

import pytest

from azext_iotjobs.model.feedback import FeedbackRecord
from azext_iotjobs.operations.message.feedback import follow


class Batch:
    """Records, by device and message: d1/m1."""

    def __init__(self, *records: str) -> None:
        named = (each.split("/") for each in records)
        self.records = [
            FeedbackRecord(message_id=message, device_id=device, status="Success", document={})
            for device, message in named
        ]
        self.is_accepted = False

    def accept(self) -> None:
        self.is_accepted = True


class Source:
    """Gives a list of batches in each round."""

    def __init__(self, *rounds: list[Batch]) -> None:
        self.rounds = list(rounds)

    def feedback(self) -> Iterator[Batch]:
        yield from self.rounds.pop(0)


def shown(source: Source, device_id: str | None = None, message_id: str | None = None) -> list[str]:
    """What is shown until the source has no more rounds, or following ends."""
    names = []
    for each in follow(source, device_id=device_id, message_id=message_id):
        if each is not None:
            names.append(f"{each.device_id}/{each.message_id}")
        elif not source.rounds:
            break
    return names


def test_everything_is_shown_and_accepted() -> None:
    batches = [Batch("d1/m1", "d2/m2"), Batch("d1/m3")]
    assert shown(Source(batches, [])) == ["d1/m1", "d2/m2", "d1/m3"]
    assert all(each.is_accepted for each in batches)


def test_a_record_of_another_device_hides_no_other_and_stays_with_the_hub() -> None:
    mixed, other, own = Batch("d2/m0", "D1/m1"), Batch("d2/m2"), Batch("d1/m3")
    assert shown(Source([mixed, other, own]), device_id="d1") == ["D1/m1", "d1/m3"]
    assert [each.is_accepted for each in (mixed, other, own)] == [False, False, True]


@pytest.mark.parametrize("device_id", [None, "d1"])
def test_it_ends_behind_the_message_that_is_waited_for(device_id: str | None) -> None:
    others, own, later = Batch("d1/m0"), Batch("d1/m1"), Batch("d1/m2")
    source = Source([others], [own, later], [])
    assert shown(source, device_id, "m1") == ["d1/m1"]
    assert (others.is_accepted, own.is_accepted, later.is_accepted) == (False, True, False)
    assert source.rounds == [[]]
