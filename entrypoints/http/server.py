"""The uvicorn server; before it stops, it answers every client that has connected."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from entrypoints.http.protocol_limits import LimitedHttpProtocol

# When the server stops, idle connections stay open for this time; a request that arrives on one is still answered.
IDLE_GRACE_SECONDS = 0.3
SHUTDOWN_SECONDS = 5
# How often the server asks `must_stop` and updates the Date header.
TICK_SECONDS = 1.0
BACKLOG = 512


class Server(uvicorn.Server):
    """Serves until a signal arrives or `must_stop` returns True; unlike uvicorn's, it does not raise the signal again.

    `finish` is called when the stop begins; from then on every response closes its connection.
    """

    def __init__(self, app: ASGIApp, finish: Callable[[], None], must_stop: Callable[[], bool]) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._exit_requested = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                app,
                http=LimitedHttpProtocol,
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=True,
                proxy_headers=False,
                lifespan="off",
                backlog=BACKLOG,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
                timeout_keep_alive=15,
            )
        )
        self._finish = finish
        self._must_stop = must_stop

    @property
    def should_exit(self) -> bool:
        return self._should_exit

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        """Any thread and any signal handler may set it; the server notices at once."""
        self._should_exit = value
        # The loop may have ended already.
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._exit_requested.set)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        previous_handlers = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in previous_handlers.items():
                signal.signal(number, handler)

    async def main_loop(self) -> None:
        # uvicorn's own loop wakes up ten times a second, which took a seventh of what an idle service takes.
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._exit_requested.wait(), TICK_SECONDS)

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._must_stop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop after every client is answered, including those whose connections wait in the kernel's queue.

        Requests that are not answered after SHUTDOWN_SECONDS are cancelled.
        """
        self._finish()
        await self._wait_for_last_requests()
        listeners = [listener.dup() for listener in sockets or []]
        for server in self.servers:
            server.close()
        # The servers stop listening in this iteration of the loop; after it only `_accept_queued` accepts connections.
        await asyncio.sleep(0)
        for listener in listeners:
            await self._accept_queued(listener)
        await self._wait_for_last_requests()
        await super().shutdown(sockets)

    async def _wait_for_last_requests(self) -> None:
        if self.server_state.connections:
            await asyncio.sleep(IDLE_GRACE_SECONDS)

    async def _accept_queued(self, listener: socket.socket) -> None:
        """Accept the connections that wait in the queue of a closing listener; otherwise the kernel resets them."""
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            connection_protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=loop
            )
            return connection_protocol

        accepted = []
        with listener, suppress(BlockingIOError):
            listener.setblocking(False)
            while True:
                accepted.append(listener.accept()[0])
        for connection in accepted:
            with suppress(OSError):
                await loop.connect_accepted_socket(protocol, connection)
