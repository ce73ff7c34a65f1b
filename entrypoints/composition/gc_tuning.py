"""How this process collects garbage."""

from __future__ import annotations

import gc

# So many new containers before the youngest are looked at: a page of events or a batch of webhooks stays below it.
YOUNGEST = 50_000


def hold() -> None:
    """Collect nothing until `settle`: what is loaded at the start stays, and looking through it takes time."""
    gc.disable()


def settle() -> None:
    """Leave what was loaded so far out of every collection, and collect seldom.

    What is decoded in bulk holds no cycles and goes by its reference counts; looking for cycles in it, and in all that
    the libraries keep for ever, took a third of the time of a rebuild.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNGEST, 20, 50)
    gc.enable()
