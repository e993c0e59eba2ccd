"""What keeps the hub from doing all of its work for a while: said once in the log when it begins and when it is over.

`az iot local-hub show` shows what goes on now.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

SAY_AGAIN_AFTER_S = 60.0  # what comes and goes, such as room on a disk that is almost full, does not fill the log

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that does not work now."""

    what: str  # a file, or a part of the hub
    reason: str
    since: datetime


class Troubles:
    """All of them.

    serves: whether the hub serves yet; before that whatever does not work ends it, and that is said then.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic, *, serves: bool = True) -> None:
        self.serves = serves
        self._now_s = now_s
        self._current: dict[str, Trouble] = {}
        self._began_s: dict[str, float] = {}  # of those whose beginning was logged
        self._said_s: dict[tuple[str, str], float] = {}

    def begin(self, what: str, reason: str, effect: str) -> bool:
        """Something does not work. Gives whether that was new, and so was logged with its effect."""
        if what in self._current or not self.serves:
            return False
        self._current[what] = Trouble(what=what, reason=reason, since=datetime.now(timezone.utc))
        now_s = self._now_s()
        if now_s - self._said_s.get((what, reason), -SAY_AGAIN_AFTER_S) < SAY_AGAIN_AFTER_S:
            return False
        self._said_s[what, reason] = self._began_s[what] = now_s
        logger.error("%s: %s. %s", what, reason, effect)
        return True

    def end(self, what: str) -> None:
        """It works again; that is logged when its beginning was."""
        trouble, began_s = self._current.pop(what, None), self._began_s.pop(what, None)
        if trouble is not None and began_s is not None:
            lasted_s = self._now_s() - began_s
            logger.warning("%s: works again, after %.1f s (%s)", what, lasted_s, trouble.reason)

    def current(self) -> list[Trouble]:
        """What does not work now, oldest first."""
        return list(self._current.values())
