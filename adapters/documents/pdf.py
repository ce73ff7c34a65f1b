"""PDF of a page, set by typst with the fonts beside this file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import typst

from adapters.documents.page import PRODUCER, Block, Bullet, Code, Facts, Heading, Notice, Page, Paragraph, Seal, Spoken
from adapters.documents.script import EAST_ASIAN, Line, primary

HERE = Path(__file__).parent

# typst lets a word that is wider than the line run off the page, so one that might be is told where it may break.
# Others are left alone: whoever copies an address or a number out of the page gets it as it is.
LONG_WORD, LONG_IN_TITLE, LONG_ADDRESS = (re.compile(rf"[^\s{EAST_ASIAN}]{{{letters},}}") for letters in (40, 20, 70))
BREAKABLE_EVERY = 8
MAY_BREAK = "\u200b"


class PdfRenderer:
    """Prints pages as PDF; loads its fonts once and may be shared by threads."""

    def __init__(self) -> None:
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[HERE / "fonts"])
        self._compiler = typst.Compiler(HERE / "sheet.typ", root=HERE, font_paths=fonts)
        self._lock = Lock()

    def print(self, page: Page, draw_code: Callable[[str], bytes]) -> bytes:
        """The page as PDF; `draw_code` gives the SVG of a QR code."""
        inputs = {"page": json.dumps(_page(page), ensure_ascii=False)}
        for block in page.blocks:
            match block:
                case Code(url=url):
                    inputs["code"] = draw_code(url).decode("ascii")
                case Seal(note=note):
                    inputs["seal"] = draw_code(note).decode("ascii")
        with self._lock:
            printed = self._compiler.compile(format="pdf", sys_inputs=inputs, timestamp=int(page.dated.timestamp()))
        if not isinstance(printed, bytes):
            raise TypeError("typst gave no PDF")
        return printed


def _page(page: Page) -> dict[str, Any]:
    return {
        "title": page.file_title,
        "author": PRODUCER,
        **_language(page.language),
        "rtl": page.right_to_left,
        "kind": _line(page.kind),
        "heading": _line(page.title, LONG_IN_TITLE),
        "footer": _line(page.footer),
        "page_label": page.page_label,
        "blocks": [_block(block) for block in page.blocks],
    }


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Notice(line):
            return {"kind": "notice", "line": _line(line)}
        case Facts(rows):
            told = [
                {"label": _line(row.label), "value": _line(row.value), "said": row.said, "strong": row.strong}
                for row in rows
            ]
            return {"kind": "facts", "rows": told}
        case Heading(line):
            return {"kind": "heading", "line": _line(line)}
        case Paragraph(line, said):
            return {"kind": "paragraph", "line": _line(line), "said": said}
        case Bullet(line):
            return {"kind": "bullet", "line": _line(line)}
        case Spoken(time, speaker, line):
            return {"kind": "spoken", "time": time, "speaker": _line(speaker), "line": _line(line)}
        case Code(heading, caption, url, description):
            return {
                "kind": "code",
                "heading": _line(heading),
                "caption": _line(caption),
                "url": url,
                "address": _line(Line(url, right_to_left=False, language=heading.language), LONG_ADDRESS),
                "description": description,
            }
        case Seal(heading, use, state, _, description):
            lines = {"heading": _line(heading), "use": _line(use), "state": _line(state)}
            return {"kind": "seal", "description": description, **lines}


def _line(line: Line | None, long_word: re.Pattern[str] = LONG_WORD) -> dict[str, Any] | None:
    if line is None:
        return None
    return {"text": long_word.sub(_loosened, line.text), "rtl": line.right_to_left, **_language(line.language)}


def _language(tag: str) -> dict[str, str | None]:
    """typst takes a language and a country; Chinese in traditional letters is known by Taiwan's."""
    parts = tag.split("-")[1:]
    region = next((part.upper() for part in parts if len(part) == 2 and part.isalpha()), None)
    if region is None and any(part.lower() == "hant" for part in parts):
        region = "TW"
    return {"lang": primary(tag), "region": region}


def _loosened(word: re.Match[str]) -> str:
    """The word with places to break, never before a mark or inside a joined emoji."""
    loosened, since = [], 0
    for character in word.group():
        if since >= BREAKABLE_EVERY and (character.isalnum() or character.isascii()):
            loosened.append(MAY_BREAK)
            since = 0
        loosened.append(character)
        since += 1
    return "".join(loosened)
