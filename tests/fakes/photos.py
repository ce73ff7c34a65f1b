"""Photos and PDFs made for tests."""

from __future__ import annotations

import io
import zlib

from PIL import ExifTags, Image

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
SECRET = "qzcamera"


def photo(width: int = 1200, height: int = 900, format: str = "JPEG", *, orientation: int = 1) -> bytes:
    """Return a photo with the metadata that a phone writes: place, time and camera."""
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    image.paste((200, 30, 30), (0, 0, width // 2, height // 2))
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = SECRET
    exif[ExifTags.Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (51.0, 30.0, 26.5)
    buffer = io.BytesIO()
    image.save(buffer, format, exif=exif, comment=SECRET)
    return buffer.getvalue()


def bomb() -> bytes:
    """Return a small PNG file that claims 30,000 × 30,000 pixels."""
    header = (30_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    pixels = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
