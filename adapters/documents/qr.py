"""QR codes for paper: a quiet zone of four modules and error correction level M."""

import re
from functools import lru_cache
from io import BytesIO
from itertools import groupby

from domain.errors import InvalidError

MAX_BYTES = 400
BORDER_MODULES = 4
PIXELS_PER_MODULE = 8  # one byte in an image with one bit per pixel
# Control characters have no use in a link, and qrcode 8.2 fails on a run of NUL.
CONTROL_CHARACTERS = re.compile("[\x00-\x09\x0b-\x1f\x7f]")


class QrCodeRenderer:
    """Implements ports.QrCodes.

    Both methods raise InvalidError for a text that is empty, is longer than 400 bytes of UTF-8, or contains control
    characters other than line feeds. Readers guess the encoding of text that is not ASCII; our links are ASCII.
    """

    def png(self, text: str) -> bytes:
        """Return the code as a black and white PNG with one bit per pixel."""
        from PIL import Image

        rows = modules(text)
        side = len(rows) * PIXELS_PER_MODULE
        lines = b"".join(bytes(0 if dark else 255 for dark in row) * PIXELS_PER_MODULE for row in rows)
        out = BytesIO()
        Image.frombytes("1", (side, side), lines).save(out, "PNG")
        return out.getvalue()

    def svg(self, text: str) -> bytes:
        """Return the code as an SVG of one black path on white that can be embedded anywhere."""
        rows = modules(text)
        side, size = len(rows) * PIXELS_PER_MODULE, len(rows)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" viewBox="0 0 {size} {size}"'
            f' shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{size}v{size}H0z"/>'
            f'<path fill="#000" d="{"".join(_bars(rows))}"/></svg>'
        ).encode("ascii")

    def load(self) -> None:
        """Import the drawing libraries, so that the first code does not wait for them."""
        self.png("https://example.com/")


@lru_cache(maxsize=256)
def modules(text: str) -> tuple[tuple[bool, ...], ...]:
    """Return the rows of the code, True for a dark module, with the quiet zone around it.

    The result is cached, because drawing takes 5 ms for a link of 22 bytes and 30 ms for a checkpoint of 200 bytes.
    """
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidError("the text is not valid Unicode") from None
    if CONTROL_CHARACTERS.search(text):
        raise InvalidError("a QR code must not contain control characters")
    if not 0 < len(data) <= MAX_BYTES:
        raise InvalidError(f"a QR code holds 1 to {MAX_BYTES} bytes of text")
    from qrcode.constants import ERROR_CORRECT_M
    from qrcode.main import QRCode
    from qrcode.util import MODE_8BIT_BYTE, QRData

    code = QRCode(error_correction=ERROR_CORRECT_M, border=BORDER_MODULES)
    # Always bytes: qrcode 8.2 fails on a long run of zeros encoded as digits.
    code.add_data(QRData(data, mode=MODE_8BIT_BYTE))
    return tuple(tuple(bool(dark) for dark in row) for row in code.get_matrix())


def _bars(rows: tuple[tuple[bool, ...], ...]) -> list[str]:
    """Return an SVG subpath for each horizontal run of dark modules."""
    bars = []
    for y, row in enumerate(rows):
        x = 0
        for dark, run in groupby(row):
            width = len(list(run))
            if dark:
                bars.append(f"M{x} {y}h{width}v1h-{width}z")
            x += width
    return bars
