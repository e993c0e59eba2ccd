"""What becomes of reported properties when the hub says no, or nothing."""

import pytest

from azext_iotjobs.simulator.behaviour import Behaviour, MethodRule, ReportStep
from azext_iotjobs.simulator.events import DeviceInfo, Moment, Report, ReportAnswered
from azext_iotjobs.simulator.parts.context import ConnectionState, SessionContext
from azext_iotjobs.simulator.parts.reported_properties import MAX_UNANSWERED, ReportedProperties
from azext_iotjobs.simulator.rng import Rng
from azext_iotjobs.simulator.template import compiled, constant
from tests.helpers.driven_session import BEGIN, DrivenSession


def observer() -> DrivenSession:
    patch = compiled({"n": "${count}", "first": {"a": 1}}, ("count",))
    return DrivenSession(Behaviour(methods={"m": MethodRule(then=(ReportStep(patch=patch),))}))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_report_that_a_busy_hub_refuses_is_sent_again_each_time_later(status: int) -> None:
    one = observer()
    one.refuses = [status, status, status]
    one.call("m")
    one.run_until(60)
    times = [at for at, _ in one.reports]
    assert one.reported == {"n": 1, "first": {"a": 1}}
    assert len(times) == 4
    pauses = [later - sooner for sooner, later in zip(times, times[1:], strict=False)]
    assert 1 <= pauses[0] <= 2 <= pauses[1] <= 4 <= pauses[2] <= 8


def test_a_report_that_the_hub_will_never_accept_is_not_sent_again() -> None:
    one = observer()
    one.refuses = [400]
    one.call("m")
    one.run_until(600)
    assert len(one.reports) == 1


def test_what_is_sent_again_is_brought_up_to_date() -> None:
    one = observer()
    one.refuses = [429]
    one.call("m")
    one.call("m")
    one.run_until(60)
    assert one.reports[1:] == [(one.reports[1][0], {"n": 2, "first": {"a": 1}})]
    assert one.reported["n"] == 2


def test_a_report_unanswered_is_not_undone_by_an_older_one_that_was_refused() -> None:
    core = SessionContext(DeviceInfo(device_id="d"), Rng(""))
    core.state = ConnectionState.READY
    reports = ReportedProperties(core)
    (first,), (second,) = reports.report({"s": "a", "x": 1}), reports.report({"s": "b"})
    assert isinstance(first, Report)
    assert isinstance(second, Report)
    reports.on_response(ReportAnswered(rid=first.rid, status=429), Moment(0, BEGIN))
    reports.on_response(ReportAnswered(rid=second.rid, status=204), Moment(0, BEGIN))
    (again,) = core.tasks.run_due(Moment(10, BEGIN))
    assert again == Report(rid="3", patch={"s": "b", "x": 1})


def test_a_hub_that_never_answers_does_not_fill_the_memory() -> None:
    core = SessionContext(DeviceInfo(device_id="d"), Rng(""))
    core.state = ConnectionState.READY
    reports = ReportedProperties(core)
    for number in range(10 * MAX_UNANSWERED):
        reports.report({"n": number})
    assert len(reports._unanswered) == MAX_UNANSWERED


def test_first_reported_is_reported_once_with_what_it_knows() -> None:
    one = DrivenSession(
        Behaviour(first_reported=compiled({"id": "${device}", "at": "${tags.site}"})), tags={"site": "x"}
    )
    one.lose_link()
    one.link()
    assert one.reports == [(0, {"id": "pump-1", "at": "x"})]
    assert DrivenSession(Behaviour(first_reported=constant({"t": "${x}"}))).reported == {"t": "${x}"}
