"""How many files a process may have open: each device's connection is one."""

import errno
import os
import sys

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import Text, counted

SPARE_FILES = 64  # for what else opens and closes meanwhile
WINDOWS_SOCKETS = 500  # Python's select() there takes 512
MACOS_FILES = 10240  # a soft limit above is refused there, whatever the hard one says
LACK = "this process may open no more files"
LACK_HINT = "Raise the limit (ulimit -n, or LimitNOFILE of a service)."
RARELY_MORE = 1 << 20  # where the limit is "infinity"


def lack_of_files(err: BaseException) -> str | None:
    """That a connection failed because this process, or the machine, may open no more files; None: not for that.

    A name that cannot be looked up for that reason is told as one that does not exist, so it is tried.
    """
    seen: BaseException | None = err
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.EMFILE, errno.ENFILE):
            return LACK
        seen = seen.__cause__ or seen.__context__
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as refused:
        return LACK if refused.errno in (errno.EMFILE, errno.ENFILE) else None
    return None


def files_needed(devices: int, open_now: int) -> int:
    """How many a simulation needs.

    open_now: by this process, before any device is connected.
    """
    return devices + open_now + SPARE_FILES


def make_room(devices: int) -> None:
    """Let this process open a file for each of `devices`, as far as it may.

    Raises BadValue with the number needed and the number allowed when they are too many.
    """
    needed = files_needed(devices, _open_now())
    allowed = _raised_to(needed)
    if needed > allowed:
        raise too_few_files(devices, needed, allowed)


def too_few_files(devices: int, needed: int, allowed: int) -> BadValue:
    """The error for a limit of open files that is too low.

    devices: to simulate.  needed, allowed: open files of this process.
    """
    need = counted(devices, "device needs", "devices need")
    return BadValue(
        f"{need} {counted(needed, 'open file')}, and this process may have {allowed}.",
        hint=Text.of(
            "Raise the hard limit (ulimit -Hn, or LimitNOFILE of a service), simulate fewer devices, or split them "
            "with {shard}."
        ),
    )


def _raised_to(needed: int) -> int:
    if sys.platform == "win32":
        return WINDOWS_SOCKETS
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return RARELY_MORE
    most = RARELY_MORE if hard == resource.RLIM_INFINITY else hard
    wanted = min(needed, most, MACOS_FILES if sys.platform == "darwin" else most)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return soft


def _open_now() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(folder))
        except OSError:
            pass
    return 0
