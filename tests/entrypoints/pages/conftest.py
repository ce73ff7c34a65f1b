"""One browser for the tests of the pages, whose microphone plays recorded speech."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.client import RECORDING, WAIT_SECONDS
from tests.conftest import QUIET_BROWSER

MICROPHONE = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    f"--use-file-for-fake-audio-capture={RECORDING.with_suffix('.wav')}",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a browser that makes no requests by itself, and into whose microphone somebody speaks."""
    with sync_playwright() as playwright:
        timeout = 1000 * WAIT_SECONDS
        expect.set_options(timeout=timeout)
        running = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=[*QUIET_BROWSER, *MICROPHONE], timeout=timeout
        )
        yield running
        running.close()
