"""Threads that wait for the store of fleet jobs, for the hub and for commands, so that the server's loop does not."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.console.context import ConsoleContext
from azext_iotjobs.fleet_job.store.contract import Access, FleetJobStore
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.model.errors import MissingChoice

Result = TypeVar("Result")
HUB_THREADS = 8


class Workers:
    """One thread for the store, which is one connection; some for the hub and for commands."""

    def __init__(self, context: ConsoleContext) -> None:
        self._context = context
        self._access = Access.READ if context.is_read_only else Access.CHANGE
        self._store: SqlStore | None = None
        self._is_store_empty = False  # nobody had made it when it was opened
        self._of_store = ThreadPoolExecutor(1, "console-store")
        self._of_hub = ThreadPoolExecutor(HUB_THREADS, "console-hub")

    async def store(self, work: Callable[[FleetJobStore], Result]) -> Result:
        """What `work` gives with the store, on its thread. Raises StateError, and what `work` raises."""
        return await asyncio.get_running_loop().run_in_executor(self._of_store, lambda: work(self._opened()))

    async def made_store(self, work: Callable[[FleetJobStore], Result]) -> Result:
        """The same with a store that is made where it is missing, for what is saved."""
        return await asyncio.get_running_loop().run_in_executor(self._of_store, lambda: work(self._opened(makes=True)))

    async def hub(self, work: Callable[[HubClient], Result]) -> Result:
        """What `work` gives with the hub. Raises MissingChoice without a hub, and what `work` raises."""
        client = self._context.hub
        if client is None:
            raise MissingChoice("The console was started without a hub.", hint="Start it with a hub's name.")
        return await self.wait(lambda: work(client))

    async def wait(self, work: Callable[[], Result]) -> Result:
        """What `work` gives, which may wait for long."""
        return await asyncio.get_running_loop().run_in_executor(self._of_hub, work)

    def close(self) -> None:
        """Close the store; work that has begun is not waited for."""
        self._of_hub.shutdown(wait=False, cancel_futures=True)
        self._of_store.shutdown(wait=True, cancel_futures=True)
        if self._store is not None:
            self._store.close()

    def _opened(self, *, makes: bool = False) -> FleetJobStore:
        """The open store; one that was not there is looked for again, or made."""
        if self._store is not None and self._is_store_empty and (makes or self._store.database.is_there):
            self._store.close()
            self._store = None
        if self._store is None:
            access = Access.MAKE if makes else self._access
            self._store = self._context.open_store(access)
            self._is_store_empty = not self._store.database.is_there
        return self._store
