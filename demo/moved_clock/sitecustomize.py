"""Sets the clock of iotjobs ahead, in each Python process that has this folder in PYTHONPATH: for `make demo-rollout`.

A schedule that is due every ten minutes would keep a demo waiting. So the processes that look at it read the time from
another clock, at the one seam through which all of iotjobs reads it: the machine's time, and as many seconds more as a
file says, which the demo writes. Nothing of this is in the extension. The hub and its devices keep the machine's clock.
"""

import os
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

AHEAD = Path(os.environ["IOTJOBS_DEMO_CLOCK"])  # a file: how many seconds


def ahead(clock: object) -> datetime:
    return datetime.now(timezone.utc) + timedelta(seconds=float(AHEAD.read_text(encoding="utf-8")))


sys.path.append(str(Path(os.environ["AZURE_EXTENSION_DIR"]) / "iotjobs"))

from azext_iotjobs.model.clock import SystemClock  # noqa: E402 - it is found there

setattr(SystemClock, "now", ahead)  # noqa: B010 - mypy takes no assignment to a method
