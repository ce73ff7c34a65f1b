"""Pages as people meet them: in a browser, on a phone and on a desk, in light and in dark.

`checked(...)` opens a tab that notes each fault of the browser. `CheckedTab.check()` then looks at the page that is
open in all four forms. With SCREENSHOTS=folder it also keeps a picture of each.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.client import RECORDING, WAIT_SECONDS

PHONE, DESK = 360, 1280
HEIGHTS = {PHONE: 740, DESK: 800}
FIRST_LOAD_BYTES = 100 * 1024
# The layout shift that browsers call good; ours is below it.
LARGEST_SHIFT = 0.05
RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
RULES_OF_COLOUR = {"type": "rule", "values": ["color-contrast"]}
# Of other widths, contrast is looked at only in what no phone shows: `test_no_colour_depends_on_the_width`.
ON_DESK = ".on-desk"
RULES_OF_LAYOUT = {"type": "rule", "values": ["target-size", "scrollable-region-focusable"]}

# The first one that is installed is used. The headless shell has no windows, no profiles and no extensions, and takes
# two thirds of the processor time of the whole browser.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Each page runs its scripts for less than a second: compiling them better takes more than it saves. A look at ten
    # pages takes 0.93 instead of 1.09 seconds of processor time for each.
    "--js-flags=--no-opt,--no-maglev",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    f"--use-file-for-fake-audio-capture={RECORDING.with_suffix('.wav')}",
)

_AXE = Path(__file__).parent / "fixtures" / "axe-core" / "axe.min.js"
_COUNT_SHIFTS = """
window.layoutShift = 0;
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.layoutShift += shift.value;
}).observe({ type: "layout-shift", buffered: true });
"""
_LOADED = """
() => [[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .filter((entry) => !["audio", "video", "fetch", "xmlhttprequest"].includes(entry.initiatorType))
  .reduce((sum, entry) => sum + entry.transferSize, 0), window.layoutShift]
"""
_FINDINGS = """
async ([within, rules]) => {
  if (!document.querySelector(within)) return [];
  if (typeof axe !== "object") loadAxe();
  const { violations } = await axe.run(within, { runOnly: rules, resultTypes: ["violations"], preload: false });
  return violations.map((found) => `${found.id}: ${found.help}: ${found.nodes.map((node) => node.html).join(" | ")}`);
}
"""
# Returns a number for each element, made from its ancestors, attributes, style sheets and whether it has a text.
_PLACES = """
() => {
  const marks = ["class", "type", "role", "dir", "aria-current", "aria-invalid"];
  const number = (text) => [...text].reduce((sum, each) => (Math.imul(sum, 31) + each.codePointAt(0)) | 0, 7);
  const sheets = [...document.styleSheets].map(({ href }) => href && new URL(href).pathname).join();
  const places = new Map();
  for (const element of document.querySelectorAll("*")) {
    const around = places.get(element.parentElement) ?? sheets;
    const values = marks.map((name) => element.getAttribute(name));
    const own = [element.localName, ...element.getAttributeNames(), ...values, element.textContent.trim() === ""];
    places.set(element, number(`${around}>${own}`));
  }
  return [...new Set(places.values())];
}
"""
# The places of all elements of the pages that this process has looked at in every form.
_checked_places: set[int] = set()
_TOO_WIDE = """
() => document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
  .filter((element) => {
    const box = element.getBoundingClientRect();
    return box.right > innerWidth + 1 || box.left < -1;
  })
  .map((element) => element.outerHTML.slice(0, 120))
"""


@cache
def _axe() -> str:
    """Return a script that defines axe-core without running it, which each page would otherwise do."""
    return f"window.loadAxe = () => {{ {_AXE.read_text()} }}"


class CheckedTab:
    """A tab that notes errors and warnings of the browser, and requests to other hosts."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        self.base_url = base_url
        # Tests take out of the list what they cause on purpose, such as the error of a refused request.
        self.complaints: list[str] = []
        # The browser reports the status of a page that says what is wrong, some time after it has shown the page.
        self.expects_refusals = False
        self._has_axe = False
        host = urlsplit(base_url).netloc
        page.on(
            "console",
            lambda message: self._note(message.text) if message.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                self.complaints.append(request.url) if urlsplit(request.url).netloc not in (host, "") else None
            ),
        )

    def _note(self, complaint: str) -> None:
        if not (self.expects_refusals and "the server responded with a status" in complaint):
            self.complaints.append(complaint)

    def open(self, path: str) -> Page:
        """Open a page of the service, whose first load must be small."""
        self.page.goto(path if "://" in path else self.base_url + path)
        return self.page

    def at_peace(self) -> None:
        """Fail if the browser complained, or asked another host."""
        assert self.complaints == [], self.complaints

    def check(self, name: str = "", *, thorough: bool = False) -> None:
        """Look at the page that is open: both widths, light and dark, and the bytes that it loaded.

        Another width changes only the layout, and the dark scheme only colours: unless the check is `thorough`, the
        other rules look once, the dark scheme is looked at on the phone, and axe-core skips a page if an
        earlier page had an element in the place of each of its elements.
        """
        loaded, shift = self.page.evaluate(_LOADED)
        assert loaded <= FIRST_LOAD_BYTES, f"the page loaded {loaded} bytes"
        assert shift <= LARGEST_SHIFT, f"the page moved while it loaded: {shift}"
        before = self.page.viewport_size
        in_all_forms = thorough or "SCREENSHOTS" in os.environ
        places = {*self.page.evaluate(_PLACES)}
        known = places <= _checked_places and not in_all_forms
        for width in (PHONE, DESK):
            self.page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
            wide = self.page.evaluate(_TOO_WIDE)
            assert not wide, f"at {width} px, the page is wider than the screen: {wide}"
            if known:
                continue
            # The page is in light when it is opened.
            for scheme in ("light", "dark") if in_all_forms or width == PHONE else ("light",):
                if scheme == "dark":
                    self.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
                self._keep_picture(name, f"{width}-{scheme}")
                rules = RULES_OF_COLOUR if scheme == "dark" else RULES if width == PHONE else RULES_OF_LAYOUT
                self.accessible(f"at {width} px, {scheme}", RULES if thorough else rules)
                if width == DESK and not thorough:
                    self.accessible(f"at {width} px only", RULES_OF_COLOUR, ON_DESK)
                if scheme == "dark":
                    self.page.emulate_media(color_scheme="light", reduced_motion="reduce")
        _checked_places.update(places)
        if before:
            self.page.set_viewport_size(before)
        self.at_peace()

    def accessible(self, where: str = "", rules: Mapping[str, Any] = RULES, within: str = "html") -> None:
        """Fail on each finding of axe-core in the page as it is shown now, or in a part of it."""
        if not self._has_axe:
            # Not a script element, which the page's content security policy would refuse. The next pages of this tab
            # then have it from the start.
            self.page.evaluate(_axe())
            self.page.add_init_script(_axe())
            self._has_axe = True
        findings = self.page.evaluate(_FINDINGS, [within, rules])
        assert not findings, "\n".join([f"{self.page.url} {where}", *findings])

    def _keep_picture(self, name: str, look: str) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            name = name or (urlsplit(self.page.url).path.strip("/").replace("/", "_") or "home")
            self.page.screenshot(path=Path(folder) / f"{name}-{look}.png", full_page=True)


