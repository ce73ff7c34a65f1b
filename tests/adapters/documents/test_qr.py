from io import BytesIO
from xml.etree import ElementTree

import pytest
from PIL import Image

from adapters.documents.qr import QrCodeRenderer
from domain.errors import InvalidError
from tests.adapters.documents.sheets import LINK, rasterised, read_codes

CODES = QrCodeRenderer()
TEXTS = [
    "x",
    LINK,
    LINK.ljust(60, "a"),
    LINK.ljust(61, "b"),
    LINK.upper(),
    "0123456789" * 12,
    "0" * 250,
    LINK.ljust(400, "c"),
]


def picture(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png))


@pytest.mark.parametrize("text", TEXTS, ids=len)
def test_pyzbar_reads_the_png(text):
    assert read_codes(picture(CODES.png(text))) == [text]


@pytest.mark.parametrize("text", TEXTS, ids=len)
def test_pyzbar_reads_the_svg(text):
    assert read_codes(picture(rasterised(CODES.svg(text)))) == [text]


def test_a_creased_and_shrunk_print_can_still_be_read():
    printed = picture(CODES.png(LINK)).convert("L")
    printed.paste(128, (150, 0, 156, printed.height))
    assert read_codes(printed.resize((150, 150), Image.Resampling.BILINEAR)) == [LINK]


def test_the_png_has_one_bit_per_pixel_and_eight_pixels_per_module():
    drawn = picture(CODES.png("x"))
    assert drawn.mode == "1"
    assert drawn.size == ((21 + 8) * 8, (21 + 8) * 8)


def test_four_white_modules_surround_the_code():
    drawn = picture(CODES.png(LINK))
    dark = drawn.convert("L").point(lambda level: 255 - level).getbbox()
    assert dark == (32, 32, drawn.width - 32, drawn.height - 32)


def test_the_svg_is_one_black_path_on_white():
    drawing = ElementTree.fromstring(CODES.svg(LINK))
    size = drawing.attrib["viewBox"].split()[2]
    assert drawing.attrib["width"] == drawing.attrib["height"]
    white, black = drawing
    assert (white.attrib["fill"], white.attrib["d"]) == ("#fff", f"M0 0h{size}v{size}H0z")
    assert black.attrib["fill"] == "#000"


def test_equal_texts_give_equal_bytes():
    equal_renderer = QrCodeRenderer()
    assert (CODES.png(LINK), CODES.svg(LINK)) == (equal_renderer.png(LINK), equal_renderer.svg(LINK))


@pytest.mark.parametrize("text", ["", "x" * 401, "ñ" * 201, "\ud800", "a\0b"])
def test_a_text_that_a_qr_code_cannot_hold_is_refused(text):
    with pytest.raises(InvalidError):
        CODES.png(text)
    with pytest.raises(InvalidError):
        CODES.svg(text)
