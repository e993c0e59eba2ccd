"""Who carries a run on: a process, named for people, and so that others on its machine can tell whether it is gone."""

import getpass
import os
import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Holder:
    """A process, on some machine."""

    owner: str  # for people
    machine: str
    pid: int


def who() -> str:
    """The person at this machine, for records: user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def this_process() -> Holder:
    """The process that asks."""
    return Holder(f"{who()}, process {os.getpid()}", socket.gethostname(), os.getpid())


def is_gone(holder: Holder) -> bool:
    """Whether a process has surely ended. Of another machine nobody knows: its lease has to pass."""
    if os.name == "nt" or holder.machine != socket.gethostname():
        return False  # Windows ends a process that is asked like this
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
