from pathlib import Path

import pytest
import typst

import adapters.documents

FOLDER = Path(adapters.documents.__file__).parent / "fonts"
FONTS = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FOLDER])


def characters(codec: str, first: int, last: int) -> str:
    """Return the characters of a two-byte national standard between two rows."""
    rows = (bytes([row, cell]) for row in range(first, last + 1) for cell in range(0xA1, 0xFF))
    return "".join(row.decode(codec, "ignore") for row in rows)


TEXTS = {
    "GB 2312": characters("gb2312", 0xB0, 0xF7),
    "JIS X 0208 level 1": characters("euc_jp", 0xA4, 0xA5) + characters("euc_jp", 0xB0, 0xCF),
    "KS X 1001": characters("euc_kr", 0xB0, 0xC8),
    "Spanish": "ÁÉÍÓÚÜÑáéíóúüñ¿¡«»—…ªº€",
    "Greek and Cyrillic": "Γιώργος Ольга Їжак",
    "Vietnamese": "Nguyễn Thị Phượng",
    "Arabic": "ساعدوا ليلى، شكرًا لكم؟ ٠١٢٣ گچپژ ٹڈ",
    "Hebrew": "שָׁלוֹם לכולם ״׳",
    "Indic": "हिन्दी ধন্যবাদ ਪੰਜਾਬੀ ગુજરાતી ଓଡ଼ିଆ தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල",
    "South-East Asian": "สวัสดี ລາວ ខ្មែរ မြန်မာ",
    "others": "አማርኛ հայերեն ქართული ދިވެހި བོད་ ᏣᎳᎩ ⵜⴰⵎⴰⵣⵉⵖⵜ ߒߞߏ ᐃᓄᒃᑎᑐᑦ",
    "emoji": "😀❤️👩🏾‍⚕️👨‍👩‍👧🇪🇸1️⃣🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "symbols": "✓★→½™𝓐№℃∞≤",
}


def rendered(text: str) -> bytes:
    """Return the text as PDF/UA; typst fails if no font has one of its characters."""
    source = b'#set document(title: "x")\n#set text(font: "Noto Sans")\n#sys.inputs.text'
    pdf = typst.compile(source, font_paths=FONTS, sys_inputs={"text": text}, format="pdf", pdf_standards="ua-1")
    assert isinstance(pdf, bytes)
    return pdf


@pytest.mark.parametrize("name", TEXTS)
def test_the_fonts_have_every_character(name):
    assert rendered(TEXTS[name]).startswith(b"%PDF")


def test_a_missing_character_is_noticed():
    with pytest.raises(typst.TypstError, match="could not be displayed"):
        rendered("\U00013000")


def test_the_typst_document_names_every_font():
    document = (FOLDER.parent / "letters.typ").read_text("utf-8")
    assert [family for family in FONTS.families() if f'"{family}"' not in document] == []


def test_every_font_is_in_the_table_and_comes_with_its_licence():
    table = (FOLDER / "README.md").read_text("utf-8")
    assert [font.name for font in FOLDER.glob("*.[ot]tf") if font.name not in table] == []
    assert "SIL OPEN FONT LICENSE Version 1.1" in (FOLDER / "OFL.txt").read_text("utf-8")
