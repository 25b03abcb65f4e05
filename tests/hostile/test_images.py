"""Damaged and hostile images in a folder."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hostile_support import disguised, face, limits, mutants
from PIL import Image

from mininet.datasets import ImageFolder

SIZE = 16
PIXELS = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
FORMATS = {"png": "PNG", "jpg": "JPEG", "bmp": "BMP", "ppm": "PPM", "webp": "WEBP"}


def encoded(image, kind, **keywords):
    file = io.BytesIO()
    image.save(file, FORMATS.get(kind, kind), **keywords)
    return file.getvalue()


def reader(folder, name, content=b""):
    """The path of the folder's only image, and a function that reads it."""
    path = folder / "class" / name
    path.parent.mkdir()
    path.write_bytes(content)
    data = ImageFolder(folder, SIZE)
    return path, lambda: data[0]


def decoded(content):
    """The image as Pillow gives it when nothing else is asked, where its size needs no change."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGBA").convert("RGB")) if image.size == (SIZE, SIZE) else None


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_images(tmp_path, kind):
    whole = encoded(Image.fromarray(PIXELS), kind)
    path, read = reader(tmp_path, f"image.{kind}", whole)
    pristine = read()
    assert np.array_equal(pristine, decoded(whole))

    def right(found, content):
        if kind == "png":  # its parts have check sums
            return np.array_equal(found, pristine)
        expected = decoded(content)  # the others have none, and a changed pixel is read as it stands
        return found.shape == (SIZE, SIZE, 3) and (expected is None or np.array_equal(found, expected))

    cases = [*mutants(whole, 14), *disguised(tmp_path / "was_run")]
    read_well, tried = face(path, cases, read, right)
    assert read_well < tried
    assert not (tmp_path / "was_run").exists()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width=SIZE, height=SIZE, depth=8, colours=2, data=None, *extra):
    """A PNG file whose parts are as wanted, all with good check sums."""
    rows = zlib.compress((b"\0" + b"\x80" * 3 * SIZE) * SIZE) if data is None else data
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def hostile():
    zeros = zlib.compress(bytes(2**24))
    for width, height in ((2**31 - 1, 2**31 - 1), (0, SIZE), (13_000, 13_000)):
        yield f"PNG of {width}x{height}", png(width, height, data=zeros)
    yield "PNG shorter than its size", png(1000, 1000)
    yield "PNG of 16 bits of grey", encoded(Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 256), "png")
    yield "PNG with a bomb in a text", png(SIZE, SIZE, 8, 3, None, chunk(b"zTXt", b"name\0\0" + zeros))
    jpeg, bmp = bytearray(encoded(Image.fromarray(PIXELS), "jpg")), encoded(Image.fromarray(PIXELS), "bmp")
    yield "half a JPEG", jpeg[: len(jpeg) // 2]
    place = jpeg.index(b"\xff\xc0")
    jpeg[place + 5 : place + 9] = struct.pack(">HH", 65_500, 65_500)
    yield "JPEG of 65500x65500", bytes(jpeg)
    for size in ("99999999 99999999", "-1 16", "9" * 5000 + " 1"):
        yield f"PPM of {size[:20]}", f"P6\n{size}\n255\n".encode() + bytes(768)
    for size in (-(10**6), 2**31 - 1):
        yield f"BMP {size} wide", bmp[:18] + struct.pack("<i", size) + bmp[22:]
    yield "TIFF by another name", encoded(Image.fromarray(PIXELS), "TIFF")
    yield "SVG", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'


def test_hostile_images(tmp_path):
    path, read = reader(tmp_path, "image.png")
    cases = list(hostile())
    assert face(path, cases, read) == (0, len(cases))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes among the files")
def test_what_is_no_file_is_no_image(tmp_path):
    folder = reader(tmp_path, "image.png")[0].parent
    (folder / "a.png").mkdir()
    os.mkfifo(folder / "b.png")
    os.mkfifo(tmp_path / "pipe")
    with limits():
        data = ImageFolder(tmp_path, SIZE)
    assert (len(data), data.classes) == (1, ["class"])
