"""Desired properties by rules."""

from typing import Any

import pytest

from azext_iotjobs.simulator.behaviour import Acknowledge, Behaviour, ReportStep, TwinRule, TwinRules
from azext_iotjobs.simulator.durations import Fixed
from azext_iotjobs.simulator.events import (
    ActivityKind,
    DesiredPatched,
    FetchTwin,
    Online,
    ReportAnswered,
    Subscribed,
    TwinFetched,
)
from azext_iotjobs.simulator.template import compiled
from tests.helpers.driven_session import DrivenSession

PNP = TwinRule(acknowledge=Acknowledge.PNP)


def device(*paths: tuple[str, TwinRule], otherwise: TwinRule | None = None, **more: Any) -> DrivenSession:
    rules = {tuple(path.split(".")): rule for path, rule in paths}
    return DrivenSession(Behaviour(twin=TwinRules(paths=rules, otherwise=otherwise or TwinRule())), **more)


def test_plain_is_the_value_and_what_has_no_rule_is_reported_at_once() -> None:
    one = device(("slow", TwinRule(delay=Fixed(5))))
    one.desire(slow=1, quick={"a": [1]}, other=2)
    one.run_until(60)
    assert one.reports == [(0, {"quick": {"a": [1]}, "other": 2}), (5, {"slow": 1})]


def test_plug_and_play_reports_value_code_and_version() -> None:
    one = device(("interval", PNP))
    one.desire(interval=30)
    assert one.reports == [(0, {"interval": {"value": 30, "ac": 200, "av": 2, "ad": "done"}})]


def test_a_property_of_a_component_is_marked_as_such() -> None:
    one = device(("thermostat.target", PNP))
    one.desire(thermostat={"__t": "c", "target": 21})
    (_, patch), *_ = one.reports
    assert patch["thermostat"] == {"__t": "c", "target": {"value": 21, "ac": 200, "av": 2, "ad": "done"}}


@pytest.mark.parametrize("style", Acknowledge)
def test_a_removed_property_is_removed_from_the_reported_ones(style: Acknowledge) -> None:
    one = device(("a", TwinRule(acknowledge=style)))
    one.desire(a=1)
    one.desire(a=None)
    assert one.reported == {}
    assert one.reports[-1:] == ([] if style is Acknowledge.NONE else [(0, {"a": None})])


def test_a_rejected_change_is_reported_with_plug_and_play_and_the_value_stays() -> None:
    one = device(("a", TwinRule(acknowledge=Acknowledge.PNP, reject=1, reject_status=403, reject_text="too hot")))
    one.reported = {"a": {"value": 20, "ac": 200, "av": 1}}
    one.lose_link()
    one.link()
    one.desire(a=99)
    assert one.reports == [(0, {"a": {"value": 20, "ac": 403, "av": 2, "ad": "too hot"}})]
    quiet = device(("a", TwinRule(reject=1)))
    quiet.desire(a=99)
    assert quiet.reports == []


def test_a_share_of_changes_is_rejected() -> None:
    devices = [device(("a", TwinRule(reject=0.2)), device_id=f"d-{number}") for number in range(500)]
    for each in devices:
        each.desire(a=1)
    assert sum(not each.reported for each in devices) == pytest.approx(100, abs=30)


def test_a_number_reaches_its_new_value_in_steps() -> None:
    one = device(("speed", TwinRule(steps=4, every=Fixed(2))))
    one.reported = {"speed": 10}
    one.lose_link()
    one.link()
    one.desire(speed=50)
    one.run_until(60)
    assert one.reports == [(0, {"speed": 20}), (2, {"speed": 30}), (4, {"speed": 40}), (6, {"speed": 50})]


def test_a_value_without_a_middle_is_in_progress_and_then_reached() -> None:
    one = device(("mode", TwinRule(acknowledge=Acknowledge.PNP, steps=2, every=Fixed(3))))
    one.desire(mode="eco")
    one.run_until(60)
    assert [(at, patch["mode"]["ac"], patch["mode"].get("value")) for at, patch in one.reports] == [
        (0, 202, None),
        (3, 200, "eco"),
    ]
    plain = device(("mode", TwinRule(steps=2, every=Fixed(3))))
    plain.desire(mode="eco")
    plain.run_until(60)
    assert plain.reports == [(3, {"mode": "eco"})]


