"""A browser sends a recording in parts, although the service is killed and the page is reloaded meanwhile."""

from __future__ import annotations

import hashlib
import io
import wave
from base64 import b64encode
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Page, Request

from entrypoints.http.pages import static_url
from tests.client import eventually
from tests.processes import Serving

PART = 512 * 1024
# A part takes more than a minute.
SLOW_BYTES_PER_SECOND = 8_000

_BEGIN = """
([data, ticket, uploadUrl, chunkSize]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  window.upload = new tus.Upload(new Blob([bytes]), {
    endpoint: "/api/uploads", uploadUrl, chunkSize, storeFingerprintForResuming: false,
    retryDelays: Array(240).fill(500), metadata: { ticket, filename: "story.wav" },
    onChunkComplete: (_, received) => {
      window.received = received;
      if (received === window.stopAt) window.upload.abort();
    },
    onSuccess: () => { window.succeeded = true; },
    onError: (error) => { window.failed = String(error); },
  });
}
"""


def noise(seconds: int) -> bytes:
    """Return a recording that no compression makes smaller."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(Random(1).randbytes(seconds * 32_000))
    return file.getvalue()


class Sender:
    """A page that sends a recording with tus-js-client, and the offsets of the parts that it began to send."""

    def __init__(self, page: Page, url: str, recording: bytes, ticket_id: str) -> None:
        self.page, self.url, self.ticket_id = page, url, ticket_id
        self.data = b64encode(recording).decode()
        self.begun: list[int] = []
        self.network = page.context.new_cdp_session(page)
        self.network.send("Network.enable")
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.method == "PATCH":
            self.begun.append(int(request.headers["upload-offset"]))

    def open_page(self, upload_url: str | None = None) -> None:
        self.page.goto(f"{self.url}/imprint")
        self.page.add_script_tag(url=static_url("tus.min.js"))
        self.page.evaluate(_BEGIN, [self.data, self.ticket_id, upload_url, PART])

    def send_until(self, offset: int) -> None:
        """Send up to this offset and stop."""
        self.page.evaluate("offset => { window.stopAt = offset; window.upload.start(); }", offset)
        self.has_received(offset)

    def has_received(self, offset: int) -> None:
        eventually(lambda: self.page.evaluate("window.received") == offset)

    def send_slowly_from(self, offset: int) -> None:
        """Begin to send the part at this offset, and leave it on its way."""
        self.throttle(SLOW_BYTES_PER_SECOND)
        self.begun.clear()
        self.page.evaluate("window.upload.start()")
        # The events of the browser arrive while it is asked something.
        eventually(lambda: self.page.evaluate("true") and self.begun)
        assert self.begun == [offset]

    def throttle(self, upload_bytes_per_second: int) -> None:
        self.network.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": upload_bytes_per_second},
        )


@pytest.mark.slow
@pytest.mark.browser
def test_an_upload_goes_on_after_a_kill_in_the_middle_of_a_part_and_after_a_reload(
    browser: Browser, migrated_url: str, tmp_path: Path
):
    recording = noise(60)
    assert len(recording) > 3 * PART
    settings = {"data_dir": tmp_path / "var", "database_url": migrated_url}
    with Serving("web,projections", **settings) as serving, browser.new_context() as context:
        ticket = serving.client().open_ticket()
        context.add_cookies([{"name": "session", "value": ticket.token, "url": serving.url}])
        sender = Sender(context.new_page(), serving.url, recording, ticket.id)
        sender.open_page()
        sender.send_until(PART)

        sender.send_slowly_from(PART)
        serving.kill()
        sender.throttle(-1)
        sender.page.evaluate("offset => { window.stopAt = offset; }", 2 * PART)
        sender.begun.clear()
        serving.start()
        # The library tries again by itself, and the first part is not sent again.
        sender.has_received(2 * PART)
        assert set(sender.begun) == {PART}

        sender.send_slowly_from(2 * PART)
        upload_url = sender.page.evaluate("window.upload.url")
        sender.open_page(upload_url)
        sender.throttle(-1)
        sender.begun.clear()
        sender.page.evaluate("window.upload.start()")
        eventually(lambda: sender.page.evaluate("window.succeeded"))
        assert sender.begun[0] >= 2 * PART
        assert sender.page.evaluate("window.failed") is None

        [kept] = ticket.get("/recordings").json()
        assert kept["sha256"] == hashlib.sha256(recording).hexdigest()
