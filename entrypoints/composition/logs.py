"""Logs: one line of JSON an event on standard error, with ids and never with people."""

from __future__ import annotations

import logging
import sys
import threading

import msgspec
import structlog

from adapters.observability import log_context

# Our own loggers, whose words we know; what others say may quote anybody.
OURS = ("adapters", "domain", "entrypoints", "projections")

logger = structlog.get_logger()


def configure(level: str, *, quiet: bool = False) -> None:
    """Log from `level` on; `quiet` is for commands, which speak for themselves and log only what is wrong."""
    number = logging.ERROR if quiet else logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            _with_ids,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_traceback,
            structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(_line),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # The queue and the pools repeat at length what the health page says in a word.
    for name in ("procrastinate", "psycopg.pool", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    threading.excepthook = _tell_of_thread


def _line(event: structlog.typing.EventDict, **_: object) -> str:
    """What is no JSON by itself is told as it would be printed."""
    return msgspec.json.encode(event, enc_hook=str).decode()


def _with_ids(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What it is about; what the line says itself counts."""
    for name, id in log_context.current().items():
        event.setdefault(name, id)
    return event


def _without_traceback(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Of an exception its type and place only: messages quote rows, and rows are people."""
    error = event.pop("exc_info", None)
    if error:
        found = sys.exc_info()[1] if error is True else error
        if isinstance(found, BaseException):
            event.update(_of(found))
    return event


def _of(error: BaseException) -> dict[str, str]:
    told = {"error": type(error).__name__}
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None:
        told["where"] = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
    return told


class _Formatter(logging.Formatter):
    """The same lines for who logs through the standard library; of what is not ours the words without the values."""

    def format(self, record: logging.LogRecord) -> str:
        is_ours = record.name.partition(".")[0] in OURS
        event: structlog.typing.EventDict = {
            "event": record.getMessage() if is_ours else str(record.msg),
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": structlog.processors.TimeStamper(fmt="iso", utc=True)(None, "", {})["timestamp"],
        }
        if record.exc_info and record.exc_info[1] is not None:
            event.update(_of(record.exc_info[1]))
        return _line(_with_ids(None, "", event))


def _tell_of_thread(died: threading.ExceptHookArgs) -> None:
    """Python itself would print the message of the exception."""
    if died.exc_value is not None:
        name = died.thread.name if died.thread else None
        logger.error("thread died", thread=name, **_of(died.exc_value))
