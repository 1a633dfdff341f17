"""Functions of exported scripts that resize images, as torch and Pillow do it."""

from __future__ import annotations

from collections.abc import Iterator

from ..data.images.preprocessing import Preparation


def resize_functions(preparation: Preparation) -> Iterator[str]:
    """The function `resize`, and those that it calls."""
    if preparation.fit.mode == "nearest":
        yield _NEAREST
        return
    yield (_LEVELS if preparation.depth > 8 else _BYTES)
    yield _FILTERS[preparation.fit.mode]


def radius(preparation: Preparation) -> str:
    """The constant that the filter of `resize` needs, after others."""
    return _RADIUS.get(preparation.fit.mode, "")


_AXIS = """
def resize_axis(pixels, axis, length):
    before = pixels.shape[axis]
    if before == length:
        return pixels
    scale = before / length
    stretch = max(scale, 1.0)  # a filter covers more pixels where the image shrinks
    center = scale * (np.arange(length) + 0.5)
    first = np.maximum((center - RADIUS * stretch + 0.5).astype(int), 0)
    stop = np.minimum((center + RADIUS * stretch + 0.5).astype(int), before)
    taps = first[:, None] + np.arange((stop - first).max())
    weights = filter((taps - center[:, None] + 0.5) / stretch)
    weights[taps >= stop[:, None]] = 0
    weights /= weights.sum(axis=1, keepdims=True)
"""

_BYTES = '''
def resize(pixels, size):
    """Resizes with antialiasing: each new pixel is a weighted mean of those that it covers. As in
    torch, columns come before rows, and weights are 16-bit integers, so results are reproducible.
    """
    return resize_axis(resize_axis(pixels, 1, size[1]), 0, size[0])

'''
_BYTES += (
    _AXIS
    + """\
    bits = next((n for n in range(22) if int(0.5 + weights.max() * 2 ** (n + 1)) >= 2**15), 22)
    weights = np.trunc(weights * 2**bits + np.copysign(0.5, weights)).astype(np.int32)
    lines = np.moveaxis(pixels, axis, 0)
    total = np.full((length, *lines.shape[1:]), 1 << (bits - 1), dtype=np.int32)
    for tap, weight in zip(np.minimum(taps, before - 1).T, weights.T):
        total += lines[tap] * weight[:, None, None]
    return np.moveaxis((total >> bits).clip(0, 255).astype(np.uint8), 0, axis)
"""
)

_LEVELS = '''
def resize(pixels, size):
    """Resizes with antialiasing: each new pixel is a weighted mean of those that it covers. As in
    torch, columns come before rows."""
    return resize_axis(resize_axis(pixels, 1, size[1]), 0, size[0])

'''
_LEVELS += (
    _AXIS
    + """\
    lines = np.moveaxis(pixels, axis, 0)
    total = np.zeros((length, *lines.shape[1:]))
    for tap, weight in zip(np.minimum(taps, before - 1).T, weights.T):
        total += lines[tap] * weight[:, None, None]
    return np.moveaxis(total.astype(np.float32), 0, axis)
"""
)

_NEAREST = '''
def resize(pixels, size):
    """Nearest-neighbor: each new pixel is the old pixel that is nearest to its center."""
    rows, columns = (nearest(*lengths) for lengths in zip(pixels.shape, size))
    return pixels[rows][:, columns]


def nearest(before, after):
    scale = np.float32(before / after)
    places = np.floor((np.arange(after, dtype=np.float32) + np.float32(0.5)) * scale)
    return np.minimum(places.astype(int), before - 1)
'''

_RADIUS = {
    "bilinear": "\nRADIUS = 1  # of the filter for resizing, in pixels",
    "bicubic": "\nRADIUS = 2  # of the filter for resizing, in pixels",
}

_FILTERS = {
    "bilinear": '''
def filter(x):
    """A triangle: bilinear interpolation."""
    return np.maximum(1 - np.abs(x), 0)
''',
    "bicubic": '''
def filter(x):
    """Keys' cubic with a = -0.5: bicubic interpolation."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))
''',
}
