"""A lazy value is made once, on its first use."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.lazy import Lazy
from tests.client import WAIT_SECONDS

THREADS = 8


def test_a_value_is_made_on_its_first_use_and_once_for_all_threads():
    values: list[object] = []
    all_started = threading.Barrier(THREADS)

    def make() -> object:
        values.append(object())
        return values[-1]

    lazy = Lazy(make)
    assert values == []

    def use(_: int) -> object:
        all_started.wait(WAIT_SECONDS)
        return lazy()

    with ThreadPoolExecutor(THREADS) as threads:
        results = list(threads.map(use, range(THREADS)))
    assert len(values) == 1
    assert all(result is values[0] for result in results)


def test_a_value_whose_creation_failed_is_created_again():
    attempts: list[int] = []

    def make() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("no file")
        return "made"

    lazy = Lazy(make)
    with pytest.raises(OSError, match="no file"):
        lazy()
    assert lazy() == "made"
