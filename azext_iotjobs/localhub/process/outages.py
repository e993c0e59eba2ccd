"""What does not work at present: logged once when it begins and once when it is over.

`az iot local-hub show` lists the current ones.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

LOG_AGAIN_AFTER_S = 60.0  # an outage that comes and goes, such as an almost full disk, must not fill the log

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Outage:
    """Something that does not work at present."""

    what: str  # a file, or a part of the hub
    reason: str
    since: datetime


class Outages:
    """The current outages.

    is_serving: False while the hub starts: then a failure ends it and is reported as it exits, so nothing is recorded.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic, *, is_serving: bool = True) -> None:
        self.is_serving = is_serving
        self._now_s = now_s
        self._current: dict[str, Outage] = {}
        self._began_s: dict[str, float] = {}  # of those whose beginning was logged
        self._logged_s: dict[tuple[str, str], float] = {}

    def begin(self, what: str, reason: str, effect: str) -> bool:
        """Record that `what` does not work; gives whether that is new and was logged, with its effect."""
        if what in self._current or not self.is_serving:
            return False
        self._current[what] = Outage(what=what, reason=reason, since=datetime.now(timezone.utc))
        now_s = self._now_s()
        if now_s - self._logged_s.get((what, reason), -LOG_AGAIN_AFTER_S) < LOG_AGAIN_AFTER_S:
            return False
        self._logged_s[what, reason] = self._began_s[what] = now_s
        logger.error("%s: %s. %s", what, reason, effect)
        return True

    def end(self, what: str) -> None:
        """Record that `what` works again; that is logged when its beginning was."""
        outage, began_s = self._current.pop(what, None), self._began_s.pop(what, None)
        if outage is not None and began_s is not None:
            lasted_s = self._now_s() - began_s
            logger.warning("%s: works again, after %.1f s (%s)", what, lasted_s, outage.reason)

    def current(self) -> list[Outage]:
        """What does not work at present, oldest first."""
        return list(self._current.values())
