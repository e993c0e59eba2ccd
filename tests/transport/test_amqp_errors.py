"""What goes wrong with AMQP, as our errors."""

import ssl
from typing import Any

import pytest

from azext_iotjobs.model.amqp import AmqpEndpoint
from azext_iotjobs.model.errors import (
    AnswerTooLate,
    BadRequest,
    CannotConnect,
    Conflict,
    Forbidden,
    HubFault,
    IotJobsError,
    LinkLost,
    NotFound,
    NotTrusted,
    OldDependency,
    Throttled,
    Unauthorized,
)
from azext_iotjobs.transport.amqp_errors import LinkRedirected, check_outcome, refusal, translated
from azext_iotjobs.transport.amqp_library import amqp_library

ENDPOINT = AmqpEndpoint("hub.example.net")


def raised_for(error: BaseException, *, is_opening: bool = False) -> BaseException:
    with pytest.raises(Exception) as raised, translated(amqp_library(), ENDPOINT, is_opening=is_opening):
        raise error
    return raised.value


def amqp_error(condition: bytes, **more: Any) -> Exception:
    return amqp_library().error(condition, **more)


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("amqp:not-found", NotFound),
        ("amqp:unauthorized-access", Unauthorized),
        ("amqp:not-allowed", Forbidden),
        ("amqp:link:stolen", Conflict),
        ("amqp:resource-limit-exceeded", Throttled),
        ("com.microsoft:device-container-throttled", Throttled),
        ("amqp:link:message-size-exceeded", BadRequest),
        ("com.microsoft:something-new", BadRequest),
        ("amqp:internal-error", HubFault),
        ("amqp:connection:forced", LinkLost),
        ("amqp:link:detach-forced", LinkLost),
    ],
)
def test_a_condition_is_the_error_that_its_http_status_is(condition: str, kind: type[IotJobsError]) -> None:
    made = refusal(condition, "no\x1b[2J such device", {"com.microsoft:tracking-id": "T-1"}, "hub")
    assert type(made) is kind and made.message.isprintable() and "such device" in made.message
    assert getattr(made, "tracking_id", "T-1") == "T-1"


def test_what_the_library_raises_is_translated() -> None:
    found = raised_for(amqp_error(b"amqp:not-found", description=b"no such hub", info={b"a": b"b"}))
    assert isinstance(found, NotFound) and "no such hub" in found.message
    assert isinstance(raised_for(amqp_error(b"amqp:unknown-error")), LinkLost)
    assert isinstance(raised_for(amqp_library().token_refused(401, b"bad key")), Unauthorized)
    assert isinstance(raised_for(amqp_library().token_refused(404, b"no hub")), NotFound)


def test_a_redirect_is_not_an_error() -> None:
    info = {b"hostname": b"eh", b"port": 5671, b"address": b"amqps://eh:5671/x"}
    found = raised_for(amqp_library().link_redirect(b"amqp:link:redirect", info=info))  # type: ignore[call-arg]
    assert isinstance(found, LinkRedirected) and tuple(vars(found.redirect).values()) == (
        "eh",
        5671,
        "amqps://eh:5671/x",
    )


@pytest.mark.parametrize(
    ("error", "opening", "later"),
    [
        (ConnectionRefusedError(111, "refused"), CannotConnect, LinkLost),
        (ConnectionResetError(104, "reset"), CannotConnect, LinkLost),
        (ssl.SSLError(1, "wrong version"), CannotConnect, LinkLost),
        (ValueError("not a frame"), CannotConnect, LinkLost),
        (TypeError("None"), CannotConnect, LinkLost),
        (TimeoutError("no answer"), AnswerTooLate, AnswerTooLate),
        (ImportError("websocket"), OldDependency, OldDependency),
    ],
)
def test_trouble_of_the_network_is_told_from_what_is_no_amqp(
    error: Exception, opening: type[Exception], later: type[Exception]
) -> None:
    assert type(raised_for(error, is_opening=True)) is opening
    assert type(raised_for(error)) is later


def test_a_certificate_that_is_refused_is_said() -> None:
    refused = ssl.SSLCertVerificationError(1, "self-signed")
    refused.verify_code, refused.verify_message = 18, "self-signed certificate"
    found = raised_for(refused, is_opening=True)
    assert isinstance(found, NotTrusted) and "self-signed" in found.message


def test_the_cause_within_an_error_of_the_library_counts() -> None:
    error = amqp_error(b"amqp:socket-error", error=ConnectionRefusedError(111, "refused"))
    assert type(raised_for(error, is_opening=True)) is CannotConnect


def test_an_error_of_ours_stays() -> None:
    ours = Unauthorized("no", status=401)
    assert raised_for(ours) is ours


def test_a_message_was_accepted_or_refused() -> None:
    check_outcome({"accepted": []}, "hub")
    with pytest.raises(NotFound, match="no device"):
        check_outcome({"rejected": [[b"amqp:not-found", b"no device", None]]}, "hub")
    with pytest.raises(Throttled):
        check_outcome({b"rejected": [[b"amqp:resource-limit-exceeded", None, {}]]}, "hub")


@pytest.mark.parametrize("outcome", [{}, {"released": []}, {"modified": [True, None, None]}, {"rejected": []}])
def test_a_message_that_nobody_has_accepted_is_not_sent(outcome: dict[str, Any]) -> None:
    with pytest.raises(LinkLost, match="has not accepted"):
        check_outcome(outcome, "hub")
