"""Decodes a photo and encodes it anew, inside the child process."""

import io
import os
import warnings

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from adapters.confined.errors import InputRefused
from adapters.disk import write_all

NOT_A_PHOTO = "not_a_photo"
TOO_LARGE = "too_large"

FORMATS = ("JPEG", "PNG", "WEBP")
# More than phones take by default. A small file can claim thousands of millions of pixels.
MAX_PIXELS = 50_000_000
LARGE_SIDE, SMALL_SIDE = 1600, 800
LARGE_QUALITY = 82
# A page with this photo still loads on a bad network.
SMALL_BYTES = 60_000
SMALL_QUALITIES = (75, 65, 55, 45, 35, 25)


def load() -> None:
    """Load the decoders, which are modules of their own."""
    Image.preinit()
    Image.init()


def encode(source: int, output: int) -> dict[str, object]:
    """Write the photo to `output` as JPEG, first for large screens and then for small ones, without any metadata.

    Return the number of bytes of both, and the width and height of the first.
    """
    photo = _decoded(source)
    large = photo.copy()
    large.thumbnail((LARGE_SIDE, LARGE_SIDE), Image.Resampling.LANCZOS)
    small = large.copy()
    small.thumbnail((SMALL_SIDE, SMALL_SIDE), Image.Resampling.LANCZOS)
    large_bytes, small_bytes = _jpeg(large, LARGE_QUALITY), _small_jpeg(small)
    write_all(output, large_bytes + small_bytes)
    return {"bytes": [len(large_bytes), len(small_bytes)], "width": large.width, "height": large.height}


def _decoded(source: int) -> Image.Image:
    with os.fdopen(os.dup(source), "rb") as file, warnings.catch_warnings():
        file.seek(0)
        warnings.simplefilter("ignore")
        try:
            photo = Image.open(file, formats=FORMATS)
            if photo.width * photo.height > MAX_PIXELS:
                raise InputRefused(TOO_LARGE)
            if photo.format == "JPEG":
                # The decoder makes a large photo smaller while it reads it.
                photo.draft("RGB", (2 * LARGE_SIDE, 2 * LARGE_SIDE))
            upright = ImageOps.exif_transpose(photo)
            return _plain(upright)
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
            raise InputRefused(NOT_A_PHOTO) from error


def _plain(photo: Image.Image) -> Image.Image:
    """Return the photo in the colours that screens expect, on white where it is transparent."""
    profile = photo.info.get("icc_profile")
    if photo.mode in ("RGBA", "LA", "PA") or "transparency" in photo.info:
        layer = photo.convert("RGBA")
        photo = Image.new("RGB", layer.size, "white")
        photo.paste(layer, mask=layer.getchannel("A"))
    if profile and photo.mode in ("RGB", "CMYK"):
        try:
            screen = ImageCms.createProfile("sRGB")
            original = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(photo, original, screen, outputMode="RGB")
            photo = converted or photo
        except (ImageCms.PyCMSError, OSError):
            pass  # a damaged profile
    plain = Image.new("RGB", photo.size)
    plain.paste(photo.convert("RGB"))
    return plain


def _small_jpeg(photo: Image.Image) -> bytes:
    for quality in SMALL_QUALITIES:
        data = _jpeg(photo, quality)
        if len(data) <= SMALL_BYTES:
            break
    return data


def _jpeg(photo: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
    return buffer.getvalue()
