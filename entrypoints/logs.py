"""Logs: one line of JSON an event on standard error, with ids and never with people."""

from __future__ import annotations

import logging
import sys

import msgspec
import structlog


def configure(level: str, *, quiet: bool = False) -> None:
    """Log from `level` on; `quiet` is for commands, which speak for themselves and log only what is wrong."""
    number = logging.ERROR if quiet else logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_traceback,
            structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(_line),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    # The queue and the pools repeat at length what the health page says in a word.
    for name in ("procrastinate", "psycopg.pool", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _line(event: structlog.typing.EventDict, **_: object) -> str:
    """What is no JSON by itself is told as it would be printed."""
    return msgspec.json.encode(event, enc_hook=str).decode()


def _without_traceback(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Of an exception its type and place only: messages quote rows, and rows are people."""
    error = event.pop("exc_info", None)
    if error:
        found = sys.exc_info()[1] if error is True else error
        if isinstance(found, BaseException):
            trace = found.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            event["error"] = type(found).__name__
            if trace is not None:
                event["where"] = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
    return event
