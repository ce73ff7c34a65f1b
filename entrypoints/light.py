"""What every command of ours can do without, so that it starts sooner."""

from __future__ import annotations

import sys


def load_logging() -> None:
    """Load structlog without the library that draws tracebacks on a terminal: our logs have none.

    It loads that one wherever it is installed, which takes longer than all of itself.
    """
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    # The import system takes None for a module that cannot be found.
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
