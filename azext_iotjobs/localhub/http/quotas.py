"""/_local/quotas: what the hub's tier grants, and what was used of it. Only for who holds iothubowner's key."""

from typing import Any

from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.http.own_request import Answer, OwnForm
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.process.config import LocalHubConfig
from azext_iotjobs.localhub.rules.own_document import Member
from azext_iotjobs.localhub.rules.quota import Meter, Sku, Throttle
from azext_iotjobs.localhub.store.jobs import Jobs

COUNT = Member(kind=int, is_required=True)
JOBS = {"count": COUNT, "limit": COUNT}
THROTTLE = {
    "name": Member(kind=str, is_required=True, one_of=tuple(each.value for each in Throttle)),
    "perSecond": Member(kind=float, is_required=True),
    "burst": Member(kind=float, is_required=True, what="how much is let through at once"),
    "counted": Member(kind=int, is_required=True, what="operations since the hub's start"),
    "passed": Member(kind=int, is_required=True, what="those that were let through at once"),
    "delayed": Member(kind=int, is_required=True, what="those that had to wait"),
    "refused": Member(kind=int, is_required=True),
}
QUOTAS = Member(
    kind=dict,
    title="Quotas",
    members={
        "sku": Member(kind=str, is_required=True, one_of=tuple(each.value for each in Sku)),
        "units": Member(kind=int, is_required=True, may_be_null=True, what="null of a hub without limits"),
        "timeScale": Member(kind=float, is_required=True, what="seconds of the hub's clock in one of the machine"),
        "activeJobs": Member(kind=dict, is_required=True, members=JOBS),
        "throttles": Member(kind=list, is_required=True, each=Member(kind=dict, members=THROTTLE)),
    },
)
SHOW = OwnForm(answers={200: Answer(what="The tier, and its use.", document=QUOTAS)})


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
