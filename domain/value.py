"""The base of everything that an event is made of."""

from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True)
class Value(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A frozen value as events contain it. Stored JSON leaves out its fields that have their default value.

    Frozen values refer only to older ones, never in a circle, so the garbage collector need not look at them.
    """
