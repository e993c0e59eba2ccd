"""/_local/quotas: what the hub's tier grants, and what was used of it. Only for who holds iothubowner's key."""

from typing import Any

from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.process.config import LocalHubConfig
from azext_iotjobs.localhub.rules.quota import Meter, Sku, Throttle
from azext_iotjobs.localhub.store.jobs import Jobs


class QuotaRoutes:
    """Shows the meters."""

    def __init__(self, config: LocalHubConfig, quotas: Quotas | None, jobs: Jobs) -> None:
        self._config = config
        self._quotas = quotas
        self._jobs = jobs

    async def get(self, _request: HubRequest) -> HubResponse:
        """GET /_local/quotas: since the hub's start; a hub without limits has no throttles, and counts nothing."""
        config, quotas = self._config, self._quotas
        return HubResponse(
            document={
                "sku": config.sku.value,
                "units": None if config.sku is Sku.UNLIMITED else config.units,
                "timeScale": config.time_scale,
                "activeJobs": {"count": len(self._jobs.active()), "limit": config.job_slots},
                "throttles": [_document(*each) for each in quotas.meters.items()] if quotas else [],
            }
        )


def _document(throttle: Throttle, meter: Meter) -> dict[str, Any]:
    return {
        "name": throttle.value,
        "perSecond": round(meter.quota.rate, 4),
        "burst": meter.quota.burst,
        "counted": meter.counted,
        "passed": meter.passed,
        "delayed": meter.delayed,
        "refused": meter.refused,
    }
