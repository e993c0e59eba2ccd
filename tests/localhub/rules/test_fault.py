"""Faults on request: what a document may request, and which operations a fault concerns."""

from typing import Any

import pytest

from azext_iotjobs.localhub.rules.fault import MEMBERS, InjectedFault, Kind, Operation, may_concern, read_fault
from azext_iotjobs.localhub.rules.own_document import DocumentMistake, read_members


def fault_of(document: Any) -> InjectedFault:
    return read_fault(read_members(document, MEMBERS))


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (
            {"kind": "status", "status": 429},
            InjectedFault(kind=Kind.STATUS, operation=Operation.REQUEST, status=429),
        ),
        (
            {"kind": "status", "status": 503, "method": "reboot"},
            InjectedFault(kind=Kind.STATUS, operation=Operation.METHOD, method="reboot"),
        ),
        (
            {"kind": "latency", "delaySeconds": 2, "operation": "telemetry", "percent": 12.5, "seed": 7},
            InjectedFault(kind=Kind.LATENCY, operation=Operation.TELEMETRY, delay_s=2, percent=12.5, seed=7),
        ),
        (
            {"kind": "drop", "route": "GET /twins/{id}", "times": 3, "forSeconds": 1.5},
            InjectedFault(kind=Kind.DROP, operation=Operation.REQUEST, route="GET /twins/{id}", times=3, for_s=1.5),
        ),
        (
            {"kind": "connack", "device": "pump-*"},
            InjectedFault(kind=Kind.CONNACK, operation=Operation.CONNECT, device="pump-*", code=3),
        ),
        ({"kind": "connack", "code": 5}, InjectedFault(kind=Kind.CONNACK, operation=Operation.CONNECT, code=5)),
        ({"kind": "no-ack"}, InjectedFault(kind=Kind.NO_ACK, operation=Operation.TELEMETRY)),
        ({"kind": "no-answer"}, InjectedFault(kind=Kind.NO_ANSWER, operation=Operation.METHOD)),
        (
            {"kind": "clock-skew", "skewSeconds": -60},
            InjectedFault(kind=Kind.CLOCK_SKEW, operation=Operation.TOKEN, skew_s=-60),
        ),
    ],
)
def test_a_document_says_what_goes_wrong_where_and_how_often(document: Any, fault: InjectedFault) -> None:
    assert fault_of(document) == fault


@pytest.mark.parametrize(
    ("document", "beginning"),
    [
        ({"kind": "rain"}, 'kind: \'rain\' is not allowed. It is "latency", "status", "drop", "connack", "no-ack", '),
        ({"kind": "status"}, "status: A fault of the kind status needs it: 429, 500, 502, 503 or 504."),
        ({"kind": "status", "status": 418}, "status: 418 is not allowed. It is 429, 500, 502, 503 or 504."),
        (
            {"kind": "latency"},
            "delaySeconds: A fault of the kind latency needs it: a number, 0.001 to 3,600, such as 2.5.",
        ),
        ({"kind": "drop", "status": 429}, "status: It belongs to faults of the kind status, and this is drop."),
        ({"kind": "clock-skew", "skewSeconds": 0}, "skewSeconds: 0 is no skew."),
        (
            {"kind": "no-ack", "operation": "connect"},
            "operation: A fault of the kind no-ack does not happen to a connect, only to: telemetry.",
        ),
        (
            {"kind": "connack", "method": "reboot"},
            "method: A fault of the kind connack does not happen to a method, only to: connect.",
        ),
        (
            {"kind": "drop", "operation": "telemetry", "route": "/twins/*"},
            "route: It belongs to the operation request, and this is telemetry.",
        ),
        (
            {"kind": "drop", "route": "/twins/*", "method": "reboot"},
            "method: It belongs to the operation method, and this is request.",
        ),
        (
            {"kind": "status", "status": 429, "method": "reboot", "retryAfterSeconds": 1},
            "retryAfterSeconds: It is a header",
        ),
        ({"kind": "drop", "seed": 3}, "seed: Numbers are drawn for a share only: give percent too."),
        ({"kind": "drop", "route": "twins"}, "route: It is a path, with a verb before it or none"),
        ({"kind": "drop", "devices": "pump-1"}, "'devices': There is no such member. There may be kind, operation, "),
    ],
)
def test_what_cannot_be_is_named_with_what_can(document: Any, beginning: str) -> None:
    with pytest.raises(DocumentMistake) as raised:
        fault_of(document)
    assert str(raised.value).startswith(beginning)


