"""What requests of the hub's own routes may have, and what they are answered with: each row of the table has a form.

The listener reads requests by it before the handler sees them, so that nothing is taken silently; the documents are
made from it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.request import HubRequest
from azext_iotjobs.localhub.rules.own_document import (
    DocumentMistake,
    Member,
    parse_document,
    read_members,
    read_parameters,
)

JSON = "application/json"
API_VERSION = "api-version"  # clients of the service send it everywhere; here it does not matter
MAX_WAIT_S = 30  # of a route that waits for what is to come; shorter than clients' time limits
MAX_NUMBER = 2**53 - 1  # that every client's numbers hold


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One response of a route."""

    what: str  # for people
    document: Member | None = None  # as JSON; None: no body, or one of another media type
    media_type: str = JSON


DONE = Answer(what="It is done.")


@dataclass(frozen=True, kw_only=True)
class OwnForm:
    """What a request may have, and its responses; 400, and 401 where a key is needed, are not listed."""

    query: Mapping[str, Member] = field(default_factory=dict)
    body: Mapping[str, Member] | None = None  # the members of a JSON object; None: there is no body
    example: Mapping[str, object] | None = None  # a whole body that is allowed, which errors show
    body_types: tuple[str, ...] = (JSON,)  # other than JSON alone: the handler reads the body
    file_type: str | None = None  # the media type of a body that is a file, which the handler reads; None: it is none
    answers: Mapping[int, Answer]

    @property
    def is_body_read(self) -> bool:
        """Whether the body is read by this form, not by the handler."""
        return self.body_types == (JSON,)


def read_own_request(request: HubRequest, form: OwnForm) -> HubRequest:
    """A request with its `parameters` and `members`. Raises HubError 400, which names what is wrong and what may be."""
    given = [each for each in request.query.items() if each[0] != API_VERSION]
    try:
        parameters = read_parameters(given, form.query)
        members = _members(request, form)
    except DocumentMistake as err:
        raise HubError(ARGUMENT_INVALID, str(err)) from err
    return replace(request, parameters=parameters, members=members)


def _members(request: HubRequest, form: OwnForm) -> Mapping[str, object]:
    if form.file_type is not None:
        return {}
    if form.body is None:
        if request.body.strip() not in (b"", b"{}", b"null"):
            raise DocumentMistake("", f"The body must be empty, and has {len(request.body):,} bytes.")
        return {}
    if not form.is_body_read:
        return {}
    try:
        return read_members(parse_document(request.body), form.body)
    except DocumentMistake as err:
        if err.has_example:
            raise
        raise DocumentMistake("", f"{err} A body that is allowed: {json.dumps(form.example)}") from err
