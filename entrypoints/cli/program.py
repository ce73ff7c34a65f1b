"""The program `storyledger`: runs a command, and turns errors and signals into exit codes."""

import signal
import sys
from typing import NoReturn

from adapters.process_memory import hide_memory
from entrypoints.cli.app import app
from entrypoints.cli.console import CommandFailed, UsageError, fail


def main() -> None:
    """Run a command: exit 0 if it did its work, 1 if it failed or found a fault, 2 on wrong arguments."""
    hide_memory()
    # SIGTERM unwinds the stack as Ctrl+C does, so that a command cleans up. `serve` installs its own handlers.
    signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _terminate_after_finalizer
    try:
        _check_arguments()
        app(standalone_mode=True)
    except UsageError as error:
        fail(error, 2)
    except CommandFailed as error:
        fail(error, 1)
    except OSError as error:
        fail(CommandFailed(f"{error.filename or 'standard output'}: {error.strerror or 'failed'}"), 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _terminate(*_: object) -> NoReturn:
    # A second signal must not interrupt the cleaning up.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + signal.SIGTERM)


def _terminate_after_finalizer(dropped: "sys.UnraisableHookArgs") -> None:
    """Terminate a little later if the signal came during a finalizer, where Python drops every exception."""
    if dropped.exc_type is not SystemExit:
        sys.__unraisablehook__(dropped)
        return
    signal.signal(signal.SIGALRM, _terminate)
    signal.setitimer(signal.ITIMER_REAL, 0.01)


def _check_arguments() -> None:
    try:
        " ".join(sys.argv).encode()
    except UnicodeEncodeError:
        raise UsageError("the arguments must be UTF-8") from None
