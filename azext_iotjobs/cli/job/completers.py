"""Tab completion of job ids."""

from typing import Any

from azext_iotjobs.cli.hub_access.completers import client_for, completer, offered


@completer
def job_ids(cmd: Any, prefix: str, namespace: Any) -> list[str]:
    """Ids of the hub's jobs."""
    return offered(prefix, lambda: (job.job_id for job in client_for(cmd, namespace).jobs.query()))
