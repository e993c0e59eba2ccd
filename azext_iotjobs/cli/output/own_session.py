"""Processes that go on without the one that starts them."""

import subprocess
import sys
from typing import Any


def own_session() -> dict[str, Any]:
    """Settings of Popen with which a process outlives this one, its terminal and its console, and sees no Ctrl-C."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
