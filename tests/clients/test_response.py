import json
from typing import Any

import pytest

from azext_iotjobs.clients.errors import error_of
from azext_iotjobs.clients.response import document
from azext_iotjobs.model.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    HubAnswer,
    HubFault,
    NotFound,
    Throttled,
    Unauthorized,
)
from azext_iotjobs.model.text import MAX_SHOWN
from azext_iotjobs.transport.http import Response
from tests.helpers.transport_double import response

NESTED = {"errorCode": 404103, "trackingId": "AB-G2:-TimeStamp:2026Z", "message": "Timed out waiting.", "info": {}}
SHAPE_A = {"Message": "ErrorCode:JobAlreadyExists;It is there.", "ExceptionMessage": "Tracking ID:12-G:3"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (405, BadRequest),
        (409, Conflict),
        (412, Conflict),
        (415, BadRequest),
        (429, Throttled),
        (500, HubFault),
        (503, HubFault),
        (504, HubFault),
        (302, BadRequest),
    ],
)
def test_each_status_is_an_error_of_its_kind(status: int, kind: type[HubAnswer]) -> None:
    error = error_of(response({"Message": "no"}, status=status))
    assert type(error) is kind
    assert error.status == status


def test_the_header_names_the_code_before_anything_else() -> None:
    assert error_of(response(SHAPE_A, status=409, iothub_errorcode="Other")).hub_code == "Other"


@pytest.mark.parametrize(
    ("body", "code", "words", "tracking"),
    [
        (SHAPE_A, "JobAlreadyExists", "It is there.", "12-G:3"),
        (NESTED, None, "404103: Timed out waiting.", "AB-G2:-TimeStamp:2026Z"),
        ({"Message": json.dumps(NESTED), "ExceptionMessage": ""}, None, "404103: Timed out", "AB-G2:-TimeStamp:2026Z"),
        ({"message": "lower"}, None, "lower", None),
        ({}, None, "no reason was given", None),
        ([1], None, "[1]", None),
    ],
)
def test_every_shape_of_an_error_is_read(body: Any, code: str | None, words: str, tracking: str | None) -> None:
    error = error_of(response(body, status=409))
    assert (error.hub_code, error.tracking_id) == (code, tracking)
    assert words in str(error)


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"\xff\xfe", b"[" * 100_000, b'"text"', b"null"])
def test_a_body_that_is_no_error_document_is_still_an_error(body: bytes) -> None:
    assert isinstance(error_of(Response(status=502, headers={}, body=body)), HubFault)


def test_what_the_hub_says_cannot_steer_the_terminal_and_is_not_long() -> None:
    text = str(error_of(response({"Message": "\x1b[2Jgone\nfake line " + "x" * 9000}, status=400)))
    assert text.isprintable()
    assert len(text) < MAX_SHOWN + 100


def test_a_document_is_given_as_it_is_and_an_empty_body_is_none() -> None:
    assert document(response({"a": [1]})) == {"a": [1]}
    assert document(response(status=204)) is None


@pytest.mark.parametrize("body", [b"<html>", b"[" * 100_000, b"\xff"])
def test_a_success_that_is_not_json_is_the_hubs_fault(body: bytes) -> None:
    with pytest.raises(HubFault, match="not JSON"):
        document(Response(status=200, headers={}, body=body))
