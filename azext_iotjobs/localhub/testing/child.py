"""Processes of this package that tests start: how they find it."""

import os
import sys
from pathlib import Path

PACKAGE_PARENT = Path(__file__).resolve().parents[3]
PACKAGE = Path(__file__).resolve().parents[2].name


def module_environment() -> dict[str, str]:
    """This process's environment, in which `python -m azext_iotjobs.…` is found from any folder.

    Where this process runs a checkout, its dependencies are with an installed package, which is on the search path too.
    """
    others = (os.path.abspath(each) for each in sys.path if os.path.isdir(os.path.join(each, PACKAGE)))
    folders = dict.fromkeys([str(PACKAGE_PARENT), *others])
    paths = [*folders, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
