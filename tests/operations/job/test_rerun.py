"""A job that is made again: which, and under what id."""

from collections.abc import Callable

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import NotFound, WrongState
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.job import rerun
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.transport_double import TransportDouble, response


def hub_with(statuses: dict[str, str]) -> HubClient:
    def answer(request: Request) -> Response:
        job_id = request.path.rpartition("/")[2]
        return response({"jobId": job_id, "type": "unknown", "status": statuses.get(job_id, "unknown")})

    made: Callable[[Request], Response] = answer
    return HubClient(HubTarget(host="h"), TransportDouble(made))


def test_the_first_free_number_is_taken() -> None:
    assert rerun.free_ids(hub_with({}), "j", 1) == ["j-r1"]
    assert rerun.free_ids(hub_with({"j-r1": "completed", "j-r2": "running"}), "j", 1) == ["j-r3"]
    assert rerun.free_ids(hub_with({"j-r1-1": "completed"}), "j", 2) == ["j-r2-1", "j-r2-2"]


def test_a_job_that_nobody_knows_or_that_still_runs_is_not_made_again() -> None:
    hub = hub_with({"runs": "running", "over": "cancelled"})
    with pytest.raises(NotFound, match="no job nobody"):
        rerun.original(hub, "nobody")
    with pytest.raises(WrongState, match="runs is running"):
        rerun.ended(rerun.original(hub, "runs"))
    assert rerun.ended(rerun.original(hub, "over")).job_id == "over"
