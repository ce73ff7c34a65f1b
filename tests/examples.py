"""How many examples Hypothesis generates."""

from __future__ import annotations

from hypothesis import settings

IN_THE_SUITE, IN_A_SOAK = 20, 2_000


def examples(number: int) -> settings:
    """Return the settings of a test whose examples take long: this many in the suite, and in proportion in a soak."""
    profile = settings.default
    assert profile is not None
    return settings(max_examples=number * profile.max_examples // IN_THE_SUITE)
