"""What takes long to make is made once, when it is first asked for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.lazy import Lazy


def test_nothing_is_made_before_it_is_asked_for_and_then_once_for_all_threads():
    made: list[object] = []
    going = threading.Event()

    def make() -> object:
        going.wait(0.05)
        made.append(object())
        return made[-1]

    later = Lazy(make)
    assert made == []
    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(lambda _: later(), range(8)))
    assert len(made) == 1
    assert all(one is made[0] for one in got)


def test_what_could_not_be_made_is_tried_again():
    tries: list[int] = []

    def make() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OSError
        return "made"

    later = Lazy(make)
    with pytest.raises(OSError):  # noqa: PT011
        later()
    assert later() == "made"