@contextmanager
def started_browser() -> Iterator[Browser]:
    """Yield a browser that makes no requests by itself, and into whose microphone somebody speaks."""
    timeout = 1000 * WAIT_SECONDS
    expect.set_options(timeout=timeout)
    program = next(filter(None, map(shutil.which, PROGRAMS)))
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=OPTIONS, timeout=timeout)
        yield running
        running.close()


@contextmanager
def checked(
    browser: Browser,
    base_url: str,
    *,
    width: int = PHONE,
    language: str | None = None,
    credential: str | None = None,
    scripts: bool = True,
    permissions: tuple[str, ...] = (),
    options: Mapping[str, Any] | None = None,
) -> Iterator[CheckedTab]:
    """Open a tab of its own, signed in with a credential if there is one, and fail if the browser complains in it."""
    cookies = {"language": language, "session": credential}
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHTS[width]},
        java_script_enabled=scripts,
        reduced_motion="reduce",
        permissions=list(permissions),
        **(options or {}),
    )
    try:
        context.set_default_timeout(1000 * WAIT_SECONDS)
        context.add_cookies(
            [{"name": name, "value": value, "url": base_url} for name, value in cookies.items() if value]
        )
        context.add_init_script(_COUNT_SHIFTS)
        tab = CheckedTab(context.new_page(), base_url)
        yield tab
        tab.at_peace()
    finally:
        context.close()
