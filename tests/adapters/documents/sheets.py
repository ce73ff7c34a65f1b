"""Sheets to render, and functions that read rendered documents with other libraries."""

from datetime import UTC, datetime
from io import BytesIO
from uuid import UUID
from zipfile import ZipFile

import pypdfium2
import typst
from docx import Document
from PIL import Image
from pyzbar.pyzbar import ZBarSymbol, decode

from domain.sheets import CampaignSheet, ReceiptSheet, TranscriptSheet
from domain.values import Draft, Money, Segment, Transcript

LINK = "http://127.0.0.1:3003/d/help-maria-7f3k"
DATED = datetime(2026, 3, 12, 9, 30, 15, 987654, tzinfo=UTC)

MARIA = Draft(
    title="Help Maria rebuild her kitchen",
    story="Our kitchen burned down.\n\nNobody was hurt, thank God.\nWe cook in the garage.",
    goal=Money(500000, "USD"),
    beneficiary="Maria Gonzalez",
    location="Tucson, Arizona",
    category="Emergency",
    breakdown=("Stove: $2,800", "Table: $700"),
)
LAYLA = Draft(
    title="ساعدوا ليلى على إعادة بناء منزلها",
    story="احترق مطبخنا في بيروت.\n\nنحتاج إلى فرن من شركة Bosch (الآن).",
    goal=Money(500000, "USD"),
    beneficiary="ليلى حداد",
)


def campaign(draft: Draft = MARIA, language: str | None = "en", url: str | None = LINK) -> CampaignSheet:
    return CampaignSheet(draft, "Maria G.", language, url, DATED)


def receipt(
    *, refunded_minor: int = 3000, test: bool = False, language: str = "en", donor: str = "Smith"
) -> ReceiptSheet:
    donation_id = UUID("0190a5c2-7d1e-7b34-9a51-2f6c3d4e5f60")
    amount = Money(10000, "USD")
    return ReceiptSheet(donation_id, donor, amount, refunded_minor, DATED, "Help Maria", "Maria", language, test, DATED)


def transcript(*segments: Segment, text: str = "My name is Maria.\nOur kitchen burned down.") -> TranscriptSheet:
    return TranscriptSheet(Transcript(text, "en", "whisper-base", segments or None), "Maria G.", DATED)


def pdf_text(document: bytes) -> str:
    with pypdfium2.PdfDocument(document) as file:
        text = "\n".join(page.get_textpage().get_text_range() for page in file)
    return text.replace("\r\n", "\n").replace("\xa0", " ")


def pdf_pictures(document: bytes, scale: float = 2) -> list[Image.Image]:
    with pypdfium2.PdfDocument(document) as file:
        return [page.render(scale=scale).to_pil() for page in file]


def docx_text(document: bytes) -> str:
    paragraphs = Document(BytesIO(document)).element.body.iter(
        "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}p"
    )
    return "\n".join(paragraph.text for paragraph in paragraphs).replace("\xa0", " ")


def docx_part(document: bytes, name: str) -> str:
    with ZipFile(BytesIO(document)) as file:
        return file.read(name).decode("utf-8")


def read_codes(picture: Image.Image) -> list[str]:
    return [code.data.decode("utf-8") for code in decode(picture, symbols=[ZBarSymbol.QRCODE])]


def docx_codes(document: bytes) -> list[str]:
    """Return the texts of the QR codes in a Word file."""
    with ZipFile(BytesIO(document)) as file:
        pictures = sorted(name for name in file.namelist() if name.endswith(".png"))
        return [code for name in pictures for code in read_codes(Image.open(BytesIO(file.read(name))))]


def rasterised(svg: bytes) -> bytes:
    """Return the SVG rendered to PNG by another program (resvg, inside typst)."""
    source = b'#set page(width: auto, height: auto, margin: 0pt)\n#image(bytes(sys.inputs.svg), format: "svg")'
    drawn = typst.compile(source, format="png", sys_inputs={"svg": svg.decode()})
    assert isinstance(drawn, bytes)
    return drawn
