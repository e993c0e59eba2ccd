"""Whether others can read a file with a secret that somebody names: a warning, and never a refusal.

Strategy: as libpq judges a private key, only its owner may read it, and of root's files its group too. A refusal, as
ssh and libpq have it, would leave out secrets that are mounted for everybody, as Kubernetes and Docker do it: in that
container there is nobody else. Those are known by how they are mounted, and nothing is said of them.
"""

import os
import shlex
import stat
from pathlib import Path

from knack.log import get_logger

logger = get_logger(__name__)

FOR_OTHERS = 0o077
FOR_OTHERS_OF_ROOT = 0o037  # root's group may read it
OF_CONTAINERS = Path("/run/secrets")  # where Docker, Podman and Compose mount secrets
KUBERNETES_DATA = "..data"  # the link beside the files of a mounted secret, by which all of them change at once

_warned: set[str] = set()  # once in a process, whatever opens it again


def warn_if_others_read(path: str, name: str) -> None:
    """Warn of a file with a secret that other users of this machine can read, or write; once for each `name`.

    name: what names the file, such as an option.  On Windows nothing is said: its files have no such bits.
    """
    if os.name == "nt" or name in _warned:
        return
    try:
        found = os.stat(path)
    except OSError:  # whoever reads it says so
        return
    allowed = FOR_OTHERS_OF_ROOT if found.st_uid == 0 else FOR_OTHERS
    if not stat.S_ISREG(found.st_mode) or not found.st_mode & allowed or _is_mounted_secret(path):
        return
    _warned.add(name)
    logger.warning(
        "%s %s: other users of this machine may read it or write to it (mode %04o). Only its owner should be "
        "able to read it: chmod 600 %s",
        *(name, path, stat.S_IMODE(found.st_mode), shlex.quote(path)),
    )


def _is_mounted_secret(path: str) -> bool:
    """Whether a container's runtime has mounted it as a secret."""
    named, real = Path(os.path.abspath(path)), Path(os.path.realpath(path))
    if OF_CONTAINERS in (*named.parents, *real.parents):
        return True
    data = named.parent / KUBERNETES_DATA
    return data.is_symlink() and real.is_relative_to(os.path.realpath(data))
