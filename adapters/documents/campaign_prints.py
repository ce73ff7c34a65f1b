"""The picture of a campaign for other sites, and its poster for a wall."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from adapters.documents.pdf import line_data
from adapters.documents.qr import QrCodeRenderer
from adapters.documents.script import DocumentLanguage, is_right_to_left_language, printable
from adapters.languages import translations
from adapters.lazy import Lazy

HERE = Path(__file__).parent
PIXELS_PER_INCH = 144  # of the picture, whose page is 600 by 315 points
KEPT_PICTURES = 64
LONGEST_TITLE, LONGEST_SHORT_TITLE, LONGEST_BENEFICIARY = 120, 48, 60
# An address that is longer is broken into lines on a strip.
STRIP_LINE = 26


@dataclass(frozen=True)
class CampaignFace:
    """The facts of a campaign that strangers see at a glance; `raised` is a text in the language of the campaign."""

    title: str
    beneficiary: str | None
    raised: str
    percent: int | None
    language: str
    url: str


class CampaignPrints:
    """Makes pictures and posters with typst, whose fonts are loaded at the first use. May be shared by threads."""

    def __init__(self) -> None:
        self._compilers = Lazy(_compilers)
        self._codes = QrCodeRenderer()
        self._lock = Lock()
        self._pictures: OrderedDict[CampaignFace, bytes] = OrderedDict()

    def picture(self, face: CampaignFace) -> bytes:
        """Return the PNG picture; the one of a campaign that has not changed is kept."""
        with self._lock:
            if face in self._pictures:
                self._pictures.move_to_end(face)
                return self._pictures[face]
        data = _common(face, LONGEST_TITLE) | {"raised": printable(face.raised), "percent": face.percent}
        picture = self._compile("picture", {"picture": json.dumps(data)}, format="png", ppi=PIXELS_PER_INCH)
        with self._lock:
            self._pictures[face] = picture
            while len(self._pictures) > KEPT_PICTURES:
                self._pictures.popitem(last=False)
        return picture

    def poster(self, face: CampaignFace, dated: datetime) -> bytes:
        """Return the poster as PDF, A4."""
        _ = translations(face.language).gettext
        language = DocumentLanguage.of(face.language, (face.title, face.beneficiary))
        data = _common(face, LONGEST_TITLE)
        address = data["address"]
        lines = [address[start : start + STRIP_LINE] for start in range(0, len(address), STRIP_LINE)]
        data |= {
            "file_title": data["title"]["text"],
            "size": 38 if len(face.title) <= LONGEST_SHORT_TITLE else 28,
            "short": line_data(language.line(_cut(face.title, LONGEST_SHORT_TITLE))),
            "scan": line_data(language.line(_("Scan with a phone to help"))),
            "strip_address": "\n".join(lines),
        }
        inputs = {"poster": json.dumps(data), "code": self._codes.svg(face.url).decode("ascii")}
        return self._compile("poster", inputs, format="pdf", timestamp=int(dated.astimezone(UTC).timestamp()))

    def _compile(self, name: str, inputs: dict[str, str], **options: Any) -> bytes:
        compilers = self._compilers()
        with self._lock:
            made = compilers[name].compile(sys_inputs=inputs, **options)
        if not isinstance(made, bytes):
            raise TypeError("typst returned several pages")
        return made


def _compilers() -> dict[str, Any]:
    import typst

    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[HERE / "fonts"])
    names = ("picture", "poster")
    return {name: typst.Compiler(HERE / f"{name}.typ", root=HERE, font_paths=fonts) for name in names}


def _common(face: CampaignFace, longest_title: int) -> dict[str, Any]:
    language = DocumentLanguage.of(face.language, (face.title, face.beneficiary))
    beneficiary = language.line(_cut(face.beneficiary or "", LONGEST_BENEFICIARY))
    title = language.line(_cut(face.title, longest_title))
    return {
        "title": line_data(title),
        "beneficiary": line_data(beneficiary) if beneficiary.text else None,
        "address": printable(face.url).partition("://")[2],
        "rtl": title.right_to_left or is_right_to_left_language(face.language),
    }


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
