"""What is said of each refusal beside the hub's own words: at the seam, as the hub answers."""

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from azext_iotjobs.clients.access import ACCESS, POLICIES, access_of
from azext_iotjobs.clients.access_advice import Advice, duration
from azext_iotjobs.clients.advice import BY_CODE
from azext_iotjobs.clients.errors import error_of
from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.entra import AadLogin, BearerToken
from azext_iotjobs.model.errors import HubAnswer
from azext_iotjobs.model.target import SasKey, SasToken
from azext_iotjobs.transport.http import Response, SentRequest
from tests.helpers.clock_double import START
from tests.helpers.transport_double import response

HUB = "my-hub.azure-devices.net"
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ENTRA = AadLogin(fetch=lambda: BearerToken(text="t", expires_at=START))
UNAUTHORIZED = {"iothub_errorcode": "IotHubUnauthorizedAccess"}


def refused(
    status: int,
    line: str,
    credential: Any,
    *,
    ahead_s: float = 0,
    code: str | None = None,
    has_date: bool = True,
    said: str = "no",
) -> HubAnswer:
    """The error of an answer to a request; `ahead_s`: by how much this machine's clock goes ahead of the hub's."""
    headers = {"date": format_datetime(START, usegmt=True)} if has_date else {}
    if code is not None:
        headers["iothub-errorcode"] = code
    method, path = line.split()
    body = {"Message": f"ErrorCode:X;{said}", "ExceptionMessage": "Tracking ID:ab-G:1"}
    at = START + timedelta(seconds=ahead_s)
    sent = SentRequest(method=method, path=path, credential=credential, answered_at=at, hub=HUB)
    plain = response(body, status=status)
    return error_of(Response(status=status, headers=headers, body=plain.body, request=sent))


def key(policy: str) -> SasKey:
    return SasKey(policy=policy, key=KEY)


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_a_code_has_its_advice_whoever_asked(code: str) -> None:
    error = refused(409, "GET /twins/d", key("service"), code=code)
    assert (error.hub_code, error.hint, error.tracking_id) == (code, BY_CODE[code].replace("=ID", "=d"), "ab-G:1")
    assert code in str(error) and "ab-G:1" in str(error)


@pytest.mark.parametrize(
    ("policy", "line", "lacks", "who_has_it"),
    [
        ("registryRead", "GET /twins/d", "ServiceConnect", "service"),
        ("service", "PUT /devices/d", "RegistryWrite", "registryReadWrite"),
        ("registryRead", "DELETE /devices/d", "RegistryWrite", "registryReadWrite"),
        ("service", "GET /devices/d", "RegistryRead", "registryRead"),
        ("device", "POST /devices/query", "ServiceConnect", "service"),
        ("service", "GET /devices/d/messages/deviceBound", "DeviceConnect", "device"),
        ("registryReadWrite", "POST /twins/d/modules/m/methods", "ServiceConnect", "service"),
        ("device", "PUT /jobs/v2/j", "RegistryWrite and ServiceConnect", "iothubowner"),
    ],
)
def test_a_policy_without_the_right_is_told_which_it_lacks(policy: str, line: str, lacks: str, who_has_it: str) -> None:
    error = refused(401, line, key(policy), code="IotHubUnauthorizedAccess")
    assert f"Policy {policy} lacks {lacks}." in str(error)
    assert who_has_it in str(error.hint)


def test_what_the_hub_has_said_itself_is_not_repeated() -> None:
    known = Advice("Policy registryRead lacks ServiceConnect.")
    assert known.fact_beside("Policy registryRead lacks ServiceConnect.") == ""
    assert known.fact_beside("Unauthorized") == " Policy registryRead lacks ServiceConnect."
    assert Advice().fact_beside("Unauthorized") == ""


