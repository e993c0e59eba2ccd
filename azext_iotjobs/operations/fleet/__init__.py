"""Runs of fleet jobs: planned, carried on, stopped, cancelled. What is kept of fleet jobs is in fleet_jobs.py."""

from azext_iotjobs.operations.fleet.carrying import Hands, cancel, carry_on, hands, resume, stop
from azext_iotjobs.operations.fleet.planning import Preview, check_host, host_of, new_run, preview

__all__ = [
    "Hands", "Preview", "cancel", "carry_on", "check_host", "hands", "host_of", "new_run", "preview", "resume", "stop",
]  # fmt: skip
