"""/_local/health and /_local/ca.pem: what anybody may read, without a key. Nothing secret, and no name of anything."""

from azext_iotjobs.localhub.http.own_request import Answer, OwnForm
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.process.outages import Outages
from azext_iotjobs.localhub.rules.own_document import Member

PEM_TYPE = "application/x-pem-file"


def _health(status: str) -> Member:
    return Member(kind=dict, members={"status": Member(kind=str, is_required=True, one_of=(status,))})


HEALTH = OwnForm(
    answers={
        200: Answer(what="Everything works.", document=_health("up")),
        503: Answer(what="Something does not work; `/_local/troubles` says what.", document=_health("trouble")),
    }
)
CA = OwnForm(answers={200: Answer(what="PEM.", media_type=PEM_TYPE)})


class PublicRoutes:
    """For health checks, and for clients that are to trust the hub."""

    def __init__(self, outages: Outages, ca_certificate: bytes) -> None:
        """ca_certificate: PEM, without its key."""
        self._outages = outages
        self._ca_certificate = ca_certificate

    async def health(self, _request: HubRequest) -> HubResponse:
        """GET /_local/health: whether everything works at present. It does not read the store."""
        if self._outages.current():
            return HubResponse(status=503, document={"status": "trouble"})
        return HubResponse(document={"status": "up"})

    async def ca_certificate(self, _request: HubRequest) -> HubResponse:
        """GET /_local/ca.pem: the CA that has signed this hub's certificate."""
        return HubResponse(body=self._ca_certificate, headers={"Content-Type": PEM_TYPE})
