"""`storyledger serve`: the parts of the service in one process, from the startup gate to a clean end."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from starlette.types import ASGIApp

from entrypoints import settings as environment
from entrypoints.bootstrap import DatabaseUrl, Parts, Service, reach
from entrypoints.cli.console import Found, Usage, say
from entrypoints.cli.setting_up import clear_errors
from entrypoints.http.app import application
from entrypoints.http.wire import Wire
from entrypoints.logs import configure
from entrypoints.memory import settle
from entrypoints.sandbox import sandbox_routes
from entrypoints.settings import Settings

FINISH_SECONDS = 5
BACKLOG = 512

logger = structlog.get_logger()


class Server(uvicorn.Server):
    """uvicorn, but a clean stop is a clean exit and not a death by the signal."""

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


def web_application(service: Service) -> ASGIApp:
    return application(service, sandbox_routes(service.sandbox) if service.sandbox else [])


def server(service: Service) -> Server:
    """The web part, ready to run on a socket."""
    return Server(
        uvicorn.Config(
            web_application(service),
            http=Wire,
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


def bound(settings: Settings) -> socket.socket:
    """The service's address, bound; Found if it is taken."""
    try:
        infos = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = infos[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        return made
    except OSError as error:
        raise Found(f"HOST, PORT: {settings.host}:{settings.port}: {error.strerror}") from None


def serve(only: str | None) -> None:
    parts = frozenset(part.strip() for part in only.split(",")) if only else Parts.ALL
    if unknown := parts - Parts.ALL:
        raise Usage(f"--only: no such part: {', '.join(sorted(unknown))}")
    with clear_errors():
        settings = environment.load()
        configure(settings.log_level)
        with DatabaseUrl(settings) as url:
            reach(url)
            address = bound(settings) if Parts.WEB in parts else None
            service = Service(settings, url, parts)
            try:
                service.start()
                settle()
                logger.info("started", parts=sorted(parts), version=service.version)
                if address is not None:
                    _announce(service)
                    server(service).run(sockets=[address])
                else:
                    _wait_for_signal()
            finally:
                logger.info("stopping")
                service.stop()
    logger.info("stopped")


def _announce(service: Service) -> None:
    if sys.stdout.isatty() or not service.settings.production:
        say(f"\nStoryledger serves on {service.public_url}")
        say(f"  API described   {service.public_url}/docs")
        if service.sandbox is not None:
            say(f"  TEST payments   {service.public_url}/sandbox")
        if service.admin_key is not None:
            say(f"  admin key       {service.admin_key}")
        say("  stop            Ctrl+C\n")


def _wait_for_signal() -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(1.0):
        pass
