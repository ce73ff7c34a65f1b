"""QR codes that a phone reads off paper: quiet zone of four modules, error correction M."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import groupby

from domain.errors import InvalidError

MAX_BYTES = 300
BORDER_MODULES = 4
PIXELS_PER_MODULE = 8  # a byte of a one-bit picture
# They mean nothing on a poster, and qrcode 8.2 fails on a run of NUL.
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class QrPrinter:
    """Implements ports.QrCodes.

    InvalidError for a text that is empty, longer than 300 bytes of UTF-8 or has control characters but line ends.
    ASCII, as every link of ours is, reads the same everywhere; readers guess at the encoding of anything else.
    """

    def png(self, text: str) -> bytes:
        """Black on white, one bit a pixel."""
        from PIL import Image

        rows = modules(text)
        side = len(rows) * PIXELS_PER_MODULE
        lines = b"".join(bytes(0 if dark else 255 for dark in row) * PIXELS_PER_MODULE for row in rows)
        out = BytesIO()
        Image.frombytes("1", (side, side), lines).save(out, "PNG")
        return out.getvalue()

    def svg(self, text: str) -> bytes:
        """One path of rectangles on white, nothing else, so that it can be embedded anywhere."""
        rows = modules(text)
        side, size = len(rows) * PIXELS_PER_MODULE, len(rows)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" viewBox="0 0 {size} {size}"'
            f' shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{size}v{size}H0z"/>'
            f'<path fill="#000" d="{"".join(_bars(rows))}"/></svg>'
        ).encode("ascii")

    def load(self) -> None:
        """So that the first code need not wait for what draws it."""
        self.png("https://example.com/")


@lru_cache(maxsize=256)
def modules(text: str) -> tuple[tuple[bool, ...], ...]:
    """The code's modules row by row, True where dark, with the quiet zone around it."""
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidError("not a text that can be written down") from None
    if CONTROLS.search(text):
        raise InvalidError("a QR code takes no control characters")
    if not 0 < len(data) <= MAX_BYTES:
        raise InvalidError(f"a QR code takes 1 to {MAX_BYTES} bytes of text")
    from qrcode.constants import ERROR_CORRECT_M
    from qrcode.util import MODE_8BIT_BYTE, QRData

    from adapters.documents.qr_mask import Code

    code = Code(version=_version(len(data)), error_correction=ERROR_CORRECT_M, border=BORDER_MODULES)
    # Bytes throughout: qrcode 8.2 fails on a long run of zeros written as digits.
    code.add_data(QRData(data, mode=MODE_8BIT_BYTE))
    code.make(fit=False)
    return tuple(tuple(bool(dark) for dark in row) for row in code.get_matrix())


def _version(size: int) -> int:
    """The smallest code that holds so many bytes; qrcode would write them twice to find out."""
    from qrcode.constants import ERROR_CORRECT_M
    from qrcode.util import BIT_LIMIT_TABLE

    limits = BIT_LIMIT_TABLE[ERROR_CORRECT_M]
    return next(v for v in range(1, 41) if 4 + (8 if v < 10 else 16) + 8 * size <= limits[v])


def _bars(rows: tuple[tuple[bool, ...], ...]) -> list[str]:
    bars = []
    for y, row in enumerate(rows):
        x = 0
        for dark, run in groupby(row):
            width = len(list(run))
            if dark:
                bars.append(f"M{x} {y}h{width}v1h-{width}z")
            x += width
    return bars
