"""Wait for what another process brings about."""

import time
from collections.abc import Callable

LIMIT_S = 60.0


def wait_until(what: str, condition: Callable[[], object], *, limit_s: float = LIMIT_S) -> None:
    """Look again and again until `condition` holds; fail with `what` when it never does."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not seen within {limit_s:.0f} s: {what}"
        time.sleep(0.05)
