"""Strategies for all that a fleet job can be, and for schedules."""

from contextlib import suppress
from datetime import date, datetime, time
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from azext_iotjobs.fleet_job.plan import WORDS
from azext_iotjobs.model.errors import UserError
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, DevicesOfRun, Driver, Targets
from azext_iotjobs.model.gates import CommandGate, Gates, QueryGate
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import parse_success_status
from azext_iotjobs.model.rollout import (
    CLASS_WORDS,
    UNCERTAIN,
    BatchSizes,
    Retry,
    RetryWhen,
    Rollout,
    Scope,
    Threshold,
    ThresholdAction,
)
from azext_iotjobs.model.schedule import LAST_DAY, Frequency, Missed, Overlap, Rule, Schedule, Window
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.share import Share, Unit
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.model.verification import Verification

# What YAML, JSON and parameters have a meaning for.
TRICKY = (
    *("", "null", "~", "true", "off", "1e5", "1.5e3", "1e+16", "1.0e+05", "007", "12:30", "2026-01-01", "1_000", "-"),
    *(
        "<<",
        "=",
        "- a",
        "a: b",
        "# a",
        "'",
        '"',
        "${x}",
        "$${",
        "${",
        "\\",
        "\t",
        " a ",
        "a\nb",
        "\x85",
        "\u2028",
        "*a",
    ),
    *("&a", "!a", "%a", "@a", "`a`", "{a}", "[a]", "a #b", "a:", "?", "|", ">", "\x7f", "\ufeff", "\U0001f600"),
)
TEXTS = st.sampled_from(TRICKY) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LINES = TEXTS.filter(str.isprintable)
LABEL_NAMES = LINES.filter(lambda name: bool(name.strip()) and "=" not in name)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=3)
CONDITIONS = st.sampled_from(
    ("tags.site = 'north'", "tags.a = '${x}' AND tags.b = \"it's\"", "tags.n > 1e5\n  OR tags.é = true", "*")
)
TWIN_CONDITIONS = CONDITIONS.filter(lambda condition: condition != "*")
SECONDS = st.integers(60, 7200).map(float) | st.floats(60, 7200)
PERCENTS = st.decimals("0.000001", "99.999999", places=6).map(Fraction)
SHARES = st.builds(Share, st.integers(1, 1_000_000).map(Fraction), st.just(Unit.DEVICES)) | st.builds(
    Share, PERCENTS, st.just(Unit.PERCENT)
)
IDS = st.lists(st.sampled_from(("d1", "d-2", "null", "1e5", "007", "D:1")), unique=True, max_size=4).map(tuple)
FAILURES = st.sampled_from([each for each in CLASS_WORDS if each != UNCERTAIN])


