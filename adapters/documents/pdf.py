"""PDF documents, set by typst from document.typ with the fonts in fonts/."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import typst

from adapters.documents.layout import (
    PRODUCER,
    Block,
    Bullet,
    CheckpointCode,
    DocumentLayout,
    FieldTable,
    Heading,
    LinkCode,
    Paragraph,
    SpokenPart,
    WarningBox,
)
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
        inputs = {"document": json.dumps(_document(layout), ensure_ascii=False)}
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
        # typst takes data as text, and bytes as a list of numbers.
        "logo": layout.logo
        and {
            "image": list(layout.logo.image),
            "width": layout.logo.width_mm,
            "height": layout.logo.height_mm,
            "description": layout.logo.description,
        },
        "kind": line_data(layout.kind),
        "heading": line_data(layout.title, LONG_WORD_IN_TITLE),
        "footer": line_data(layout.footer),
        "page_label": layout.page_label,
        "blocks": [_block(block) for block in layout.blocks],
        "checkpoint": layout.checkpoint_code and _checkpoint(layout.checkpoint_code),
    }


def _block(block: Block) -> dict[str, object]:
    match block:
        case WarningBox(line):
            return {"kind": "warning", "line": line_data(line)}
        case FieldTable(fields):
            rows = [
                {
                    "label": line_data(field.label),
                    "value": line_data(field.value),
                    "missing": field.missing,
                    "strong": field.strong,
                }
                for field in fields
            ]
            return {"kind": "fields", "rows": rows}
        case Heading(line):
            return {"kind": "heading", "line": line_data(line)}
        case Paragraph(line, missing):
            return {"kind": "paragraph", "line": line_data(line), "missing": missing}
        case Bullet(line):
            return {"kind": "bullet", "line": line_data(line)}
        case SpokenPart(time, speaker, line):
            return {"kind": "spoken", "time": time, "speaker": line_data(speaker), "line": line_data(line)}
        case LinkCode(heading, caption, url, description):
            return {
                "kind": "link-code",
                "heading": line_data(heading),
                "caption": line_data(caption),
                "url": url,
                "address": line_data(TextLine(url, right_to_left=False, language=heading.language), LONG_ADDRESS),
                "description": description,
            }


def _checkpoint(code: CheckpointCode) -> dict[str, object]:
    return {
        "heading": line_data(code.heading),
        "explanation": line_data(code.explanation),
        "state": line_data(code.state),
        "description": code.description,
    }


def line_data(line: TextLine | None, long_word: re.Pattern[str] = LONG_WORD) -> dict[str, object] | None:
    if line is None:
        return None
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
