"""Word documents, written with python-docx into a template."""

from collections.abc import Callable, Iterator
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from docx import Document
from docx.document import Document as DocxDocument
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import qn
from docx.shared import Mm

from adapters.documents.layout import (
    PRODUCER,
    Block,
    Bullet,
    CheckpointCode,
    DocumentLayout,
    Field,
    FieldTable,
    Heading,
    LinkCode,
    Logo,
    Paragraph,
    SpokenPart,
    WarningBox,
)
from adapters.documents.script import Script, TextLine, primary, script_runs

# Page size, margins, styles, list and footer. Its file properties are empty, so that no tool or author is named.
TEMPLATE = Path(__file__).with_name("template.docx")

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'

HAIRLINE = "D5DBE1"
LABEL_WIDTH, VALUE_WIDTH = 2330, 6855  # twentieths of a point; together the width between the template's margins
LINK_CODE_WIDTH, CHECKPOINT_CODE_WIDTH = Mm(42), Mm(28)
LONG_TITLE = 160  # characters; longer titles are set smaller
# Every entry of the file carries the earliest time that a zip can hold, so that equal content gives equal bytes.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
NO_MARGIN = '<w:tblCellMar><w:left w:w="0" w:type="dxa"/><w:right w:w="0" w:type="dxa"/></w:tblCellMar>'

EAST_ASIAN_FONTS = {"zh": "Microsoft YaHei", "ja": "Yu Gothic", "ko": "Malgun Gothic"}
TRADITIONAL_FONT = "Microsoft JhengHei"
EMOJI_FONT = "Segoe UI Emoji"
# Fonts for scripts that Arial lacks, each with the first character after the Unicode block that it sets.
COMPLEX_FONTS = [
    (0x0E00, "Nirmala UI"),
    (0x0F00, "Leelawadee UI"),
    (0x1000, "Microsoft Himalaya"),
    (0x10A0, "Myanmar Text"),
    (0x1400, "Ebrima"),
    (0x1800, "Leelawadee UI"),
]


class WordRenderer:
    """Renders layouts as Word files. May be shared by threads."""

    def __init__(self) -> None:
        self._template = TEMPLATE.read_bytes()

    def render(self, layout: DocumentLayout, draw_code: Callable[[str], bytes]) -> bytes:
        """Return the Word file. `draw_code` returns the PNG of a QR code."""
        document = Document(BytesIO(self._template))
        _set_properties(document, layout)
        end = document.element.body.sectPr
        if layout.logo is not None:
            end.addprevious(_logo(document, layout.logo))
        for element in _parsed(_body(layout)):
            end.addprevious(element)
        codes: list[Any] = []
        for block in layout.blocks:
            if isinstance(block, LinkCode):
                codes += _link_code(document, block, draw_code(block.url))
        if layout.checkpoint_code is not None:
            codes += _checkpoint_code(document, layout.checkpoint_code, draw_code(layout.checkpoint_code.note), layout)
        for element in codes:
            end.addprevious(element)
        footer = document.sections[0].footer.paragraphs[0]
        for run in _parsed(_footer(layout)):
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


def _set_properties(document: DocxDocument, layout: DocumentLayout) -> None:
    properties = document.core_properties
    properties.title = layout.file_title
    properties.author = properties.last_modified_by = PRODUCER
    properties.language = layout.language
    properties.revision = 1
    # python-docx takes times without a zone as UTC.
    properties.created = properties.modified = layout.dated.replace(tzinfo=None)
    if not layout.right_to_left and primary(layout.language) not in EAST_ASIAN_FONTS:
        document.styles.element.find(".//" + qn("w:lang")).set(qn("w:val"), layout.language)


def _parsed(content: str) -> list[Any]:
    return list(parse_xml(f"<w:body {W} {R}>{content}</w:body>"))


def _body(layout: DocumentLayout) -> str:
    title = "LongTitle" if len(layout.title.text) > LONG_TITLE else "Title"
    kind = [] if layout.kind is None else [_aligned("Kicker", layout.kind, layout)]
    return "".join([*kind, _aligned(title, layout.title, layout), *(_block(block, layout) for block in layout.blocks)])


def _block(block: Block, layout: DocumentLayout) -> str:
    match block:
        case WarningBox(line):
            return _paragraph("Warning", line)
        case FieldTable(fields):
            return _table(fields, layout)
        case Heading(line):
            return _aligned("Heading1", line, layout)
        case Paragraph(line, missing):
            return _aligned("Missing", line, layout) if missing else _paragraph("Normal", line)
        case Bullet(line):
            return _paragraph("ListBullet", line)
        case SpokenPart(time, speaker, line):
            name = "" if speaker is None else _paragraph("Speaker", speaker, right_to_left=line.right_to_left)
            stamp = f'<w:r><w:rPr><w:rStyle w:val="Time"/></w:rPr><w:t>{time}</w:t><w:tab/></w:r>'
            return name + _paragraph("Spoken", line, before=stamp)
        case LinkCode() | CheckpointCode():
            return ""  # `render` adds these, because their pictures are separate parts of the file


