"""What --expect and --until take: text -> claims, expectations and end conditions.

EXPECTATION  CLAIM on WHO [within DURATION]
CLAIM        connected | method NAME | message | telemetry | twin PATH = VALUE
WHO          all | NUMBER | NUMBER%
UNTIL        DURATION | NUMBER messages | NUMBER methods | all methods | CLAIM on WHO | forever
DURATION     30s | 5m | 1.5h | 250ms: as other durations, always with a unit
"""

import json
import re
from typing import Any

from azext_iotjobs.cli.input.durations import with_unit_s
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.simulator.claims import (
    ANY_METHOD,
    After,
    Answered,
    Claim,
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

MAX_PATH_DEPTH = 10  # as deep as a hub allows twins to be

EXPECT_GRAMMAR = (
    "CLAIM on all|NUMBER|PERCENT% [within DURATION], where CLAIM is one of: connected, method NAME, message, "
    "telemetry, twin desired.PATH = VALUE, twin reported.PATH = VALUE"
)
EXPECT_EXAMPLES = (
    '"method reboot on all within 60s", "connected on 95% within 2m", \'twin reported.firmware.version = "1.2" on 100\''
)
UNTIL_GRAMMAR = "DURATION, NUMBER messages, NUMBER methods, all methods, forever, or a CLAIM as for --expect"
UNTIL_EXAMPLES = '60s, 5m, "1000 messages", "all methods", "method reboot on all"'

_WHO = re.compile(r"(?P<claim>.*\S)\s+on\s+(?:(?P<all>all)|(?P<number>\d{1,9}(?:\.\d{1,6})?)\s*(?P<percent>%)?)", re.S)
_WITHIN = re.compile(r"(?P<rest>.*\S)\s+within\s+(?P<duration>\S+(?:\s*\w+)?)", re.S)
_COUNT = re.compile(r"(\d{1,12})\s+(messages?|methods?)")
_TWIN = re.compile(
    r"twin\s+(?:properties\.)?(?P<side>desired|reported)\.(?P<path>[^\s=]+)\s*={1,2}\s*(?P<value>.+)", re.S
)


def parse_expectation(text: str, option: str = "--expect") -> Expectation:
    """Read an expectation. Raises BadValue, which shows the grammar."""
    rest, within_s = text.strip(), None
    found = _WITHIN.fullmatch(rest)
    if found is not None:
        within_s = with_unit_s(found["duration"])
        if within_s is None:
            raise _bad_expectation(text, f"{shown(found['duration'])} is not a duration such as 60s or 5m", option)
        rest = found["rest"]
    who = _WHO.fullmatch(rest)
    if who is None:
        raise _bad_expectation(text, "it does not say on how many devices", option)
    claim = _claim(who["claim"])
    if isinstance(claim, str):
        raise _bad_expectation(text, claim, option)
    share = _share(who)
    if isinstance(share, str):
        raise _bad_expectation(text, share, option)
    return Expectation(text=text.strip(), claim=claim, share=share, within_s=within_s)


def parse_until(text: str) -> Until:
    """Read an end condition. Raises BadValue, which shows the grammar."""
    stripped = text.strip()
    if stripped == "forever":
        return Forever(stripped)
    if stripped == "all methods":
        return Expectation(text=stripped, claim=Answered(ANY_METHOD), share=Share())
    seconds = with_unit_s(stripped)
    if seconds is not None:
        return After(stripped, seconds)
    count = _COUNT.fullmatch(stripped)
    if count is not None and int(count[1]) > 0:
        return Count(stripped, count[2].rstrip("s") + "s", int(count[1]))
    if _WHO.fullmatch(stripped) is not None:
        return parse_expectation(stripped, "--until")
    raise BadValue(
        f"--until {shown(text)} does not say when to end.", hint=f"Give {UNTIL_GRAMMAR}: for example {UNTIL_EXAMPLES}."
    )


def _share(who: re.Match[str]) -> Share | str:
    if who["all"]:
        return Share()
    number = float(who["number"])
    if who["percent"]:
        return Share(percent=number) if 0 < number <= 100 else "a percentage is more than 0 and at most 100"
    return (
        Share(count=int(number)) if number >= 1 and number == int(number) else "a number of devices is whole, 1 or more"
    )


def _claim(text: str) -> Claim | str:
    """The claim, or what is wrong with it."""
    word, _, rest = text.partition(" ")
    if text == "connected":
        return Connected()
    if text == "message":
        return Received()
    if text == "telemetry":
        return Sent()
    if word == "method":
        name = _name(rest.strip())
        return (
            Answered(name) if name else f"{shown(rest.strip())} is not a method's name; put one with blanks in quotes"
        )
    if word == "twin":
        return _twin(text)
    return f"{shown(text)} is not a claim"


def _name(text: str) -> str | None:
    if text.startswith('"'):
        try:
            name = json.loads(text)
        except ValueError:
            return None
        return name if isinstance(name, str) else None
    return text if text and not any(character.isspace() for character in text) else None


def _twin(text: str) -> TwinHas | str:
    found = _TWIN.fullmatch(text)
    if found is None:
        return "a claim about twins is: twin desired.PATH = VALUE, or reported.PATH"
    path = tuple(found["path"].split("."))
    if not all(path) or len(path) > MAX_PATH_DEPTH:
        return f"{shown(found['path'])} is not a path: names with dots between them, at most {MAX_PATH_DEPTH}"
    return TwinHas(found["side"], path, _value(found["value"].strip()))


def _value(text: str) -> Any:
    """JSON, or else the text itself: 1.2.0 and ok need no quotes."""
    try:
        return json.loads(text, parse_constant=lambda _: text)
    except (ValueError, RecursionError):
        return text


def _bad_expectation(text: str, what: str, option: str) -> BadValue:
    return BadValue(f"{option} {shown(text)}: {what}.", hint=f"Give {EXPECT_GRAMMAR}. For example {EXPECT_EXAMPLES}.")
