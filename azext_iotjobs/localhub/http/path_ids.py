"""The ids that a path names, checked before anything else is done with them: what can be no id reaches no handler."""

import re
from collections.abc import Callable, Mapping

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.rules.identity import check_device_id, check_module_id, is_dot_segment
from azext_iotjobs.localhub.rules.job import check_job_id

CERTIFICATE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
CONFIGURATION_ID = re.compile(r"[a-z0-9\-+%_*!']{1,128}")


def check_path(parts: Mapping[str, str]) -> None:
    """Raise HubError 400 for a part of a path that cannot be the id which its route has there."""
    for name, text in parts.items():
        if check := CHECKS.get(name):
            check(text)


def _check_certificate_name(text: str) -> None:
    _check_with(CERTIFICATE_NAME, text, "name of a certificate", "1 to 64 letters, digits and ._-")


def _check_configuration_id(text: str) -> None:
    _check_with(CONFIGURATION_ID, text, "configuration id", "1 to 128 lower-case letters, digits and -+%_*!'")


def _check_with(allowed: re.Pattern[str], text: str, what: str, may_hold: str) -> None:
    if not allowed.fullmatch(text) or is_dot_segment(text):
        raise HubError(
            ARGUMENT_INVALID,
            f"{text[:130]!a} is not a {what}: it may hold {may_hold}, and be neither . nor .., percent-encoded or not.",
        )


CHECKS: Mapping[str, Callable[[str], None]] = {  # by the names that routes have for parts of their paths
    "id": check_device_id,
    "module": check_module_id,
    "job": check_job_id,
    "certificate": _check_certificate_name,
    "configuration": _check_configuration_id,
}
