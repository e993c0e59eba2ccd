"""/_local/certificates: the CAs that sign devices' certificates. Only for callers with iothubowner's key."""

import json
from collections.abc import Mapping
from typing import Any

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, NOT_FOUND, HubError
from azext_iotjobs.localhub.http.own_request import DONE, Answer, OwnForm
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, member
from azext_iotjobs.localhub.rules.own_document import Member
from azext_iotjobs.localhub.rules.seed_examples import PEM as PEM_EXAMPLE
from azext_iotjobs.localhub.store.authorities import Authorities, AuthorityRow

MAX_CERTIFICATES = 25  # IoT Hub quotas

CERTIFICATE = Member(
    kind=dict,
    title="Certificate",
    members={
        "name": Member(kind=str, is_required=True),
        "subject": Member(kind=str, is_required=True),
        "thumbprint": Member(kind=str, is_required=True, what="SHA-1, in hexadecimal digits"),
        "expiresAt": Member(kind=str, is_required=True, text_format="date-time"),
        "createdAt": Member(kind=str, is_required=True, text_format="date-time"),
        "updatedAt": Member(kind=str, is_required=True, text_format="date-time"),
    },
)
LIST = OwnForm(answers={200: Answer(what="The CAs.", document=Member(kind=list, each=CERTIFICATE))})
PUT = OwnForm(
    body={
        "certificate": Member(
            kind=str, is_required=True, what="PEM, of a CA that is valid at present", example=PEM_EXAMPLE
        )
    },
    example={"certificate": PEM_EXAMPLE},
    answers={200: Answer(what="The CA, as it is listed.", document=CERTIFICATE)},
)
NO_SUCH = Answer(what="There is none of this name.")
DELETE = OwnForm(answers={204: DONE, 404: NO_SUCH})


class CertificateRoutes:
    """List, add and remove CA certificates."""

    def __init__(self, authorities: Authorities, clock: HubClock) -> None:
        self._authorities = authorities
        self._clock = clock

    async def list(self, _request: HubRequest) -> HubResponse:
        """GET /_local/certificates"""
        return HubResponse(document=[_document(each) for each in self._authorities.all()])

    async def put(self, request: HubRequest) -> HubResponse:
        """PUT /_local/certificates/{certificate}: adds one, or replaces the one of that name."""
        name = request.path["certificate"]
        old = self._authorities.get(name)
        self._check_count(old)
        try:
            return HubResponse(document=_document(self._save(name, request.members, old)))
        except HubError as err:
            advice = f"It is the PEM of one CA that is valid at present, such as {json.dumps(PEM_EXAMPLE)}."
            raise HubError(ARGUMENT_INVALID, f"certificate: {err.text} {advice}") from err

    def add(self, name: str, document: Mapping[str, Any]) -> bool:
        """Add a certificate unless there is one of that name; gives whether it was added. Raises HubError 400."""
        if self._authorities.get(name) is not None:
            return False
        self._check_count(None)
        self._save(name, document, None)
        return True

    def _save(self, name: str, document: Mapping[str, Any], old: AuthorityRow | None) -> AuthorityRow:
        # Imported here: `cryptography` loads slowly, and most hubs never need it.
        from azext_iotjobs.localhub.auth import x509

        pem = member(document, "certificate", str)
        if pem is None:
            raise HubError(ARGUMENT_INVALID, "The certificate is missing.")
        read = x509.read_authority(pem, self._clock.machine_now())
        now = render(self._clock.now())
        row = AuthorityRow(
            name=name,
            der=read.der,
            subject=read.subject,
            thumbprint=read.thumbprint,
            ends_at=render(read.ends_at),
            created_at=now if old is None else old.created_at,
            updated_at=now,
        )
        self._authorities.save(row)
        return row

    def _check_count(self, old: AuthorityRow | None) -> None:
        if old is None and len(self._authorities.all()) >= MAX_CERTIFICATES:
            raise HubError(ARGUMENT_INVALID, f"A hub has at most {MAX_CERTIFICATES} certificates.")

    async def delete(self, request: HubRequest) -> HubResponse:
        """DELETE /_local/certificates/{certificate}"""
        name = request.path["certificate"]
        if not self._authorities.delete(name):
            raise HubError(NOT_FOUND, f"There is no certificate of the name {name!a}.")
        return HubResponse(status=204)


def _document(row: AuthorityRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "subject": row.subject,
        "thumbprint": row.thumbprint,
        "expiresAt": row.ends_at,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }
