"""Wait for what another process brings about, and for what comes page by page: never forever."""

import time
from collections.abc import Callable, Iterator

LIMIT_S = 60.0


def wait_until(what: str, condition: Callable[[], object], *, limit_s: float = LIMIT_S) -> None:
    """Look again and again until `condition` holds; fail with `what` when it never does."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not seen within {limit_s:.0f} s: {what}"
        time.sleep(0.05)


def looks(what: str, *, limit_s: float = LIMIT_S) -> Iterator[int]:
    """To loop over, in place of `while True`: counts, and fails with `what` when the loop is not left in time."""
    deadline, number = time.monotonic() + limit_s, 0
    while time.monotonic() < deadline:
        yield number
        number += 1
    raise AssertionError(f"not over within {limit_s:.0f} s: {what}")