def fault(**members: Any) -> InjectedFault:
    return fault_of({"kind": "drop", **members})


@pytest.mark.parametrize(
    ("device", "is_concerned"), [("pump-1", True), ("pump-", True), ("pump", False), ("Pump-1", False), (None, False)]
)
def test_a_star_at_the_end_means_ids_that_begin_so(device: str | None, is_concerned: bool) -> None:
    assert fault(device="pump-*").concerns(Operation.REQUEST, device, "GET /twins/x") is is_concerned


def test_an_id_means_itself_alone() -> None:
    assert fault(device="pump-1").concerns(Operation.REQUEST, "pump-1", "GET /twins/pump-1")
    assert not fault(device="pump-1").concerns(Operation.REQUEST, "pump-10", "GET /twins/pump-10")


def test_another_operation_is_not_concerned() -> None:
    assert not fault(operation="connect").concerns(Operation.TELEMETRY, "pump-1", None)
    assert fault(operation="telemetry").concerns(Operation.TELEMETRY, "pump-1", None)


def test_a_method_is_concerned_by_its_name() -> None:
    assert fault(method="reboot").concerns(Operation.METHOD, "pump-1", "reboot")
    assert not fault(method="reboot").concerns(Operation.METHOD, "pump-1", "Reboot")


@pytest.mark.parametrize(
    ("route", "request_line", "is_concerned"),
    [
        ("GET /twins/{id}", "GET /twins/pump-1", True),
        ("get /TWINS/{id}", "GET /twins/pump-1/", True),
        ("GET /twins/{id}", "PATCH /twins/pump-1", False),
        ("GET /twins/{id}", "GET /twins/pump-1/modules/m", False),
        ("/twins/{id}", "PATCH /twins/pump-1", True),
        ("/twins/pump-*", "GET /twins/pump-1", True),
        ("/twins/pump-*", "GET /twins/fan-1", False),
        ("POST /twins/*/methods", "POST /twins/pump-1/methods", True),
        ("/twins/**", "POST /twins/pump-1/methods", True),
        ("/twins/**", "GET /twinsets", False),
        ("/**", "DELETE /devices/pump-1", True),
        ("/jobs/v2/{job}", "PUT /jobs/v2/j.1", True),
        ("/jobs/v2/j.1", "PUT /jobs/v2/jx1", False),
    ],
)
def test_a_route_means_requests_by_verb_and_path(route: str, request_line: str, is_concerned: bool) -> None:
    assert fault(route=route).concerns(Operation.REQUEST, None, request_line) is is_concerned


@pytest.mark.parametrize(
    ("route", "may"),
    [
        ("GET /twins/{id}", True),
        ("get /twins/pump-1", True),
        ("/twins/*", True),
        ("/tw*/x", True),
        ("/twins/**", True),
        ("/**", True),
        ("PATCH /twins/{id}", False),
        ("/twin/{id}", False),
        ("/twins", False),
        ("/twins/a/b", False),
    ],
)
def test_a_route_is_known_by_the_rows_that_it_may_mean(route: str, may: bool) -> None:
    assert may_concern(route, "GET", "/twins/{id}") is may


@pytest.mark.parametrize(
    ("route", "may"),
    [
        ("PUT /uploads/pump-1/log.txt", True),
        ("/uploads/*", True),
        ("/uploads/**", True),
        ("/**", True),
        ("/uploads", False),
        ("GET /uploads/*", False),
        ("/downloads/**", False),
    ],
)
def test_a_row_may_have_any_number_of_parts_at_its_end(route: str, may: bool) -> None:
    assert may_concern(route, "PUT", "/uploads/**") is may


def test_a_share_is_those_whose_number_is_below_it() -> None:
    quarter = fault(percent=25)
    assert [quarter.is_drawn(number) for number in (0.0, 0.2499, 0.25, 0.99)] == [True, True, False, False]
    assert fault(percent=100).is_drawn(0.9999999)
    assert fault().is_drawn(0.9999999)