def test_a_policy_that_has_the_right_is_told_that_its_key_is_another() -> None:
    error = refused(401, "GET /twins/d", key("service"), code="IotHubUnauthorizedAccess")
    assert "lacks" not in str(error)
    assert "the key is not this policy's" in str(error.hint) and "sign in to az" in str(error.hint)


def test_of_a_policy_of_the_users_own_both_are_said() -> None:
    hint = str(refused(401, "GET /twins/d", key("mine")).hint)
    assert "ServiceConnect" in hint and "its key is a different one" in hint


def test_a_device_is_pointed_to_its_registration() -> None:
    error = refused(401, "POST /devices/d/messages/events", DeviceKey(device_id="d", key=KEY))
    assert "device-identity show device_id=d" in str(error.hint)


@pytest.mark.parametrize(
    ("line", "action", "first_role"),
    [
        ("GET /devices/d", "devices/read", "IoT Hub Data Reader"),
        ("PUT /devices/d", "devices/write", "IoT Hub Registry Contributor"),
        ("PATCH /twins/d", "twins/write", "IoT Hub Twin Contributor"),
        ("POST /twins/d/methods", "directMethods/invoke/action", "IoT Hub Data Contributor"),
        ("PUT /jobs/v2/j", "jobs/write", "IoT Hub Data Contributor"),
    ],
)
@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_role_is_named(line: str, action: str, first_role: str, status: int) -> None:
    hint = str(refused(status, line, ENTRA, code="IotHubUnauthorized").hint)
    assert f"Microsoft.Devices/IotHubs/{action}" in hint
    assert f"role='{first_role}'" in hint
    assert "IoT Hub Data Contributor" in hint


def test_an_unknown_path_still_has_a_role_or_a_right_to_look_at() -> None:
    assert "IoT Hub Data Contributor" in str(refused(401, "GET /new", ENTRA).hint)
    assert "Policy p" in str(refused(401, "GET /new", key("p")).hint)
    assert "limits" in str(refused(429, "GET /new", key("p")).hint)


@pytest.mark.parametrize(("ahead_s", "said"), [(-7200, "2 h behind"), (360, "6 min ahead of")])
def test_a_clock_that_differs_is_what_is_said_first(ahead_s: float, said: str) -> None:
    error = refused(401, "GET /twins/d", key("service"), ahead_s=ahead_s)
    assert f"This machine's clock is {said} the hub's." in str(error)
    assert "clock" in str(error.hint)


def test_a_clock_that_is_right_or_unknown_is_not_blamed() -> None:
    for error in (
        refused(401, "GET /twins/d", key("service"), ahead_s=250),
        refused(401, "GET /twins/d", key("service"), ahead_s=9999, has_date=False),
    ):
        assert "clock" not in f"{error} {error.hint}"


@pytest.mark.parametrize(
    ("ended_s", "ahead_s", "has_date", "said"),
    [
        (90, 0, True, "expired 90 s ago by the hub's clock."),
        (7200, 600, True, "expired 2 h ago by the hub's clock. This machine's clock is 10 min ahead of the hub's."),
        (0, 3000, False, "expired 50 min ago by this machine's clock."),
    ],
)
def test_a_token_that_has_ended_says_by_how_much_and_by_whose_clock(
    ended_s: int, ahead_s: float, has_date: bool, said: str
) -> None:
    token = SasToken(policy="service", expires_at=START - timedelta(seconds=ended_s), text="x")
    error = refused(401, "GET /twins/d", token, ahead_s=ahead_s, has_date=has_date)
    assert said in str(error)
    assert "new one" in str(error.hint)


def test_a_token_that_still_lasts_is_judged_by_its_policy() -> None:
    token = SasToken(policy="service", expires_at=START + timedelta(hours=1), text="x")
    assert "Policy service lacks RegistryRead." in str(refused(401, "GET /devices/d", token))


