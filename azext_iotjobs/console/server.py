"""The console's server: HTTP on 127.0.0.1, on a thread of its own, from `start` to `stop`."""

import asyncio
import socket
import threading
from collections.abc import Mapping

from aiohttp import web

from azext_iotjobs.console.app import application_of
from azext_iotjobs.console.context import ConsoleContext
from azext_iotjobs.console.hub_logs import HubLogs
from azext_iotjobs.console.parts import Parts, Topic
from azext_iotjobs.console.routes import TOPICS
from azext_iotjobs.console.sessions import Sessions, secret_in
from azext_iotjobs.console.telemetry import Telemetry
from azext_iotjobs.console.workers import Workers
from azext_iotjobs.model.clock import Clock, SystemClock
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import Field, Text

ADDRESS = "127.0.0.1"
SHUTDOWN_S = 2.0  # that requests in progress have
MAX_LINE_BYTES = 64 * 1024  # of a request: a query of the longest that hubs take, percent-encoded, and a page's token


class Console:
    """A console that is served from `start` to `stop`."""

    def __init__(
        self, context: ConsoleContext, clock: Clock | None = None, topics: Mapping[str, Topic] = TOPICS
    ) -> None:
        """clock: None: the machine's.  topics: that pages can watch."""
        self._topics = topics
        self._context = context
        self._clock = clock or SystemClock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="console", daemon=True)
        self._workers = Workers(context)
        self._telemetry = Telemetry(context.open_events, self._clock)
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.sign_in_address = ""  # once it is started: with the one-time token in the fragment, which is never sent

    @property
    def address(self) -> str:
        """Where it is, without a token."""
        return f"http://{ADDRESS}:{self.port}/"

    def start(self, port: int) -> None:
        """Serve at a port of 127.0.0.1; 0: any free one. Raises BadValue when it is taken, StateUnusable."""
        secret = secret_in(self._context.secret_folder)
        listening = _listening(port)
        self.port = listening.getsockname()[1]
        sessions = Sessions(secret, self.port, self._clock)
        self.sign_in_address = f"{self.address}#{sessions.token}"
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(listening, sessions), self._loop).result()

    def stop(self) -> None:
        """End it, and every stream of it. One that has ended stays so."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._telemetry.close()
        self._workers.close()

    async def _serve(self, listening: socket.socket, sessions: Sessions) -> None:
        parts = Parts(
            context=self._context,
            sessions=sessions,
            workers=self._workers,
            telemetry=self._telemetry,
            hub_logs=HubLogs(),
            clock=self._clock,
            topics=self._topics,
        )
        self._runner = web.AppRunner(
            application_of(parts), access_log=None, shutdown_timeout=SHUTDOWN_S, max_line_size=MAX_LINE_BYTES
        )
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()

    async def _end(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((ADDRESS, port))
    except (OSError, OverflowError) as err:
        why = err.strerror if isinstance(err, OSError) else "give 0 to 65535"
        raise BadValue(
            Text(Field("port"), f" {port}: {why}."), hint=Text("Give another one, or ", Field("port"), " 0 for any.")
        ) from err
