"""The empty Word file that every page starts from: A4, our styles, a footer, and nothing that names a tool."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

# The earliest time a zip can hold: when a file was packed says nothing about it, and equal content gives equal bytes.
PACKED_AT = (1980, 1, 1, 0, 0, 0)

INK, QUIET, ACCENT, HAIRLINE, ALARM = "1D2733", "5B6673", "0B6E69", "D5DBE1", "8C1D18"
LABEL_WIDTH, VALUE_WIDTH = 2330, 6855  # twentieths of a point; together the width between the margins

HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"

CONTENT_TYPES = f"""{HEAD}<Types xmlns="{PACKAGE}/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/word/document.xml" ContentType="{WORD}.document.main+xml"/>
<Override PartName="/word/styles.xml" ContentType="{WORD}.styles+xml"/>
<Override PartName="/word/numbering.xml" ContentType="{WORD}.numbering+xml"/>
<Override PartName="/word/settings.xml" ContentType="{WORD}.settings+xml"/>
<Override PartName="/word/footer1.xml" ContentType="{WORD}.footer+xml"/>
<Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/>
</Types>"""

RELATIONS = f"""{HEAD}<Relationships xmlns="{PACKAGE}/relationships">
<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="word/document.xml"/>
<Relationship Id="rId2" Type="{PACKAGE}/relationships/metadata/core-properties" Target="docProps/core.xml"/>
</Relationships>"""

DOCUMENT_RELATIONS = f"""{HEAD}<Relationships xmlns="{PACKAGE}/relationships">
<Relationship Id="rId1" Type="{OFFICE}/styles" Target="styles.xml"/>
<Relationship Id="rId2" Type="{OFFICE}/numbering" Target="numbering.xml"/>
<Relationship Id="rId3" Type="{OFFICE}/settings" Target="settings.xml"/>
<Relationship Id="rId4" Type="{OFFICE}/footer" Target="footer1.xml"/>
</Relationships>"""

CORE = f"""{HEAD}<cp:coreProperties xmlns:cp="{PACKAGE}/metadata/core-properties" \
xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>"""

DOCUMENT = f"""{HEAD}<w:document {W} {R}><w:body><w:sectPr>
<w:footerReference w:type="default" r:id="rId4"/><w:pgSz w:w="11906" w:h="16838"/>
<w:pgMar w:top="1361" w:right="1361" w:bottom="1474" w:left="1361" w:header="709" w:footer="709" w:gutter="0"/>
</w:sectPr></w:body></w:document>"""

# `compatibilityMode` 15 keeps Word from opening the file as one of an older version.
SETTINGS = f"""{HEAD}<w:settings {W}><w:zoom w:percent="100"/><w:defaultTabStop w:val="720"/>
<w:characterSpacingControl w:val="doNotCompress"/><w:compat>
<w:compatSetting w:name="compatibilityMode" w:uri="http://schemas.microsoft.com/office/word" w:val="15"/>
<w:compatSetting w:name="enableOpenTypeFeatures" w:uri="http://schemas.microsoft.com/office/word" w:val="1"/>
</w:compat><w:decimalSymbol w:val="."/><w:listSeparator w:val=","/></w:settings>"""

NUMBERING = f"""{HEAD}<w:numbering {W}><w:abstractNum w:abstractNumId="0"><w:multiLevelType w:val="singleLevel"/>
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="bullet"/><w:pStyle w:val="ListBullet"/><w:lvlText w:val="•"/>
<w:lvlJc w:val="left"/><w:pPr><w:ind w:left="340" w:hanging="340"/></w:pPr>
<w:rPr><w:color w:val="{ACCENT}"/></w:rPr></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>"""

FOOTER = f"""{HEAD}<w:ftr {W}><w:p><w:pPr><w:pStyle w:val="Footer"/></w:pPr></w:p></w:ftr>"""


def _style(
    identity: str, name: str, paragraph: str = "", letters: str = "", kind: str = "paragraph", based: str = "Normal"
) -> str:
    default = ' w:default="1"' if identity in ("Normal", "DefaultParagraphFont", "TableNormal") else ""
    parent = "" if default else f'<w:basedOn w:val="{based}"/>'
    about = (f"<w:pPr>{paragraph}</w:pPr>" if paragraph else "") + (f"<w:rPr>{letters}</w:rPr>" if letters else "")
    return (
        f'<w:style w:type="{kind}" w:styleId="{identity}"{default}><w:name w:val="{name}"/>{parent}<w:qFormat/>'
        f"{about}</w:style>"
    )


def _letters(half_points: int, color: str = INK, *, bold: bool = False) -> str:
    weight = "<w:b/><w:bCs/>" if bold else ""
    return f'{weight}<w:color w:val="{color}"/><w:sz w:val="{half_points}"/><w:szCs w:val="{half_points}"/>'


def _space(before: int, after: int, line: int = 276) -> str:
    return f'<w:spacing w:before="{before}" w:after="{after}" w:line="{line}" w:lineRule="auto"/>'


def _edge(side: str, eighths: int, color: str, space: int) -> str:
    return f'<w:{side} w:val="single" w:sz="{eighths}" w:space="{space}" w:color="{color}"/>'


KEEP = "<w:keepNext/><w:keepLines/>"
ALARM_BOX = "".join(_edge(side, 8, "B3261E", 8) for side in ("top", "left", "bottom", "right"))
STYLES = f"""{HEAD}<w:styles {W}><w:docDefaults><w:rPrDefault><w:rPr>
<w:rFonts w:ascii="Calibri" w:hAnsi="Calibri" w:eastAsia="Microsoft YaHei" w:cs="Arial"/>{_letters(22)}
<w:lang w:val="en-US" w:eastAsia="zh-CN" w:bidi="ar-SA"/></w:rPr></w:rPrDefault><w:pPrDefault/></w:docDefaults>
{_style("Normal", "Normal", "<w:widowControl/>" + _space(0, 140))}
{_style("DefaultParagraphFont", "Default Paragraph Font", kind="character")}
<w:style w:type="table" w:styleId="TableNormal" w:default="1"><w:name w:val="Normal Table"/><w:tblPr>
<w:tblInd w:w="0" w:type="dxa"/>
<w:tblCellMar><w:left w:w="0" w:type="dxa"/><w:right w:w="0" w:type="dxa"/></w:tblCellMar>
</w:tblPr></w:style>
{_style("Kicker", "Kicker", KEEP + _space(0, 60), _letters(18, ACCENT, bold=True))}
{
    _style(
        "Title",
        "Title",
        KEEP + f"<w:pBdr>{_edge('bottom', 12, ACCENT, 6)}</w:pBdr>" + _space(0, 240, 252),
        _letters(44, bold=True),
    )
}
{_style("LongTitle", "Long Title", letters=_letters(28, bold=True), based="Title")}
{
    _style(
        "Heading1", "heading 1", KEEP + _space(360, 120) + '<w:outlineLvl w:val="0"/>', _letters(26, ACCENT, bold=True)
    )
}
{_style("Unsaid", "Unsaid", letters=_letters(22, QUIET))}
{_style("ListBullet", "List Bullet", '<w:numPr><w:numId w:val="1"/></w:numPr>' + _space(0, 60))}
{_style("FactLabel", "Fact Label", _space(60, 60, 240), _letters(20, QUIET))}
{_style("FactValue", "Fact Value", _space(60, 60, 240))}
{_style("FactStrong", "Fact Strong", letters=_letters(26, bold=True), based="FactValue")}
{_style("FactUnsaid", "Fact Unsaid", letters=_letters(22, QUIET), based="FactValue")}
{
    _style(
        "Notice",
        "Notice",
        f"<w:pBdr>{ALARM_BOX}</w:pBdr>"
        + '<w:shd w:val="clear" w:color="auto" w:fill="FDECEB"/>'
        + _space(0, 280)
        + '<w:ind w:left="200" w:right="200"/><w:jc w:val="center"/>',
        _letters(24, ALARM, bold=True),
    )
}
{_style("Speaker", "Speaker", KEEP + _space(200, 40) + '<w:ind w:left="964"/>', _letters(20, ACCENT, bold=True))}
{
    _style(
        "Spoken",
        "Spoken",
        '<w:tabs><w:tab w:val="left" w:pos="964"/></w:tabs>' + _space(0, 80) + '<w:ind w:left="964" w:hanging="964"/>',
    )
}
{_style("Code", "Code", KEEP + _space(120, 60, 240) + '<w:jc w:val="center"/>')}
{_style("CodeHeading", "Code Heading", _space(480, 0), _letters(26, ACCENT, bold=True), based="Code")}
{_style("CodeCaption", "Code Caption", _space(0, 40), _letters(18, QUIET), based="Code")}
{_style("CodeAddress", "Code Address", '<w:keepNext w:val="0"/>' + _space(0, 0), _letters(20, bold=True), based="Code")}
{
    _style(
        "Footer",
        "footer",
        f'<w:tabs><w:tab w:val="right" w:pos="{LABEL_WIDTH + VALUE_WIDTH}"/></w:tabs>' + _space(0, 0, 240),
        _letters(17, QUIET),
    )
}
{_style("Time", "Time", letters=_letters(18, QUIET), kind="character", based="DefaultParagraphFont")}
</w:styles>"""

PARTS = {
    "[Content_Types].xml": CONTENT_TYPES,
    "_rels/.rels": RELATIONS,
    "word/_rels/document.xml.rels": DOCUMENT_RELATIONS,
    "word/document.xml": DOCUMENT,
    "word/styles.xml": STYLES,
    "word/numbering.xml": NUMBERING,
    "word/settings.xml": SETTINGS,
    "word/footer1.xml": FOOTER,
    "docProps/core.xml": CORE,
}


def packed(parts: Mapping[str, bytes]) -> bytes:
    """The parts as one zip: the same parts in the same order give the same bytes."""
    out = BytesIO()
    with ZipFile(out, "w") as file:
        for name, content in parts.items():
            entry = ZipInfo(name, PACKED_AT)
            entry.compress_type = ZIP_DEFLATED
            entry.create_system = 0
            file.writestr(entry, content)
    return out.getvalue()


def empty_file() -> bytes:
    return packed({name: content.encode("utf-8") for name, content in PARTS.items()})