@pytest.mark.parametrize(
    ("line", "limit"),
    [
        ("GET /devices/d", "100 a minute per unit, 5,000 in S3"),
        ("POST /devices/query", "20 a minute per unit"),
        ("POST /twins/d/methods", "160 KB a second"),
        ("GET /twins/d", "100 a second"),
        ("PATCH /twins/d", "50 a second"),
        ("GET /jobs/v2/j", "100 a minute per unit"),
        ("GET /devices/d/messages/deviceBound", "16 a second"),
        ("POST /devices/d/messages/events", "12 per unit"),
    ],
)
def test_throttling_names_the_quota(line: str, limit: str) -> None:
    assert limit in str(refused(429, line, key("iothubowner"), code="ThrottlingBacklogTimeout").hint)


@pytest.mark.parametrize(
    ("status", "line", "said"),
    [
        (403, "GET /twins/d", "network rule"),
        (500, "GET /twins/d", "try again later"),
        (503, "PUT /jobs/v2/j", "tracking id"),
        (400, "POST /devices/query", "single quotes"),
        (400, "PUT /jobs/v2/j", "[[double brackets]]"),
    ],
)
def test_a_status_without_a_code_of_its_own_has_advice_too(status: int, line: str, said: str) -> None:
    assert said in str(refused(status, line, key("iothubowner"), code="Other").hint)


def test_no_error_shows_a_key() -> None:
    for status in (400, 401, 403, 404, 429, 500):
        error = refused(status, "GET /devices/d", key("service"))
        assert KEY not in f"{error} {error.hint} {error!r}"


def test_every_row_of_the_access_table_is_reached_and_satisfiable() -> None:
    lines = """
        POST /devices/query, POST /devices/d/messages/events, GET /devices/d/messages/deviceBound,
        DELETE /devices/d/commands, GET /devices, DELETE /devices/d, PUT /devices/d/modules/m,
        POST /devices/d/applyConfigurationContent, AMQP /messages/devicebound, AMQP /messages/servicebound/feedback,
        AMQP /messages/events, POST /twins/d/methods, GET /twins/d, PATCH /twins/d/modules/m, GET /jobs/v2/query,
        PUT /jobs/v2/j,
        POST /jobs/v2/j/cancel, GET /jobs, POST /jobs/create, DELETE /jobs/j, GET /statistics/devices,
        GET /statistics/service
    """.split(",")
    assert {access_of(*line.split()) for line in lines} == set(ACCESS)
    for access in ACCESS:
        assert access.policies()[-1] == "iothubowner"
        assert set(access.rights) <= POLICIES["iothubowner"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (2e6, "23 days")]
)
def test_a_duration_is_short(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("said", "advised"),
    [
        ("The start time must be within 168 hours from now.", "start_at"),
        ("StartTime is invalid", "168 hours"),
        ("maxExecutionTimeInSeconds is out of range.", "max_execution_s"),
        ("The connection timeout cannot be longer than an overall call timeout.", "connect_timeout_s"),
        ("The job id may hold 1 to 64 letters, digits, dashes.", "1 to 64 of a-z"),
        ("no", "well-formed"),
    ],
)
def test_a_new_job_that_is_refused_is_not_always_its_condition(said: str, advised: str) -> None:
    hint = str(refused(400, "PUT /jobs/v2/j", key("iothubowner"), said=said).hint)
    assert advised in hint
    assert ("well-formed" in hint) == (said == "no")


def test_a_query_that_is_refused_is_about_the_query_alone() -> None:
    hint = str(refused(400, "POST /devices/query", key("iothubowner"), said="start time").hint)
    assert "well-formed" in hint and "168" not in hint


def test_of_a_device_that_left_while_it_was_called_nobody_is_told_that_it_was_not_connected() -> None:
    line, service = "POST /twins/d/methods", key("service")
    error = refused(404, line, service, code="DeviceNotOnline", said="Device unavailable")
    assert error.hint is not None and "Only the device knows" in error.hint
    assert "not connected" in str(refused(404, line, service, code="DeviceNotOnline").hint)
