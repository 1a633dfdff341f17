"""The part of an inference script that reads images of several bands, or of more than 8 bits: as
`data/images/bands.py` does, with tifffile where Pillow would lose something."""

from __future__ import annotations

from ..data.images.preprocessing import Preparation


def of_bands(preparation: Preparation) -> bool:
    """Whether a script needs it."""
    return preparation.depth > 8 or preparation.channels not in (1, 3)


def load_bands(preparation: Preparation) -> str:
    """The functions that read an image file."""
    deep = preparation.depth > 8
    to_colors = preparation.channels in (1, 3)
    load = _LOAD.format(
        kind="levels from 0 to 255" if deep else "bytes",
        convert=_TO_COLORS_CALL if to_colors else "",
        channels=preparation.channels,
    )
    pieces = [load, _READ, _OF_TIFF, _NEEDS_TIFFFILE, _UPRIGHT]
    pieces += [_DEEP_PNG, _LEVELS] if deep else [_BYTES]
    if not deep:
        pieces[1] = _READ.replace(_PNG_BRANCH, "")
    if to_colors:
        pieces.append(_TO_GRAY if preparation.channels == 1 else _TO_RGB)
    return "\n\n\n".join(piece.strip("\n") for piece in pieces)


_LOAD = '''
def load(path):
    """Reads an image file as {kind}, height x width x {channels} bands: those of all its pages."""
    bands, alpha = read_bands(path)
    pixels = np.stack([in_range(band) for band in bands], axis=2)
{convert}    if pixels.shape[2] != {channels}:
        raise ValueError(f"{{pixels.shape[2]}} bands, but the network takes {channels}")
    return pixels
'''
_TO_COLORS_CALL = "    pixels = to_colors(pixels, alpha)\n"

_PNG_BRANCH = """\
    if start[:4] == b"\\x89PNG" and start[24] == 16 and start[25] in (2, 6):
        return deep_png(path), start[25] == 6
"""
_READ = (
    '''
def read_bands(path):
    """The bands of a file, in the number type of the file; and whether the last is the opacity."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # it would tell of many bands
    with open(path, "rb") as file:
        start = file.read(26)
'''
    + _PNG_BRANCH
    + """\
    try:
        image = Image.open(path)
    except OSError:
        if start[:3] not in (b"II*", b"MM\\0", b"II+"):
            raise
        return tiff_bands(path), False  # of more bands than Pillow knows
    if needs_tifffile(image):
        tags = image.tag_v2
        alpha = tags.get(277, 1) in (2, 4) and np.ravel(tags.get(338, 0))[-1] in (1, 2)
        return tiff_bands(path), alpha
    bands, alpha = [], False
    for page in ImageSequence.Iterator(image):
        page = upright(page)
        alpha = alpha or page.mode in ("LA", "RGBA")
        pixels = np.asarray(page)
        if page.mode == "I" and image.format != "TIFF":  # 16 bits, in a wider type
            pixels = pixels.clip(0, 65535).astype(np.uint16)
        bands += list(np.moveaxis(np.atleast_3d(pixels), 2, 0))
    return bands, alpha
"""
)
_OF_TIFF = """
def tiff_bands(path):
    import tifffile

    bands = []
    with tifffile.TiffFile(path) as file:
        for page in file.pages:
            if page.shape[:2] == file.pages[0].shape[:2] or page.shape == file.pages[0].shape:
                pixels = page.asarray()
                first = pixels.ndim == 2 or pixels.shape[0] == page.samplesperpixel
                bands += [pixels] if pixels.ndim == 2 else list(
                    pixels if first else np.moveaxis(pixels, 2, 0)
                )
    return bands
"""
_NEEDS_TIFFFILE = '''
def needs_tifffile(image):
    """Whether Pillow would lose bits or bands of a TIFF."""
    if image.format != "TIFF":
        return False
    tags = image.tag_v2
    bands, bits = tags.get(277, 1), max(np.ravel(tags.get(258, 1)))
    alpha = bands in (2, 4) and np.ravel(tags.get(338, 0))[-1] in (1, 2)
    colors = bands in (1, 3) or alpha or (bands == 4 and tags.get(262) == 5)
    return not ((colors and bits <= 8) or (bands == 1 and bits == 16))
'''
_UPRIGHT = '''
def upright(image):
    """The image in a mode whose bands are its channels, turned upright by its EXIF orientation."""
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode in ("1", "YCbCr", "LAB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return ImageOps.exif_transpose(image)
'''
_DEEP_PNG = '''
def deep_png(path):
    """The 16 bits of a PNG in color, of which Pillow reads 8: first the high ones, then the low."""
    halves = []
    for low in (False, True):
        image = Image.open(path)
        (tile,) = image.tile
        if low:
            image.tile = [(*tile[:3], tile[3].replace("16B", "16L"))]
        halves.append(np.asarray(ImageOps.exif_transpose(image)).astype(np.uint16))
    return list(np.moveaxis(halves[0] * 256 + halves[1], 2, 0))
'''
_LEVELS = '''
def in_range(band):
    """A band as levels: 255 is white, which is 65,535 of 16 bits, and 1 of floats and the like."""
    if band.dtype == np.uint8:
        return band.astype(np.float32)
    by = 1 / 257 if band.dtype.newbyteorder("=") == np.uint16 else 255
    levels = (band.astype(float) * by).astype(np.float32)
    if not np.isfinite(levels).all():
        raise ValueError("some of its values are NaN or infinite")
    return levels
'''
_BYTES = '''
def in_range(band):
    """A band as bytes; 16 bits are rounded."""
    if band.dtype.newbyteorder("=") == np.uint16:
        return np.rint(band / 257).astype(np.uint8)
    if band.dtype != np.uint8:
        raise ValueError(f"it has bands of {band.dtype}, but the network takes bytes")
    return band
'''
_TO_COLORS = '''
def to_colors(pixels, alpha):
    """{what}, transparent pixels blended with white."""
    if pixels.shape[2] == {channels}:
        return pixels
    if alpha:
        opacity = pixels[..., -1:] / 255
        pixels = (pixels[..., :-1] * opacity + 255 * (1 - opacity)).astype(np.float32)
{convert}    return pixels
'''
_TO_RGB = _TO_COLORS.format(
    what="Three channels",
    channels=3,
    convert="    if pixels.shape[2] == 1:\n        pixels = np.repeat(pixels, 3, axis=2)\n",
)
_TO_GRAY = _TO_COLORS.format(
    what="One channel",
    channels=1,
    convert="    if pixels.shape[2] == 3:\n"
    "        pixels = pixels @ np.array([[0.299], [0.587], [0.114]], dtype=np.float32)\n",
)
