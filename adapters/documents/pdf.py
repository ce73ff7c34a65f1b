"""PDF documents, set by typst from document.typ with the fonts in fonts/."""

import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from threading import Lock
from typing import Any

import typst

from adapters.documents.layout import PRODUCER, DocumentLayout, LinkCode
from adapters.documents.script import EAST_ASIAN, TextLine, primary

HERE = Path(__file__).parent

# typst lets a word that is wider than the line run off the page, so long words get invisible places to break. Other
# words get none, so that addresses and numbers can be copied from the PDF unchanged.
LONG_WORD, LONG_WORD_IN_TITLE, LONG_ADDRESS = (re.compile(rf"[^\s{EAST_ASIAN}]{{{n},}}") for n in (40, 20, 70))
BREAK_INTERVAL = 8
ZERO_WIDTH_SPACE = "\u200b"


class PdfRenderer:
    """Renders layouts as PDF. Loads its fonts once; may be shared by threads."""

    def __init__(self) -> None:
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[HERE / "fonts"])
        self._compiler = typst.Compiler(HERE / "document.typ", root=HERE, font_paths=fonts)
        self._lock = Lock()

    def render(self, layout: DocumentLayout, draw_code: Callable[[str], bytes]) -> bytes:
        """Return the PDF. `draw_code` returns the SVG of a QR code."""
        inputs = {"document": json.dumps(_document(layout), ensure_ascii=False, default=_json_value)}
        for block in layout.blocks:
            if isinstance(block, LinkCode):
                inputs["link_code"] = draw_code(block.url).decode("ascii")
        if layout.checkpoint_code is not None:
            inputs["checkpoint_code"] = draw_code(layout.checkpoint_code.note).decode("ascii")
        with self._lock:
            pdf = self._compiler.compile(format="pdf", sys_inputs=inputs, timestamp=int(layout.dated.timestamp()))
        if not isinstance(pdf, bytes):
            raise TypeError("typst returned no PDF")
        return pdf


def _document(layout: DocumentLayout) -> dict[str, object]:
    return {
        "title": layout.file_title,
        "author": PRODUCER,
        **_language(layout.language),
        "rtl": layout.right_to_left,
        "logo": layout.logo,
        "kind": layout.kind,
        "heading": line_data(layout.title, LONG_WORD_IN_TITLE),
        "footer": layout.footer,
        "page_label": layout.page_label,
        "blocks": layout.blocks,
        "checkpoint": layout.checkpoint_code,
    }


def _json_value(part: Any) -> object:
    """Return a part of the layout for the template: bytes as numbers, and other parts as their kind and fields."""
    if isinstance(part, bytes):
        return list(part)
    if isinstance(part, TextLine):
        return line_data(part)
    data = {"kind": type(part).__name__, **{each.name: getattr(part, each.name) for each in fields(part)}}
    if isinstance(part, LinkCode):
        address = TextLine(part.url, right_to_left=False, language=part.heading.language)
        data["address"] = line_data(address, LONG_ADDRESS)
    return data


def line_data(line: TextLine, long_word: re.Pattern[str] = LONG_WORD) -> dict[str, object]:
    return {"text": long_word.sub(_breakable, line.text), "rtl": line.right_to_left, **_language(line.language)}


def _language(tag: str) -> dict[str, str | None]:
    """Return typst's language and region. The region TW selects the traditional forms of Chinese characters."""
    subtags = tag.split("-")[1:]
    region = next((subtag.upper() for subtag in subtags if len(subtag) == 2 and subtag.isalpha()), None)
    if region is None and any(subtag.lower() == "hant" for subtag in subtags):
        region = "TW"
    return {"lang": primary(tag), "region": region}


def _breakable(word: re.Match[str]) -> str:
    """Return the word with places to break, never before a combining mark or inside a joined emoji."""
    characters, since_break = [], 0
    for character in word.group():
        if since_break >= BREAK_INTERVAL and (character.isalnum() or character.isascii()):
            characters.append(ZERO_WIDTH_SPACE)
            since_break = 0
        characters.append(character)
        since_break += 1
    return "".join(characters)
