"""Image files of every format that is read: JPEG, PNG, WebP, GIF, TIFF, BMP, PPM."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy
from PIL import Image

from dotcnn.training.data.images.decode import decode
from dotcnn.training.data.images.image_file import BadImage, quiet
from fuzz.frame import Target, register


def read_image(data: bytes) -> str:
    """As training, prediction and the check of files do, in grey and in colours."""
    said = []
    with quiet():
        for channels in (1, 3):
            try:
                said.append(str(decode(data, channels).shape))
            except BadImage as error:
                said.append(error.reason)
    return "\n".join(said)


def image_files() -> Sequence[bytes]:
    random = numpy.random.default_rng(0)
    color = Image.fromarray(random.integers(0, 256, (9, 12, 3)).astype(numpy.uint8))
    deep = Image.fromarray(random.integers(0, 65536, (5, 7)).astype(numpy.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    saved = [
        (color, "JPEG", {"exif": exif}),
        (color.convert("L"), "JPEG", {"progressive": True}),
        (color.convert("CMYK"), "JPEG", {}),
        (color, "PNG", {}),
        (color.convert("RGBA"), "PNG", {"exif": exif}),
        (color.convert("P"), "PNG", {"transparency": 3}),
        (deep, "PNG", {}),
        (color, "WEBP", {}),
        (color.convert("RGBA"), "WEBP", {"lossless": True}),
        (color, "GIF", {}),
        (color, "GIF", {"save_all": True, "append_images": [color.rotate(90)]}),
        (color, "TIFF", {}),
        (color, "TIFF", {"compression": "tiff_lzw"}),
        (color, "TIFF", {"compression": "jpeg"}),
        (deep, "TIFF", {"compression": "tiff_adobe_deflate"}),
        (color.convert("F"), "TIFF", {}),
        (color.convert("LAB"), "TIFF", {}) if hasattr(color, "lab") else (color, "TIFF", {}),
        (color, "BMP", {}),
        (color.convert("1"), "PPM", {}),
        (color, "PPM", {}),
    ]
    found = []
    for image, kind, options in saved:
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        found.append(stream.getvalue())
    return found


WORDS = [
    b"\xff\xd8", b"\xff\xd9", b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"\xff\xe1", b"Exif\0\0",
    b"\x89PNG\r\n\x1a\n", b"IHDR", b"IDAT", b"iTXt", b"zTXt", b"iCCP", b"tRNS", b"PLTE", b"IEND",
    b"acTL", b"RIFF", b"WEBPVP8 ", b"VP8L", b"VP8X", b"ANIM", b"GIF89a", b"\x21\xf9\x04", b"II*\0",
    b"MM\0*", b"II+\0", b"P5\n", b"P6\n", b"65535\n", b"#", b"BM", b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff", b"\0\0\0\0",
]  # fmt: skip

register(Target("image", read_image, image_files, WORDS))
