"""Attachments are recognised by their content; a photo is encoded anew, without anything that the camera wrote."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pytest
from PIL import Image

from adapters.pictures.encoding import SMALL_BYTES
from adapters.pictures.inspector import ChildAttachmentInspector
from domain.errors import NotAnAttachmentError
from tests.fakes.photos import PDF, SECRET, bomb, photo


@contextmanager
def stored(data: bytes) -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        yield file


def inspect(data: bytes):
    with stored(data) as file:
        return ChildAttachmentInspector().inspect(file)


def test_a_photo_is_kept_upright_in_two_sizes_without_metadata():
    inspected = inspect(photo(3000, 2000, orientation=6))
    large, small = inspected.file.read(), inspected.small.read()
    assert (inspected.media_type, inspected.width, inspected.height) == ("image/jpeg", 1067, 1600)
    assert len(small) <= SMALL_BYTES
    for data, size in ((large, (1067, 1600)), (small, (533, 800))):
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == size
            assert dict(image.getexif()) == {}
            assert {"exif", "comment", "icc_profile"}.isdisjoint(image.info)
            # The red quarter is at the upper right after the photo was turned.
            assert image.getpixel((size[0] - 5, 5))[0] > 150
        assert SECRET.encode() not in data


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_other_formats_become_jpeg(format: str):
    assert inspect(photo(64, 48, format)).media_type == "image/jpeg"


def test_a_transparent_picture_is_put_on_white():
    buffer = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(buffer, "PNG")
    with Image.open(inspect(buffer.getvalue()).file) as image:
        assert image.getpixel((4, 4)) == (255, 255, 255)


def test_a_pdf_is_kept_as_it_is():
    with stored(PDF) as file:
        inspected = ChildAttachmentInspector().inspect(file)
        assert (inspected.media_type, inspected.small) == ("application/pdf", None)
        assert inspected.file.read() == PDF


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a" + bytes(20), b"<svg xmlns='http://www.w3.org/2000/svg'/>", PDF[:-8], photo()[:500], bomb()],
    ids=["empty", "gif", "svg", "cut PDF", "cut photo", "bomb"],
)
def test_other_files_are_refused(data: bytes):
    with pytest.raises(NotAnAttachmentError):
        inspect(data)
