"""uvicorn, but nobody who got through to us is cut off when we stop."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from entrypoints.http.protocol_limits import LimitedHttpProtocol

# So long clients with a connection may come once more, to be told with their answer that it was the last.
LAST_CALL_SECONDS = 0.3
FINISH_SECONDS = 5
BACKLOG = 512


class Server(uvicorn.Server):
    """Serves until a signal, or until `ended` says so; a clean stop is a clean exit and not a death by the signal.

    `finish` is called when it begins to stop: from then on every answer closes its connection.
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
        """Answer everybody who is connected, those too whom the system has let in and we have not yet met."""
        self._finish()
        await self._last_call()
        listeners = [listener.dup() for listener in sockets or []]
        for server in self.servers:
            server.close()
        # A turn of the loop in which the closing happens: from here on only we take connections.
        await asyncio.sleep(0)
        for listener in listeners:
            await self._take_the_rest(listener)
        await self._last_call()
        await super().shutdown(sockets)

    async def _last_call(self) -> None:
        if self.server_state.connections:
            await asyncio.sleep(LAST_CALL_SECONDS)

    async def _take_the_rest(self, listener: socket.socket) -> None:
        """Let in who stands in the queue of a listener that closes; what stays in it is reset."""
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=loop
            )
            return made

        accepted = []
        with listener, suppress(BlockingIOError):
            listener.setblocking(False)
            while True:
                accepted.append(listener.accept()[0])
        for connection in accepted:
            with suppress(OSError):
                await loop.connect_accepted_socket(protocol, connection)
