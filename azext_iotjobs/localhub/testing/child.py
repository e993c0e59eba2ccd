"""Processes of this package that tests start: how they find it."""

import os
from pathlib import Path

PACKAGE_PARENT = Path(__file__).resolve().parents[3]


def module_environment() -> dict[str, str]:
    """This process's environment, in which `python -m azext_iotjobs.…` is found from any folder."""
    paths = [str(PACKAGE_PARENT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
