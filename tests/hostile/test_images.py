"""Damaged and hostile images in a folder."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hostile_support import disguised, face, limits, listing, mutants
from PIL import Image

from mininet.datasets import ImageFolder

SIZE = 16
PIXELS = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
FORMATS = {"png": "PNG", "jpg": "JPEG", "bmp": "BMP", "ppm": "PPM", "webp": "WEBP"}


def encoded(image, kind, **keywords):
    file = io.BytesIO()
    image.save(file, FORMATS[kind], **keywords)
    return file.getvalue()


def path_in(tmp_path, name):
    path = tmp_path / "class" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    return path


def reader(tmp_path):
    data = ImageFolder(tmp_path, SIZE)
    return lambda: data[0]


def decoded(content):
    """The image as Pillow gives it when nothing else is asked, where its size needs no change."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGBA").convert("RGB")) if image.size == (SIZE, SIZE) else None


@pytest.mark.parametrize(("kind", "mode"), [*((kind, "RGB") for kind in FORMATS), ("png", "P"), ("png", "L")])
def test_damaged_images(tmp_path, kind, mode):
    path = path_in(tmp_path, f"image.{kind}")
    whole = encoded(Image.fromarray(PIXELS).convert(mode), kind)
    path.write_bytes(whole)
    read = reader(tmp_path)
    pristine = read()
    assert np.array_equal(pristine, decoded(whole))

    def right(found, content):
        if kind == "png":  # its parts have check sums
            return np.array_equal(found, pristine)
        expected = decoded(content)  # the others have none, and a changed pixel is read as it stands
        return found.shape == (SIZE, SIZE, 3) and (expected is None or np.array_equal(found, expected))

    cases = [*mutants(whole, 14, 400 if mode != "RGB" else 1000), *disguised(tmp_path / "was_run")]
    read_well, tried = face(path, cases, read, right, (ValueError,), least=400)
    assert read_well < tried
    assert not (tmp_path / "was_run").exists()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width=SIZE, height=SIZE, depth=8, colours=2, data=None, *extra):
    """A PNG file whose parts are as wanted, all with good check sums."""
    rows = zlib.compress((b"\0" + b"\x80" * 3 * SIZE) * SIZE) if data is None else data
    header = struct.pack(">IIBBBBB", width & 0xFFFFFFFF, height & 0xFFFFFFFF, depth, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def with_jpeg_size(width, height):
    content = bytearray(encoded(Image.fromarray(PIXELS), "jpg"))
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def hostile():
    zeros = zlib.compress(bytes(2**24))
    assert len(zeros) < 2**15
    for width, height in ((2**31 - 1, 2**31 - 1), (2**31, 1), (2**32 - 1, 2**32 - 1), (10**5, 10**5), (0, 0), (0, SIZE),
                          (SIZE, 0), (2**31 - 1, 1), (1, 2**31 - 1), (-1, SIZE), (13_000, 13_000)):  # fmt: skip
        yield f"PNG of {width}x{height}", png(width, height, data=zeros)
    yield "PNG shorter than its size", png(1000, 1000)
    yield "PNG without pixels", png(data=zlib.compress(b""))
    yield "PNG with broken pixels", png(data=b"\xff" * 100)
    yield "PNG that unpacks to something else", png(data=zlib.compress(b"\xff" * 10_000))
    yield "PNG of 16 bits of grey", encoded(Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 256), "png")
    for depth, colours in ((8, 1), (8, 5), (3, 2), (16, 3), (255, 255), (0, 0), (4, 2)):
        yield f"PNG of depth {depth} and colours {colours}", png(depth=depth, colours=colours)
    for kind in (b"zTXt", b"iTXt", b"iCCP"):
        bomb = b"name\0" + (b"\1\0\0\0" if kind == b"iTXt" else b"\0") + zeros
        yield f"PNG with a bomb in {kind.decode()}", png(SIZE, SIZE, 8, 3, None, chunk(kind, bomb))
    yield "PNG without a palette", png(SIZE, SIZE, 8, 3)
    yield "PNG with a long palette", png(SIZE, SIZE, 8, 3, None, chunk(b"PLTE", bytes(3000)))
    for width, height in ((65_500, 65_500), (0, 16), (16, 0)):
        yield f"JPEG of {width}x{height}", with_jpeg_size(width, height)
    whole = encoded(Image.fromarray(PIXELS), "jpg")
    yield "half a JPEG", whole[: len(whole) // 2]
    yield "a JPEG without tables", whole.replace(b"\xff\xdb", b"\xff\xfe")
    for size in ("99999999 99999999", "-1 16", "0 0", "9" * 5000 + " 1", "16 16 65536\n", "1e3 16", "# no end"):
        yield f"PPM of {size[:20]}", f"P6\n{size}\n255\n".encode() + bytes(768)
    yield "PPM in text", b"P3\n16 16\n255\n" + b"999 " * 768
    for size in (-(10**6), 2**31 - 1, -(2**31), 0, 100_000):
        bmp = encoded(Image.fromarray(PIXELS), "bmp")
        yield f"BMP {size} wide", bmp[:18] + struct.pack("<i", size) + bmp[22:]
        yield f"BMP {size} high", bmp[:22] + struct.pack("<i", size) + bmp[26:]
    image = Image.fromarray(PIXELS)
    for other in ("TIFF", "GIF", "PCX", "TGA", "ICO", "EPS", "PDF"):
        file = io.BytesIO()
        image.save(file, other)
        yield f"{other} by another name", file.getvalue()
    yield "PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n(/tmp/x) (w) file\n"
    yield "SVG", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'


def test_hostile_images(tmp_path):
    path = path_in(tmp_path, "image.png")
    cases = list(hostile())
    read_well, tried = face(path, cases, reader(tmp_path), lambda *_: False, (ValueError,), least=0)
    assert (read_well, tried) == (0, len(cases))


def test_unusual_images_are_read(tmp_path):
    path = path_in(tmp_path, "image.png")
    read, first = reader(tmp_path), Image.fromarray(PIXELS)
    others = [Image.fromarray(255 - PIXELS)] * 2
    grey = np.asarray(first.convert("L"))
    palette = first.quantize(16)
    see_through = first.convert("RGBA")
    see_through.putalpha(7)
    wide = b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in PIXELS)  # 16 bits of each colour
    text = chunk(b"tEXt", b"Comment\0" + b"x" * 10_000)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in PIXELS))
    for what, content, expected in (
        ("animated PNG", encoded(first, "png", save_all=True, append_images=others), PIXELS),
        ("animated WEBP", encoded(first, "webp", save_all=True, append_images=others, lossless=True), PIXELS),
        ("palette", encoded(palette, "png"), np.asarray(palette.convert("RGB"))),
        ("transparent palette", encoded(palette, "png", transparency=b"\0\x80"), np.asarray(palette.convert("RGB"))),
        ("transparent", encoded(see_through, "png"), PIXELS),
        ("grey", encoded(first.convert("L"), "png"), np.stack([grey] * 3, axis=2)),
        ("16 bits of each colour", png(depth=16, data=zlib.compress(wide)), PIXELS),
        ("with a text", png(SIZE, SIZE, 8, 2, rows, text), PIXELS),
        ("with something after its end", png(data=rows) + b"more", PIXELS),
        ("in two pieces", png(SIZE, SIZE, 8, 2, rows[50:], chunk(b"IDAT", rows[:50])), PIXELS),
    ):
        path.write_bytes(content)
        assert np.array_equal(read(), expected), what


