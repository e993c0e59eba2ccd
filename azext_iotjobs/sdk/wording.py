"""Errors in the words of whom they reach: below the doors they name the command line's options, here parameters."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from azext_iotjobs.model.errors import IotJobsError

PARAMETERS = {
    "--job-id": "job_id",
    "--query-condition": "query_condition",
    "--method-name": "method_name",
    "--method-payload": "payload",
    "--method-response-timeout": "response_timeout_s",
    "--method-connect-timeout": "connect_timeout_s",
    "--twin-patch": "patch",
    "--start-time": "start_at",
    "--ttl": "max_execution_s",
    "--success-status": "success_status",
    "--top": "limit",
}
_OPTION = re.compile(r"--[a-z-]+")


@contextmanager
def parameter_names() -> Iterator[None]:
    """What is raised within, or by a function that this decorates, names parameters."""
    try:
        yield
    except IotJobsError as err:
        err.args = (_reworded(str(err)),)
        err.hint = None if err.hint is None else _reworded(err.hint)
        raise


def _reworded(text: str) -> str:
    return _OPTION.sub(lambda found: PARAMETERS.get(found[0], found[0]), text)
