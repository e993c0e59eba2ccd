"""/_local/health and /_local/ca.pem: what anybody may read, without a key. Nothing secret, and no name of anything."""

from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.process.outages import Outages

PEM_TYPE = "application/x-pem-file"


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
