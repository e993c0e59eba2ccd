"""An event loop whose time a test moves on: what has to happen some time happens now, and nothing sleeps."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

from azext_iotjobs.localhub.clock import HubClock

Result = TypeVar("Result")
LIMIT_S = 60.0  # of real time, for what a test waits for: it fails instead of hanging


class MovedLoop(asyncio.SelectorEventLoop):
    """A real loop; `advance` makes the timers of the next seconds due."""

    def __init__(self) -> None:
        self._moved_s = 0.0
        super().__init__()

    def time(self) -> float:
        """The loop's own seconds."""
        return super().time() + self._moved_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._moved_s += seconds


class HandClock(HubClock):
    """The hub's clock on a machine whose time a test lets pass."""

    def __init__(self, *, scale: float = 1.0) -> None:
        self.at = datetime(2026, 5, 1, 8, tzinfo=timezone.utc)
        super().__init__(scale=scale)

    def machine_now(self) -> datetime:
        """The instant at which the machine stands."""
        return self.at

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)


def run(main: Callable[[MovedLoop], Coroutine[Any, Any, Result]]) -> Result:
    """Run a test's coroutine on a loop of its own; a fault that the loop would only log fails the test."""
    loop = MovedLoop()
    faults: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: faults.append(context))
    try:
        result = loop.run_until_complete(_with_leftovers_ended(main(loop)))
    finally:
        loop.close()
    assert faults == []
    return result


async def _with_leftovers_ended(main: Coroutine[Any, Any, Result]) -> Result:
    try:
        return await main
    finally:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def turns(count: int = 5) -> None:
    """Let what is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def within_limit(awaited: Awaitable[Result]) -> Result:
    """Wait for it, but not forever; moving the loop's time does not shorten the wait."""
    task = asyncio.ensure_future(awaited)
    deadline = time.monotonic() + LIMIT_S
    while not task.done():
        assert time.monotonic() < deadline, f"not seen within {LIMIT_S:.0f} s"
        await asyncio.wait({task}, timeout=1)
    return task.result()
