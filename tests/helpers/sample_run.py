"""A run as tests of what decides on it, and of what shows it, need one: by calls, in progress."""

from datetime import datetime
from typing import Any

from azext_iotjobs.model.fleet_job import Delivery, Driver
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_state import RunState


def sample_run(created_at: datetime, **more: Any) -> Run:
    """A run. more: what is otherwise than here, and what is not here."""
    values: dict[str, Any] = {
        "key": 1,
        "fleet_job_id": "job",
        "host": "h",
        "number": 1,
        "version": 1,
        "run_key": "abcdefgh",
        "state": RunState.RUNNING,
        "driver": Driver.CALLS,
        "driver_reason": "",
        "delivery": Delivery(),
        "device_count": 10,
        "batch_count": 2,
        "created_at": created_at,
        "created_by": "me",
    }
    return Run(**(values | more))
