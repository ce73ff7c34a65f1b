"""Word documents, written with python-docx into a template."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from docx import Document
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import qn
from docx.shared import Mm

from adapters.documents.page import (
    PRODUCER,
    Block,
    Bullet,
    Code,
    Fact,
    Facts,
    Heading,
    Notice,
    Page,
    Paragraph,
    Seal,
    Spoken,
)
from adapters.documents.script import Line, Script, primary, stretches

# Page size, margins, styles, list and footer. Its file properties are empty, so that no tool or author is named.
TEMPLATE = Path(__file__).with_name("template.docx")

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'

HAIRLINE = "D5DBE1"
LABEL_WIDTH, VALUE_WIDTH = 2330, 6855  # twentieths of a point; together the width between the template's margins
CODE_WIDTH, SEAL_WIDTH = Mm(42), Mm(28)
LONG_TITLE = 160
# Every entry of the file carries the earliest time that a zip can hold, so that equal content gives equal bytes.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
NO_MARGIN = '<w:tblCellMar><w:left w:w="0" w:type="dxa"/><w:right w:w="0" w:type="dxa"/></w:tblCellMar>'

EAST_ASIAN_FONTS = {"zh": "Microsoft YaHei", "ja": "Yu Gothic", "ko": "Malgun Gothic"}
TRADITIONAL_FONT = "Microsoft JhengHei"
EMOJI_FONT = "Segoe UI Emoji"
# Where Arial, the font for Arabic and Hebrew, has no letters: the first character after a block, and the block's font.
COMPLEX_FONTS = [
    (0x0E00, "Nirmala UI"),
    (0x0F00, "Leelawadee UI"),
    (0x1000, "Microsoft Himalaya"),
    (0x10A0, "Myanmar Text"),
    (0x1400, "Ebrima"),
    (0x1800, "Leelawadee UI"),
]


class WordRenderer:
    """Prints pages as Word files; may be shared by threads."""

    def __init__(self) -> None:
        self._template = TEMPLATE.read_bytes()

    def print(self, page: Page, draw_code: Callable[[str], bytes]) -> bytes:
        """The page as a Word file; `draw_code` gives the PNG of a QR code."""
        document = Document(BytesIO(self._template))
        _set_properties(document, page)
        end = document.element.body.sectPr
        for element in _parsed(_body(page)):
            end.addprevious(element)
        for block in page.blocks:
            made: Iterable[Any] = ()
            match block:
                case Code():
                    made = _code(document, block, draw_code(block.url))
                case Seal():
                    made = _seal(document, block, draw_code(block.note), page)
            for element in made:
                end.addprevious(element)
        footer = document.sections[0].footer.paragraphs[0]
        for run in _parsed(_footer(page)):
            footer._p.append(run)
        saved = BytesIO()
        document.save(saved)
        return _with_fixed_times(saved)


def _with_fixed_times(docx: BytesIO) -> bytes:
    """Return the same zip with ZIP_TIME on every entry."""
    fixed = BytesIO()
    with ZipFile(docx) as source, ZipFile(fixed, "w") as target:
        for name in source.namelist():
            entry = ZipInfo(name, ZIP_TIME)
            entry.compress_type = ZIP_DEFLATED
            entry.create_system = 0
            target.writestr(entry, source.read(name))
    return fixed.getvalue()


def _set_properties(document: Any, page: Page) -> None:
    properties = document.core_properties
    properties.title = page.file_title
    properties.author = properties.last_modified_by = PRODUCER
    properties.language = page.language
    properties.revision = 1
    # python-docx writes what it is given as if it were UTC, which a page's date is.
    properties.created = properties.modified = page.dated.replace(tzinfo=None)
    if not page.right_to_left and primary(page.language) not in EAST_ASIAN_FONTS:
        document.styles.element.find(".//" + qn("w:lang")).set(qn("w:val"), page.language)


def _parsed(content: str) -> list[Any]:
    return list(parse_xml(f"<w:body {W} {R}>{content}</w:body>"))


def _body(page: Page) -> str:
    title = "LongTitle" if len(page.title.text) > LONG_TITLE else "Title"
    kind = [] if page.kind is None else [_aligned("Kicker", page.kind, page)]
    return "".join([*kind, _aligned(title, page.title, page), *(_block(block, page) for block in page.blocks)])


def _block(block: Block, page: Page) -> str:
    match block:
        case Notice(line):
            return _paragraph("Notice", line)
        case Facts(rows):
            return _table(rows, page)
        case Heading(line):
            return _aligned("Heading1", line, page)
        case Paragraph(line, said):
            return _paragraph("Normal", line) if said else _aligned("Unsaid", line, page)
        case Bullet(line):
            return _paragraph("ListBullet", line)
        case Spoken(time, speaker, line):
            named = "" if speaker is None else _paragraph("Speaker", speaker, turned=line.right_to_left)
            stamp = f'<w:r><w:rPr><w:rStyle w:val="Time"/></w:rPr><w:t>{time}</w:t><w:tab/></w:r>'
            return named + _paragraph("Spoken", line, before=stamp)
        case Code() | Seal():
            return ""  # needs parts of its own in the file, so it follows when the rest is written


def _table(rows: tuple[Fact, ...], page: Page) -> str:
    def row(fact: Fact) -> str:
        style = "FactUnsaid" if not fact.said else "FactStrong" if fact.strong else "FactValue"
        cells = ((LABEL_WIDTH, "FactLabel", fact.label), (VALUE_WIDTH, style, fact.value))
        return (
            "<w:tr><w:trPr><w:cantSplit/></w:trPr>"
            + "".join(
                f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>{_aligned(style, line, page)}</w:tc>'
                for width, style, line in cells
            )
            + "</w:tr>"
        )

    edges = "".join(
        f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="{HAIRLINE}"/>' for side in ("bottom", "insideH")
    )
    return _bordered(edges, "".join(map(row, rows)), page)


def _bordered(edges: str, rows: str, page: Page) -> str:
    mirrored = "<w:bidiVisual/>" if page.right_to_left else ""
    return (
        f'<w:tbl><w:tblPr>{mirrored}<w:tblW w:w="{LABEL_WIDTH + VALUE_WIDTH}" w:type="dxa"/>'
        f"<w:tblBorders>{edges}</w:tblBorders>"
        f'<w:tblLayout w:type="fixed"/>{NO_MARGIN}</w:tblPr>'
        f'<w:tblGrid><w:gridCol w:w="{LABEL_WIDTH}"/><w:gridCol w:w="{VALUE_WIDTH}"/></w:tblGrid>'
        f"{rows}</w:tbl>"
    )


def _code(document: Any, code: Code, png: bytes) -> Iterator[Any]:
    inline = document.part.new_pic_inline(BytesIO(png), CODE_WIDTH, CODE_WIDTH)
    inline.docPr.set("descr", code.description)
    yield from _parsed(_paragraph("CodeHeading", code.heading))
    (picture,) = _parsed('<w:p><w:pPr><w:pStyle w:val="Code"/></w:pPr><w:r/></w:p>')
    picture.r_lst[0].add_drawing(inline)
    yield picture
    yield from _parsed(_paragraph("CodeCaption", code.caption))
    link = document.part.relate_to(code.url, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
    address = _runs(Line(code.url, right_to_left=False, language=code.heading.language))
    linked = f'<w:hyperlink r:id="{link}" w:history="1">{address}</w:hyperlink>'
    yield from _parsed(f'<w:p><w:pPr><w:pStyle w:val="CodeAddress"/></w:pPr>{linked}</w:p>')


def _seal(document: Any, seal: Seal, png: bytes, page: Page) -> Iterator[Any]:
    """The code and beside it what is to be said of it, in a table without lines."""
    inline = document.part.new_pic_inline(BytesIO(png), SEAL_WIDTH, SEAL_WIDTH)
    inline.docPr.set("descr", seal.description)
    picture = '<w:p><w:pPr><w:pStyle w:val="FactLabel"/></w:pPr><w:r/></w:p>'
    told = "".join(_aligned("FactLabel", line, page) for line in (seal.heading, seal.use, seal.state))
    middle = '<w:vAlign w:val="center"/>'
    cells = "".join(
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{middle}</w:tcPr>{content}</w:tc>'
        for width, content in ((LABEL_WIDTH, picture), (VALUE_WIDTH, told))
    )
    yield from _parsed(_paragraph("Normal", Line("", right_to_left=False, language=seal.heading.language)))
    (table,) = _parsed(_bordered("", f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{cells}</w:tr>", page))
    next(table.iter(qn("w:r"))).add_drawing(inline)
    yield table


def _footer(page: Page) -> str:
    def field(name: str) -> str:
        return f'<w:fldSimple w:instr="{name}"><w:r><w:t>1</w:t></w:r></w:fldSimple>'

    return (
        f'<w:r><w:t xml:space="preserve">{escape(page.footer.text)}</w:t><w:tab/>'
        f'<w:t xml:space="preserve">{escape(page.page_label)} </w:t></w:r>{field("PAGE")}'
        f'<w:r><w:t xml:space="preserve"> / </w:t></w:r>{field("NUMPAGES")}'
    )


def _aligned(style: str, line: Line, page: Page) -> str:
    """A paragraph on the side where the page begins, whichever way it runs itself."""
    return _paragraph(style, line, across=line.right_to_left != page.right_to_left)


def _paragraph(style: str, line: Line, *, before: str = "", across: bool = False, turned: bool | None = None) -> str:
    bidi = "<w:bidi/>" if (line.right_to_left if turned is None else turned) else ""
    # In a paragraph that runs right to left Word takes "right" for the side where the lines end.
    side = '<w:jc w:val="right"/>' if across else ""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{bidi}{side}</w:pPr>{before}{_runs(line)}</w:p>'


def _runs(line: Line) -> str:
    return "".join(
        f'<w:r>{_letters(script, text, line.language)}<w:t xml:space="preserve">{escape(text)}</w:t></w:r>'
        for script, text in stretches(line)
    )


def _letters(script: Script, text: str, language: str) -> str:
    match script:
        case Script.PLAIN:
            return ""
        case Script.RIGHT_TO_LEFT:
            return f'<w:rPr><w:rtl/><w:lang w:bidi="{language}"/></w:rPr>'
        case Script.EAST_ASIAN:
            return _east_asian(language)
        case Script.COMPLEX:
            font = next((font for end, font in COMPLEX_FONTS if ord(text[0]) < end), COMPLEX_FONTS[0][1])
            fonts = " ".join(f'w:{slot}="{font}"' for slot in ("ascii", "hAnsi", "cs"))
            return f'<w:rPr><w:rFonts {fonts}/><w:cs/><w:lang w:bidi="{language}"/></w:rPr>'
        case Script.PICTURES:
            fonts = " ".join(f'w:{slot}="{EMOJI_FONT}"' for slot in ("ascii", "hAnsi", "eastAsia", "cs"))
            return f"<w:rPr><w:rFonts {fonts}/></w:rPr>"


def _east_asian(language: str) -> str:
    font = EAST_ASIAN_FONTS.get(primary(language), EAST_ASIAN_FONTS["zh"])
    if language.lower().startswith(("zh-hant", "zh-tw", "zh-hk")):
        font = TRADITIONAL_FONT
    return f'<w:rPr><w:rFonts w:hint="eastAsia" w:eastAsia="{font}"/><w:lang w:eastAsia="{language}"/></w:rPr>'
