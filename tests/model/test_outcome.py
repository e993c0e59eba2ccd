"""What a command came to: which outcome counts, and which method statuses mean success."""

import itertools

import pytest

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.outcome import PRECEDENCE, Outcome, SuccessStatus, parse_success_status, weightiest


def test_of_any_outcomes_together_the_one_that_says_most_counts() -> None:
    assert [int(each) for each in PRECEDENCE] == [6, 7, 5, 8, 4, 10]
    for count in range(1, len(PRECEDENCE) + 1):
        for held in itertools.combinations(PRECEDENCE, count):
            assert weightiest(held) is weightiest(reversed(held)) is weightiest([*held, Outcome.SUCCESS]) is held[0]
    assert weightiest([]) is weightiest([Outcome.SUCCESS]) is Outcome.SUCCESS


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("200-399", ((200, 399),)),
        ("200", ((200, 200),)),
        (" 404 , 200 - 299 ", ((200, 299), (404, 404))),
        ("200-300,250-350,351", ((200, 351),)),
        ("0,-1", ((-1, 0),)),
        ("-5--3", ((-5, -3),)),
    ],
)
def test_ranges_are_read_and_joined(text: str, ranges: tuple[tuple[int, int], ...]) -> None:
    assert parse_success_status(text) == SuccessStatus(ranges)


@pytest.mark.parametrize("text", ["", "ok", "200-", "-", "399-200", "200..299", "200,", "2e2", "²00"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="success_status"):
        parse_success_status(text)


def test_a_status_is_in_it_at_both_ends_and_nothing_else_is() -> None:
    success = parse_success_status("200-299,404")
    assert [status for status in range(600) if status in success] == [*range(200, 300), 404]
    assert None not in success and "200" not in success


def test_the_condition_names_what_is_outside() -> None:
    condition = parse_success_status("200-299,404").outside("o.status")
    assert condition == "NOT ((o.status >= 200 AND o.status <= 299) OR (o.status >= 404 AND o.status <= 404))"