def test_pixels_of_a_png_are_checked(tmp_path):
    path = path_in(tmp_path, "image.png")
    whole = png(data=zlib.compress(b"".join(b"\0" + row.tobytes() for row in PIXELS), level=0))
    start = whole.index(b"IDAT") + 20
    cases = [
        (f"bit {bit} of byte {place}", whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        for place in range(start, len(whole) - 12, 7) for bit in range(8)
    ]  # fmt: skip
    assert face(path, cases, reader(tmp_path), lambda *_: False, (ValueError,), least=0) == (0, len(cases))


def test_what_is_no_file_any_more(tmp_path):
    path = path_in(tmp_path, "image.png")
    path.write_bytes(png())
    read = reader(tmp_path)
    links = [lambda target=target: path.symlink_to(target) for target in (path, "/dev/zero", "nowhere")]
    for make in (path.mkdir, lambda: os.mkfifo(path), *links):
        path.rmdir() if path.is_dir() else path.unlink()
        make()
        before = listing(tmp_path)
        with limits(), pytest.raises(ValueError, match=r"image\.png"):
            read()
        assert listing(tmp_path) == before


def test_what_is_no_file_is_no_image(tmp_path):
    folder = path_in(tmp_path, "image.png").parent
    (folder / "a.png").mkdir()
    os.mkfifo(folder / "b.png")
    (folder / "c.png").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    with limits():
        data = ImageFolder(tmp_path, SIZE)
        assert (len(data), data.classes) == (1, ["class"])
        (folder / "d.png").symlink_to("d.png")
        with pytest.raises(OSError, match=r"d\.png"):
            ImageFolder(tmp_path, SIZE)
