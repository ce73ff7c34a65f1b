"""Findings, and how checks are run: all at once, and none longer than a limit."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import psycopg

from adapters.postgres.database import fault_category
from adapters.postgres.embedded import EmbeddedPostgresError
from domain.errors import UnavailableError
from entrypoints.composition.settings import NoDataError, SettingsError


class State(StrEnum):
    """The state that a check found. `off` is a choice, or a lack that matters only in production."""

    OK = "ok"
    OFF = "off"
    ODD = "odd"
    MISSING = "missing"
    UNREACHABLE = "unreachable"


NEED_A_PERSON = frozenset({State.ODD, State.MISSING, State.UNREACHABLE})


@dataclass(frozen=True)
class Finding:
    """One line of the table. The sentence quotes no secret and no personal data."""

    check: str
    state: State
    sentence: str


# Yields a finding for each line. An error is turned into one.
Check = Callable[[], Iterable[Finding]]


def examine(checks: Mapping[str, Check], seconds: float) -> list[Finding]:
    """Run all checks at the same time, and return their findings in the order of the checks.

    A check that has not ended after `seconds` is left alone, and what it found until then is kept.
    """
    findings: dict[str, list[Finding]] = {name: [] for name in checks}
    threads = {
        name: threading.Thread(target=_run, args=(name, check, findings[name]), name=f"check {name}", daemon=True)
        for name, check in checks.items()
    }
    deadline = time.monotonic() + seconds
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    for name, thread in threads.items():
        if thread.is_alive():
            findings[name] = [*findings[name], Finding(name, State.UNREACHABLE, f"no answer within {seconds:g} s")]
    return [finding for found in findings.values() for finding in found]


def _run(name: str, check: Check, findings: list[Finding]) -> None:
    try:
        findings.extend(check())
    except (UnavailableError, EmbeddedPostgresError) as error:
        findings.append(Finding(name, State.UNREACHABLE, str(error)))
    except psycopg.OperationalError as error:
        findings.append(Finding(name, State.UNREACHABLE, f"database: {fault_category(error)}"))
    except NoDataError as error:
        findings.append(Finding(name, State.MISSING, str(error)))
    except SettingsError as error:
        findings.append(Finding(name, State.ODD, str(error)))
    except Exception as error:
        # The message may quote a secret or a row.
        findings.append(Finding(name, State.ODD, f"the check failed ({type(error).__name__})"))