def _table(fields: tuple[Field, ...], layout: DocumentLayout) -> str:
    def row(field: Field) -> str:
        style = "FieldMissing" if field.missing else "FieldStrong" if field.strong else "FieldValue"
        cells = ((LABEL_WIDTH, "FieldLabel", field.label), (VALUE_WIDTH, style, field.value))
        return (
            "<w:tr><w:trPr><w:cantSplit/></w:trPr>"
            + "".join(
                f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>{_aligned(style, line, layout)}</w:tc>'
                for width, style, line in cells
            )
            + "</w:tr>"
        )

    borders = "".join(
        f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="{HAIRLINE}"/>' for side in ("bottom", "insideH")
    )
    return _fixed_table(borders, "".join(map(row, fields)), layout)


def _fixed_table(borders: str, rows: str, layout: DocumentLayout) -> str:
    mirrored = "<w:bidiVisual/>" if layout.right_to_left else ""
    return (
        f'<w:tbl><w:tblPr>{mirrored}<w:tblW w:w="{LABEL_WIDTH + VALUE_WIDTH}" w:type="dxa"/>'
        f"<w:tblBorders>{borders}</w:tblBorders>"
        f'<w:tblLayout w:type="fixed"/>{NO_MARGIN}</w:tblPr>'
        f'<w:tblGrid><w:gridCol w:w="{LABEL_WIDTH}"/><w:gridCol w:w="{VALUE_WIDTH}"/></w:tblGrid>'
        f"{rows}</w:tbl>"
    )


def _logo(document: DocxDocument, logo: Logo) -> Any:
    inline = document.part.new_pic_inline(BytesIO(logo.image), Mm(logo.width_mm), Mm(logo.height_mm))
    inline.docPr.set("descr", logo.description)
    (picture,) = _parsed('<w:p><w:pPr><w:pStyle w:val="Normal"/></w:pPr><w:r/></w:p>')
    picture.r_lst[0].add_drawing(inline)
    return picture


def _link_code(document: DocxDocument, code: LinkCode, png: bytes) -> Iterator[Any]:
    inline = document.part.new_pic_inline(BytesIO(png), LINK_CODE_WIDTH, LINK_CODE_WIDTH)
    inline.docPr.set("descr", code.description)
    yield from _parsed(_paragraph("CodeHeading", code.heading))
    (picture,) = _parsed('<w:p><w:pPr><w:pStyle w:val="Code"/></w:pPr><w:r/></w:p>')
    picture.r_lst[0].add_drawing(inline)
    yield picture
    yield from _parsed(_paragraph("CodeCaption", code.caption))
    link = document.part.relate_to(code.url, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
    address = _runs(TextLine(code.url, right_to_left=False, language=code.heading.language))
    linked = f'<w:hyperlink r:id="{link}" w:history="1">{address}</w:hyperlink>'
    yield from _parsed(f'<w:p><w:pPr><w:pStyle w:val="CodeAddress"/></w:pPr>{linked}</w:p>')


def _checkpoint_code(document: DocxDocument, code: CheckpointCode, png: bytes, layout: DocumentLayout) -> Iterator[Any]:
    """Yield a table without borders: the code on one side, its explanation on the other."""
    inline = document.part.new_pic_inline(BytesIO(png), CHECKPOINT_CODE_WIDTH, CHECKPOINT_CODE_WIDTH)
    inline.docPr.set("descr", code.description)
    picture = '<w:p><w:pPr><w:pStyle w:val="FieldLabel"/></w:pPr><w:r/></w:p>'
    text = "".join(_aligned("FieldLabel", line, layout) for line in (code.heading, code.explanation, code.state))
    centred = '<w:vAlign w:val="center"/>'
    cells = "".join(
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{centred}</w:tcPr>{content}</w:tc>'
        for width, content in ((LABEL_WIDTH, picture), (VALUE_WIDTH, text))
    )
    yield from _parsed(_paragraph("Normal", TextLine("", right_to_left=False, language=code.heading.language)))
    (table,) = _parsed(_fixed_table("", f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{cells}</w:tr>", layout))
    next(table.iter(qn("w:r"))).add_drawing(inline)
    yield table


def _footer(layout: DocumentLayout) -> str:
    def field(name: str) -> str:
        return f'<w:fldSimple w:instr="{name}"><w:r><w:t>1</w:t></w:r></w:fldSimple>'

    return (
        f'<w:r><w:t xml:space="preserve">{escape(layout.footer.text)}</w:t><w:tab/>'
        f'<w:t xml:space="preserve">{escape(layout.page_label)} </w:t></w:r>{field("PAGE")}'
        f'<w:r><w:t xml:space="preserve"> / </w:t></w:r>{field("NUMPAGES")}'
    )


def _aligned(style: str, line: TextLine, layout: DocumentLayout) -> str:
    """Return a paragraph on the side where the document's lines start, whatever its own direction."""
    return _paragraph(style, line, at_line_end=line.right_to_left != layout.right_to_left)


def _paragraph(
    style: str, line: TextLine, *, before: str = "", at_line_end: bool = False, right_to_left: bool | None = None
) -> str:
    bidi = "<w:bidi/>" if (line.right_to_left if right_to_left is None else right_to_left) else ""
    # In a right-to-left paragraph Word takes "right" for the side where lines end, which is the left one.
    side = '<w:jc w:val="right"/>' if at_line_end else ""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{bidi}{side}</w:pPr>{before}{_runs(line)}</w:p>'


def _runs(line: TextLine) -> str:
    return "".join(
        f'<w:r>{_run_properties(script, text, line.language)}<w:t xml:space="preserve">{escape(text)}</w:t></w:r>'
        for script, text in script_runs(line)
    )


def _run_properties(script: Script, text: str, language: str) -> str:
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
