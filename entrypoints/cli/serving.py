"""The command `serve`: it checks the environment, runs the parts of the service in one process and stops them."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NoReturn

import structlog
from starlette.types import ASGIApp

from adapters.confined.child_process import measures_in_force
from adapters.confined.confinement import Measure, is_harmless
from adapters.observability import tracing
from adapters.postgres.database import connect
from adapters.postgres.roles import powers_over_history
from adapters.privacy.key_rotation import check_master_key
from entrypoints.cli.console import CommandFailed, UsageError, print_line
from entrypoints.cli.context import one_line_errors
from entrypoints.cli.supervised import CHECKED, GAVE_UP, READY, Supervision
from entrypoints.composition import settings as environment
from entrypoints.composition.database_url import DatabaseUrl
from entrypoints.composition.foundation import Parts
from entrypoints.composition.gc_tuning import hold, settle
from entrypoints.composition.logs import configure
from entrypoints.composition.service import VERSION, Service
from entrypoints.composition.settings import Settings
from entrypoints.composition.startup_checks import check_storage, reach, unknown_variables
from entrypoints.composition.warm_up import Loading
from entrypoints.http.app import application
from entrypoints.http.sandbox_pages import sandbox_routes
from entrypoints.http.server import BACKLOG, Server
from entrypoints.http.table import MONITORING_OPERATIONS

# A process manager waits ten seconds before it kills us; unfinished work is done after the next start.
SHUTDOWN_SECONDS = 9.5

logger = structlog.get_logger()


def web_application(service: Service) -> ASGIApp:
    """Return the application of the web part, or one that only answers health and metrics for other parts."""
    if Parts.WEB not in service.parts:
        return application(service, [], MONITORING_OPERATIONS)
    return application(service, sandbox_routes(service.payments.sandbox) if service.payments.sandbox else [])


def server(service: Service, finish: Callable[[], None] | None = None) -> Server:
    """Return the HTTP server of this process, ready to run on a socket."""
    return Server(web_application(service), finish or service.finish, service.health.gave_up.is_set)


def bound(settings: Settings) -> socket.socket:
    """Return a socket bound to the service's address; CommandFailed if it is in use."""
    try:
        infos = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = infos[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        return listener
    except OSError as error:
        raise _address_in_use(settings, error) from None


def _listen(address: socket.socket, settings: Settings) -> None:
    """Accept connections only now: until the service has started, clients are refused at once instead of waiting."""
    try:
        address.listen(BACKLOG)
    except OSError as error:
        raise _address_in_use(settings, error) from None


def _address_in_use(settings: Settings, error: OSError) -> CommandFailed:
    return CommandFailed(f"HOST, PORT: {settings.host}:{settings.port}: {error.strerror}")


def serve(only: str | None, supervision: Supervision) -> None:
    """Run the parts of `only`, by default all, in this process.

    Processes that were passed the same socket share its queue of connections, so that no connection is refused while
    one of them restarts.
    """
    parts = Parts.ALL if only is None else frozenset(part.strip() for part in only.split(","))
    if unknown := parts - Parts.ALL:
        raise UsageError(f"--only: unknown part: {', '.join(sorted(part or '(empty)' for part in unknown))}")
    hold()
    with one_line_errors():
        settings = environment.load()
        configure(settings.log_level, process=supervision.name)
        traced = not settings.traced or tracing.start(VERSION)
        if supervision.is_first:
            _warn_of_settings(settings, traced)
        with DatabaseUrl(settings) as url:
            # Until the server installs its own handler, SIGTERM ends the process cleanly.
            signal.signal(signal.SIGTERM, _exit_cleanly)
            reach(url, production=settings.production)
            if settings.production and supervision.is_first:
                warn_of_powers(url)
            service = Service(settings, url, parts)
            if supervision.name is not None:
                service.metrics.join(supervision.name, supervision.reports_of_others)
                supervision.report = service.metrics.report
            decodes = parts & {Parts.WEB, Parts.WORKER}
            loading = Loading([*service.loads, _log_confinement] if decodes else service.loads, settle)
            try:
                check_master_key(service.database, service.secrets.master)
                service.epochs.check()
                check_storage(service.content.storage)
                # Several parts on one machine must not share the default port: other parts listen only on a given PORT.
                listens = Parts.WEB in parts or (settings.port_is_given and supervision.name is None)
                address = (supervision.listener or bound(settings)) if listens else None
                if address is not None and supervision.is_first:
                    supervision.tell(CHECKED, address)
                service.start()
                logger.info("started", parts=sorted(parts), version=service.version)
                if address is not None:
                    web = server(service, lambda: _finish(service))
                    _listen(address, settings)
                    if Parts.WEB in parts and supervision.is_first:
                        _announce(service)
                    supervision.tell(READY)
                    loading.start()
                    web.run(sockets=[address])
                else:
                    supervision.tell(READY)
                    loading.start()
                    wait_for_stop(service)
            finally:
                # The process is ending already; a second signal must not interrupt it.
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                loading.stop()
                service.stop()
                tracing.stop()
            if service.health.gave_up.is_set():
                supervision.tell(GAVE_UP)
                raise CommandFailed(f"database: unavailable for more than {settings.db_outage_exit_seconds:g} s")
    logger.info("stopped")


def _warn_of_settings(settings: Settings, traced: bool) -> None:
    for variable, setting in unknown_variables(os.environ).items():
        logger.warning("an environment variable is not a setting", variable=variable, resembles=setting)
    for warning in settings.model_warnings:
        logger.warning("a model has an announced end", setting=warning)
    if not traced:
        logger.warning("tracing is off: install storyledger[telemetry]")


def warn_of_powers(url: str) -> None:
    """Warn if the database role of the service could alter the history; docs/operating.md has the roles to use."""
    with connect(url) as connection:
        powers = powers_over_history(connection)
    if powers:
        logger.warning("the database role could alter the history", powers=powers, use="MIGRATE_DATABASE_URL")


def _log_confinement() -> None:
    """Log what confines the processes that decode recordings, as a warning if they could do harm."""
    in_force = set(measures_in_force())
    log = logger.info if is_harmless(in_force) else logger.warning
    log(
        "processes that decode recordings are confined",
        in_force=sorted(in_force),
        missing=sorted({*Measure} - in_force),
    )


def _announce(service: Service) -> None:
    if sys.stdout.isatty() or not service.settings.production:
        print_line(f"\nStoryledger runs at {service.public_url}")
        print_line(f"  API described   {service.public_url}/docs")
        if service.payments.sandbox is not None:
            print_line(f"  TEST payments   {service.public_url}/sandbox")
        if service.secrets.admin_key is not None:
            print_line(f"  admin key       {service.secrets.admin_key}")
        print_line("  stop            Ctrl+C\n")


def wait_for_stop(service: Service) -> None:
    """Return when the process is asked to stop, or when the service gave up on its database."""
    # The handlers interrupt this thread. If it was just beginning to wait for an Event, they could never set that.
    signals: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: signals.put(number))
    while not service.health.gave_up.is_set():
        with suppress(Empty):
            signals.get(timeout=1.0)
            break
    _finish(service)


def _exit_cleanly(*_: object) -> NoReturn:
    sys.exit(0)


def _finish(service: Service) -> None:
    service.finish()
    last = threading.Timer(SHUTDOWN_SECONDS, _exit_now)
    last.daemon = True
    last.start()


def _exit_now() -> None:
    logger.error("did not stop in time")
    os._exit(1)