def optional(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One, or None."""
    return st.none() | of


DESIRED: st.SearchStrategy[dict[str, Any]] = st.builds(dict, desired=OBJECTS)
PATCHES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"tags": optional(OBJECTS)}, optional={"properties": DESIRED}
)
ACTIONS = st.one_of(
    st.builds(
        Action,
        method=st.builds(
            MethodCall,
            name=LINES.filter(str.strip),
            payload=JSON,
            response_timeout_s=st.integers(30, 300),
            connect_timeout_s=st.integers(0, 30),
        ),
        success=st.sampled_from(("200-399", "200", "-5--1,7,200-299")).map(parse_success_status),
    ),
    st.builds(Action, patch=st.builds(TwinPatch, document=PATCHES)),
    st.builds(
        Action, content=st.fixed_dictionaries({"modulesContent": st.dictionaries(TEXTS, JSON, min_size=1, max_size=3)})
    ),
)
SELECTIONS = st.builds(Selection, condition=CONDITIONS, excluded=IDS) | st.builds(
    Selection, device_ids=IDS.filter(bool)
)
OF_RUNS = st.builds(
    DevicesOfRun,
    fleet_job_id=st.sampled_from(("fw-7", "007")),
    run_number=st.integers(1, 9),
    words=st.frozensets(st.sampled_from(WORDS), min_size=1),
)
LIMITS: dict[str, st.SearchStrategy[Any]] = {
    "seed": st.integers(-(2**63) + 1, 2**63 - 1),
    "max_devices": optional(st.integers(1, 10**9)),
}


@st.composite
def targets(draw: st.DrawFn) -> Targets:
    """Which devices."""
    grouped, of_run = {"group": LINES.filter(bool), "excluded": IDS}, {"of_run": OF_RUNS, "excluded": IDS}
    kinds: Any = ({"selection": SELECTIONS}, grouped, of_run)
    fewer: Any = ({}, {"limit": st.integers(1, 10**6)}, {"sample_percent": PERCENTS})
    given = {**draw(st.sampled_from(kinds)), **draw(st.sampled_from(fewer)), **LIMITS}
    return Targets(**{name: draw(each) for name, each in given.items()})


ROLLOUTS = st.builds(
    Rollout,
    sizes=st.lists(SHARES, min_size=1, max_size=4).map(tuple).map(BatchSizes),
    pause_s=SECONDS,
    threshold=optional(
        st.builds(
            Threshold,
            share=SHARES,
            scope=st.sampled_from(Scope),
            min_sample=st.integers(1, 1000),
            classes=st.frozensets(st.sampled_from(CLASS_WORDS)),
            action=st.sampled_from(ThresholdAction),
        )
    ),
    retry=optional(
        st.builds(
            Retry,
            tries=st.dictionaries(FAILURES, st.integers(1, 10), min_size=1),
            pause_s=SECONDS,
            growth=st.floats(1, 100),
            longest_s=SECONDS,
            when=st.sampled_from(RetryWhen),
        )
    ),
    gates=st.builds(
        Gates,
        bake_s=st.just(0.0) | SECONDS,
        success=optional(st.builds(Share, PERCENTS, st.just(Unit.PERCENT))),
        query=optional(
            st.builds(QueryGate, condition=TWIN_CONDITIONS, least=st.none(), most=SHARES)
            | st.builds(QueryGate, condition=TWIN_CONDITIONS, least=SHARES, most=st.none())
        ),
        command=optional(
            st.builds(
                CommandGate,
                line=st.sampled_from(("check 'a b'", "check ${RUN}\n--now", "true")),
                timeout_s=SECONDS,
                through_shell=st.booleans(),
            )
        ),
        is_manual=st.booleans(),
    ),
)
DELIVERIES = st.builds(
    Delivery,
    driver=st.sampled_from(Driver),
    concurrency=st.integers(1, 200),
    rate=optional(st.floats(0.001, 1000)),
    job_limit_s=optional(st.integers(1, 10**6)),
    when_online_s=optional(SECONDS),
)
VERIFICATIONS = st.builds(
    Verification, condition=TWIN_CONDITIONS, within_s=SECONDS, failed_condition=optional(st.just("tags.failed = true"))
)


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """Any definition."""
    parts: dict[str, Any] = {
        "action": draw(ACTIONS),
        "targets": draw(targets()),
        "rollout": draw(ROLLOUTS),
        "delivery": draw(DELIVERIES),
        "verification": draw(optional(VERIFICATIONS)),
    }
    labels = draw(st.dictionaries(LABEL_NAMES, LINES, max_size=3))
    names: dict[str, Any] = {"display_name": draw(LINES), "description": draw(TEXTS), "labels": labels}
    for without in ((), ("delivery",), ("rollout",), ("delivery", "rollout")):  # some do not go together
        with suppress(UserError):
            return Definition(**names, **{name: part for name, part in parts.items() if name not in without})
    raise AssertionError("what is as in a new fleet job goes with everything")


TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
DAYS = st.dates(date(2027, 1, 1), date(2090, 1, 1))
WALLS = st.datetimes(datetime(2027, 1, 1), datetime(2050, 1, 1)).map(lambda at: at.replace(microsecond=0))
RULES = st.one_of(
    st.builds(Rule, frequency=st.just(Frequency.DAILY), at=TIMES),
    st.builds(
        Rule,
        frequency=st.just(Frequency.WEEKLY),
        at=TIMES,
        weekdays=st.sets(st.integers(0, 6), min_size=1).map(sorted).map(tuple),
    ),
    st.builds(
        Rule,
        frequency=st.just(Frequency.MONTHLY),
        at=TIMES,
        month_days=st.sets(st.integers(1, 31)).map(lambda days: (*sorted(days), LAST_DAY)),
    ),
    st.builds(Rule, frequency=st.just(Frequency.CRON), cron=st.sampled_from(("30 2 * * 1-5", "*/5 * * * *"))),
)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Any schedule."""
    policies: dict[str, Any] = {
        "missed": draw(st.sampled_from(Missed)),
        "catch_up_s": draw(SECONDS),
        "overlap": draw(st.sampled_from(Overlap)),
        "zone": draw(st.sampled_from(("UTC", "Europe/Berlin", "America/New_York"))),
    }
    if draw(st.booleans()):
        return Schedule(rule=Rule(frequency=Frequency.ONCE, on_date=draw(DAYS), at=draw(TIMES)), **policies)
    rule = draw(RULES)
    ends: Any = ({}, {"times": st.integers(1, 100)}, {"ends": WALLS.map(lambda at: at.replace(year=2060, day=1))})
    opens = rule.at or time(2)
    windows = st.none() | st.just(Window(opens, opens.replace(hour=(opens.hour + 5) % 24)))
    return Schedule(
        rule=rule,
        starts=draw(optional(WALLS)),
        window=draw(windows),
        jitter_s=draw(st.just(0.0) | st.floats(0, 3600)),
        **{name: draw(each) for name, each in draw(st.sampled_from(ends)).items()},
        **policies,
    )
