"""The uvicorn server, with a stop that answers every client whose connection was accepted."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from entrypoints.http.protocol_limits import LimitedHttpProtocol

# How long idle connections stay open after the stop began, so that their next response can say `Connection: close`.
LAST_CALL_SECONDS = 0.3
FINISH_SECONDS = 5
BACKLOG = 512


class Server(uvicorn.Server):
    """Serves until a signal arrives or `ended` returns True, and then returns instead of raising the signal again.

    `finish` is called when the stop begins; from then on every response closes its connection.
    """

    def __init__(self, app: ASGIApp, finish: Callable[[], None], ended: Callable[[], bool]) -> None:
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
                timeout_graceful_shutdown=FINISH_SECONDS,
                timeout_keep_alive=15,
            )
        )
        self._finish = finish
        self._ended = ended

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._ended()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer every client, also those whose connection the kernel has accepted and the server has not."""
        self._finish()
        await self._let_connections_finish()
        listeners = [listener.dup() for listener in sockets or []]
        for server in self.servers:
            server.close()
        # The servers close in this turn of the loop; from here on only `_accept_queued` accepts connections.
        await asyncio.sleep(0)
        for listener in listeners:
            await self._accept_queued(listener)
        await self._let_connections_finish()
        await super().shutdown(sockets)

    async def _let_connections_finish(self) -> None:
        if self.server_state.connections:
            await asyncio.sleep(LAST_CALL_SECONDS)

    async def _accept_queued(self, listener: socket.socket) -> None:
        """Accept the connections in the queue of a closing listener; the kernel would reset them."""
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
