"""Who holds the lease of a run: a process, named for people, and so that others can tell whether it is gone."""

import getpass
import os
import socket
from functools import cache
from pathlib import Path

from azext_iotjobs.model.late_dataclass import dataclass


@dataclass(frozen=True)
class Holder:
    """A process, on some machine."""

    owner: str  # for people
    machine: str  # whose numbers of processes `pid` is one of; as `this_machine` names it
    pid: int


def current_user() -> str:
    """The person at this machine, for records: user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def this_process() -> Holder:
    """This process, as a holder of leases."""
    return Holder(f"{current_user()}, process {os.getpid()}", this_machine(), os.getpid())


@cache
def this_machine() -> str:
    """The machine, as it runs since it was started, and the container: two of one name are two.

    Containers and hosts that share a store may well have one name, and each its own process 1.
    """
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{socket.gethostname()} {booted} {os.readlink('/proc/self/ns/pid')}"
    except (OSError, UnicodeDecodeError):  # no Linux
        return socket.gethostname()


def is_gone(holder: Holder) -> bool:
    """Whether a process has surely ended. Of another machine it cannot be known: its lease has to expire."""
    if os.name == "nt" or holder.machine != this_machine():
        return False  # Windows would end that process
    if holder.pid == os.getpid():
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _is_zombie(holder.pid)


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended and waits for its parent to notice: in a container that may take long."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()  # "pid (name) state …"; a name may hold brackets
    except OSError:  # no Linux, or it has gone meanwhile
        return False
    return stat.rpartition(b") ")[2][:1] in (b"Z", b"X")