def test_a_newer_change_replaces_a_running_one() -> None:
    one = device(("speed", TwinRule(steps=10, every=Fixed(1))))
    one.desire(speed=100)
    one.run_until(4.5)
    one.desire(speed=0)
    one.run_until(60)
    speeds = [patch["speed"] for _, patch in one.reports]
    assert speeds == [10, 20, 30, 40, 50, 45, 40, 35, 30, 25, 20, 15, 10, 5, 0]


def test_steps_follow_once_the_value_is_reached() -> None:
    then = (
        ReportStep(patch=compiled({"log": "${path} is ${desired.a} since ${version}"}, ("path", "desired", "version"))),
    )
    one = device(("x", TwinRule(delay=Fixed(1), then=then)))
    one.desire(x={"a": 5})
    one.run_until(5)
    assert one.reported["log"] == "x is 5 since 2"


def test_changes_made_while_it_was_off_line_are_followed_when_it_is_back_and_only_those() -> None:
    one = device(("a", PNP), ("gone.deep", PNP))
    one.desire(a=1, b="x")
    one.lose_link()
    one.desire(b="y", gone={"deep": True})
    assert len(one.reports) == 1
    one.link()
    assert one.reports[1:] == [
        (0, {"gone": {"deep": {"value": True, "ac": 200, "av": 3, "ad": "done"}}, "b": "y"}),
    ]
    one.lose_link()
    one.link()
    assert len(one.reports) == 2
    told = [seen.details["patch"] for seen in one.activities(ActivityKind.DESIRED)]
    assert told == [{"a": 1, "b": "x"}, {"a": 1, "b": "y", "gone": {"deep": True}}], "what it found, told once"


def test_a_device_that_starts_does_not_repeat_what_an_earlier_run_has_reported() -> None:
    one = device(("a", PNP))
    one.desire(a=1, b=2)
    another = device(("a", PNP))
    another.reported, another.desired = one.reported, one.desired
    another.lose_link()
    another.link()
    assert another.reports == []


def test_a_change_that_overtakes_the_twin_is_not_undone_by_it() -> None:
    one = device()
    one.lose_link()
    one.handle(Online())
    session, fetches = one.session, []
    one.done.clear()
    one._follow = lambda action: fetches.append(action)  # type: ignore[method-assign]
    one.handle(Subscribed())
    one.handle(DesiredPatched({"a": 5, "$version": 9}))
    one.handle(TwinFetched(rid="get2", desired={"a": 4, "b": 1, "$version": 8}, reported={"$version": 1}))
    assert isinstance(fetches[-1], FetchTwin)
    one.handle(TwinFetched(rid="get3", desired={"a": 5, "b": 1, "$version": 9}, reported={"$version": 1}))
    one.handle(DesiredPatched({"a": 5, "$version": 9}))
    assert [patch for _, patch in one.reports] == [{"a": 5}, {"b": 1}]
    assert session.state is not None


def test_a_device_that_was_created_anew_begins_anew() -> None:
    one = device()
    for value in range(5):
        one.desire(a=value)
    one.lose_link()
    one.desired, one.reported = {"a": 7, "$version": 2}, {}
    one.link()
    assert one.reported == {"a": 7}


def test_a_refused_fetch_is_repeated_on_the_same_connection_only() -> None:
    one = device()
    one.lose_link()
    one._follow = lambda action: None  # type: ignore[method-assign]
    one.handle(Online())
    one.done.clear()
    one.handle(Subscribed())
    one.handle(ReportAnswered(rid="get2", status=429))
    assert len(one.activities(ActivityKind.FETCH_REFUSED)) == 1
    one.run_for(60)
    assert [each.rid for _, each in one.done if isinstance(each, FetchTwin)] == ["get2", "get3"]
    one.handle(ReportAnswered(rid="get3", status=429))
    one.lose_link()
    one.run_for(600)
    assert [each.rid for _, each in one.done if isinstance(each, FetchTwin)] == ["get2", "get3"]


def test_without_rules_the_twin_is_not_fetched() -> None:
    one = DrivenSession(Behaviour())
    assert not [each for _, each in one.done if isinstance(each, FetchTwin)]
