"""Tuning of the garbage collector."""

import gc

# New containers before a collection of the youngest generation. A batch of webhooks or of new events creates fewer, and
# one of a rebuild about three times as many.
YOUNGEST = 50_000


def hold() -> None:
    """Collect nothing until `settle`: objects that the start loads stay, and traversing them takes time."""
    gc.disable()


def settle() -> None:
    """Exclude everything loaded so far from collection, and collect rarely.

    Decoded events contain no cycles, so reference counts free them. Searching them and the objects of libraries for
    cycles took a third of the time of a rebuild (`make bench`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNGEST, 20, 50)
    gc.enable()
