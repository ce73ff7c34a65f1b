"""`storyledger serve`: the parts of the service in one process, from the startup gate to a clean end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

import structlog
from starlette.types import ASGIApp

from adapters.encryption.key_rotation import check_master_key
from adapters.observability import tracing
from entrypoints.cli.console import Found, Usage, say
from entrypoints.cli.setup import clear_errors
from entrypoints.composition import settings as environment
from entrypoints.composition.database_url import DatabaseUrl
from entrypoints.composition.foundation import Parts
from entrypoints.composition.gc_tuning import hold, settle
from entrypoints.composition.logs import configure
from entrypoints.composition.service import VERSION, Service
from entrypoints.composition.settings import Settings
from entrypoints.composition.startup_checks import check_storage, reach
from entrypoints.composition.warm_up import Loading
from entrypoints.http.app import application
from entrypoints.http.sandbox_pages import sandbox_routes
from entrypoints.http.server import BACKLOG, Server
from entrypoints.http.table import HOW_IT_IS

# Whoever stops us waits no longer than ten seconds; what is not done by then is taken up after the next start.
LAST_SECONDS = 9.5
# Where systemd, or whoever speaks its protocol, puts the first socket that it hands down (sd_listen_fds(3)).
FIRST_HANDED_DOWN = 3

logger = structlog.get_logger()


def web_application(service: Service) -> ASGIApp:
    """All that the web part answers; any other part answers how it is, and nothing else."""
    if Parts.WEB not in service.parts:
        return application(service, [], HOW_IT_IS)
    return application(service, sandbox_routes(service.sandbox) if service.sandbox else [])


def server(service: Service, finish: Callable[[], None] | None = None) -> Server:
    """What this process answers, ready to run on a socket."""
    return Server(web_application(service), finish or service.finish, service.gave_up.is_set)


def bound(settings: Settings) -> socket.socket:
    """The service's address, bound, or the socket that was handed down to us; Found if the address is taken.

    Processes that are handed the same socket share one queue of connections: while one of them ends and starts again
    the others take what comes, and nobody is turned away.
    """
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        return socket.socket(fileno=FIRST_HANDED_DOWN)
    try:
        infos = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = infos[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        return made
    except OSError as error:
        raise _taken(settings, error) from None


def _listen(address: socket.socket, settings: Settings) -> None:
    """Only now: whoever comes while we start is turned away instead of left waiting."""
    try:
        address.listen(BACKLOG)
    except OSError as error:
        raise _taken(settings, error) from None


def _taken(settings: Settings, error: OSError) -> Found:
    return Found(f"HOST, PORT: {settings.host}:{settings.port}: {error.strerror}")


def serve(only: str | None) -> None:
    parts = Parts.ALL if only is None else frozenset(part.strip() for part in only.split(","))
    if unknown := parts - Parts.ALL:
        raise Usage(f"--only: no such part: {', '.join(sorted(part or 'a blank' for part in unknown))}")
    hold()
    with clear_errors():
        settings = environment.load()
        configure(settings.log_level)
        if settings.traced and not tracing.start(VERSION):
            logger.warning("traces are off: install storyledger[telemetry]")
        with DatabaseUrl(settings) as url:
            # Until the server listens for it itself, a signal to stop is a clean end too.
            signal.signal(signal.SIGTERM, _leave)
            reach(url, production=settings.production)
            service = Service(settings, url, parts)
            loading = Loading(service.loads, settle)
            try:
                check_master_key(service.database, service.master_keys)
                check_storage(service.storage)
                # Parts on one machine would meet at the same port, so those without the web wait to be told one.
                address = bound(settings) if Parts.WEB in parts or settings.port_is_given else None
                service.start()
                logger.info("started", parts=sorted(parts), version=service.version)
                if address is not None:
                    web = server(service, lambda: _finish(service))
                    _listen(address, settings)
                    if Parts.WEB in parts:
                        _announce(service)
                    loading.start()
                    web.run(sockets=[address])
                else:
                    loading.start()
                    _wait_for_the_end(service)
            finally:
                # It ends already, and within LAST_SECONDS.
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                loading.stop()
                service.stop()
                tracing.stop()
            if service.gave_up.is_set():
                raise Found(f"database: away for more than {settings.db_outage_exit_seconds:g} s")
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


def _wait_for_the_end(service: Service) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(0.2) and not service.gave_up.is_set():
        pass
    _finish(service)


def _leave(*_: object) -> NoReturn:
    sys.exit(0)


def _finish(service: Service) -> None:
    service.finish()
    last = threading.Timer(LAST_SECONDS, _end)
    last.daemon = True
    last.start()


def _end() -> None:
    logger.error("did not end in time")
    os._exit(1)
