"""Logs: one JSON line for each event on standard error, with ids and without personal data; on a terminal, text."""

import logging
import sys
import threading

import msgspec
import structlog

from adapters.observability import log_context

# Messages of other loggers may quote personal data.
OUR_LOGGERS = ("adapters", "domain", "entrypoints", "projections")

# The fields that every log line of this process has.
_OF_PROCESS: dict[str, str] = {}

logger = structlog.get_logger()


def configure(level: str, *, quiet: bool = False, process: str | None = None) -> None:
    """Log from `level` on; `quiet` is for commands, which print their own output and log only errors.

    Every line has the name of the `process`, if there are several.
    """
    _OF_PROCESS.clear()
    if process is not None:
        _OF_PROCESS["process"] = process
    number = logging.ERROR if quiet else logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    on_terminal = [_short_request, structlog.dev.ConsoleRenderer()]
    structlog.configure(
        processors=[
            _with_ids,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_traceback,
            *(on_terminal if sys.stderr.isatty() else [structlog.processors.JSONRenderer(_line)]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # The health check reports the same faults in a word.
    for name in ("procrastinate", "psycopg.pool", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    threading.excepthook = _log_thread_death


def _line(event: structlog.typing.EventDict, **_: object) -> str:
    """Return the event as JSON; values without a JSON form are written as strings."""
    return msgspec.json.encode(event, enc_hook=str).decode()


def _with_ids(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add the name of the process and the ids of the current context, unless the event sets them itself."""
    event.update(_OF_PROCESS)
    for name, id in log_context.current().items():
        event.setdefault(name, id)
    return event


def _short_request(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Turn a request's event into a short text, and drop those of health checks that succeeded."""
    if event["event"] != "request":
        return event
    if event["path"].startswith("/health") and event["status"] < 400:
        raise structlog.DropEvent
    text = "{method} {path} {status} {milliseconds} ms".format_map(event)
    return {"event": text, "level": event["level"], "timestamp": event["timestamp"]}


def _without_traceback(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replace an exception by its type and place: its message may quote a row with personal data."""
    error = event.pop("exc_info", None)
    if error:
        exception = sys.exc_info()[1] if error is True else error
        if isinstance(exception, BaseException):
            event.update(_type_and_place(exception))
    return event


def _type_and_place(error: BaseException) -> dict[str, str]:
    return {"error": type(error).__name__, "where": log_context.error_location(error)}


class _Formatter(logging.Formatter):
    """The same lines for standard library records; messages of other libraries appear without their values."""

    def format(self, record: logging.LogRecord) -> str:
        is_ours = record.name.partition(".")[0] in OUR_LOGGERS
        event: structlog.typing.EventDict = {
            "event": record.getMessage() if is_ours else str(record.msg),
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": structlog.processors.TimeStamper(fmt="iso", utc=True)(None, "", {})["timestamp"],
        }
        if record.exc_info and record.exc_info[1] is not None:
            event.update(_type_and_place(record.exc_info[1]))
        return _line(_with_ids(None, "", event))


def _log_thread_death(died: threading.ExceptHookArgs) -> None:
    """Log without the message of the exception, which Python would print."""
    if died.exc_value is not None:
        name = died.thread.name if died.thread else None
        logger.error("thread died", thread=name, **_type_and_place(died.exc_value))
