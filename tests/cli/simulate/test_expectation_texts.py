from typing import Any

import pytest

from azext_iotjobs.cli.simulate.expectation_texts import parse_expectation, parse_until
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.simulator.claims import (
    After,
    Answered,
    Connected,
    Count,
    Expectation,
    Forever,
    Received,
    Sent,
    Share,
    TwinHas,
    Until,
)

ALL = Share()
CLAIMS: tuple[tuple[str, Any, Share, float | None], ...] = (
    ("method reboot on all within 60s", Answered("reboot"), ALL, 60.0),
    ("method reboot on 95%", Answered("reboot"), Share(percent=95), None),
    ("method * on 3 within 1.5 m", Answered("*"), Share(count=3), 90.0),
    ('method "turn on all within 1s" on 2', Answered("turn on all within 1s"), Share(count=2), None),
    ("connected on all within 250ms", Connected(), ALL, 0.25),
    ("  message   on  1  within 2h ", Received(), Share(count=1), 7200.0),
    ("telemetry on 0.5% within 1min", Sent(), Share(percent=0.5), 60.0),
    ("connected on 1 within 1d", Connected(), Share(count=1), 86_400.0),
    ("twin desired.fan.speed = 3 on all", TwinHas("desired", ("fan", "speed"), 3), ALL, None),
    ("twin desired.fan.speed=3 on all", TwinHas("desired", ("fan", "speed"), 3), ALL, None),
    ("twin properties.reported.fw == 1.2.0 on all", TwinHas("reported", ("fw",), "1.2.0"), ALL, None),
    (
        "twin reported.fw = '1 on 2 within 3' on 1",
        TwinHas("reported", ("fw",), "'1 on 2 within 3'"),
        Share(count=1),
        None,
    ),
    ('twin reported.fw = "a on b" on all within 3s', TwinHas("reported", ("fw",), "a on b"), ALL, 3.0),
    ('twin reported.a = {"b": [true, null]} on all', TwinHas("reported", ("a",), {"b": [True, None]}), ALL, None),
    ("twin reported.a = NaN on all", TwinHas("reported", ("a",), "NaN"), ALL, None),
)


@pytest.mark.parametrize(("text", "claim", "share", "within_s"), CLAIMS)
def test_expectations_are_read(text: str, claim: Any, share: Share, within_s: float | None) -> None:
    assert parse_expectation(text) == Expectation(text=text.strip(), claim=claim, share=share, within_s=within_s)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "on how many"),
        ("method reboot", "on how many"),
        ("method reboot on some", "on how many"),
        ("method reboot within 60s", "on how many"),
        ("method reboot on all within soon", "not a duration"),
        ("method reboot on all within 60", "not a duration"),
        ("method reboot on all within 0s", "not a duration"),
        ("method on all", "not a method's name"),
        ("method  on all", "not a method's name"),
        ("method two words on all", "blanks in quotes"),
        ('method "open on all', "blanks in quotes"),
        ("reboot on all", "not a claim"),
        ("method reboot on 0", "1 or more"),
        ("method reboot on 1.5", "whole"),
        ("method reboot on 0%", "more than 0"),
        ("method reboot on 101%", "at most 100"),
        ("twin fan = 3 on all", "desired.PATH"),
        ("twin desired. = 3 on all", "desired.PATH"),
        ("twin desired.a..b = 3 on all", "not a path"),
        ("twin desired." + ".".join("abcdefghijk") + " = 3 on all", "not a path"),
        ("twin desired.fan on all", "desired.PATH"),
        ("x" * 10_000, "xxx"),
        ("\x1b[31m on all", "x1b"),
    ],
)
def test_what_is_no_expectation_is_refused_with_the_grammar(text: str, said: str) -> None:
    with pytest.raises(BadValue, match="--expect") as raised:
        parse_expectation(text)
    assert said in str(raised.value)
    assert "\x1b" not in str(raised.value)
    assert len(str(raised.value)) < 300
    assert "CLAIM on all|NUMBER|PERCENT% [within DURATION]" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("60s", After("60s", 60.0)),
        (" 1.5 h ", After("1.5 h", 5400.0)),
        ("1000 messages", Count("1000 messages", "messages", 1000)),
        ("1 method", Count("1 method", "methods", 1)),
        ("all methods", Expectation(text="all methods", claim=Answered("*"), share=ALL)),
        ("method reboot on 9", Expectation(text="method reboot on 9", claim=Answered("reboot"), share=Share(count=9))),
        ("forever", Forever("forever")),
    ],
)
def test_conditions_are_read(text: str, until: Until) -> None:
    assert parse_until(text) == until


@pytest.mark.parametrize(
    "text", ["", "60", "0s", "0 messages", "-1s", "messages", "1000 calls", "never", "1e999s", "9" * 400 + "s"]
)
def test_what_is_no_condition_is_refused_with_the_grammar(text: str) -> None:
    with pytest.raises(BadValue, match="--until") as raised:
        parse_until(text)
    assert "NUMBER messages" in str(raised.value.hint)


def test_a_wrong_claim_of_until_is_refused_as_one() -> None:
    with pytest.raises(BadValue, match="--until 'reboot on all': 'reboot' is not a claim"):
        parse_until("reboot on all")


@pytest.mark.parametrize(
    ("share", "total", "needed"),
    [
        (Share(), 7, 7),
        (Share(count=3), 7, 3),
        (Share(percent=95), 10, 10),
        (Share(percent=95), 100, 95),
        (Share(percent=0.1), 10_000, 10),
        (Share(percent=70), 10, 7),
        (Share(percent=100), 3, 3),
        (Share(percent=1), 1, 1),
    ],
)
def test_percents_are_rounded_up(share: Share, total: int, needed: int) -> None:
    assert share.of(total) == needed
