"""The kinds of passes over a batch that augmentations are part of, and what passes cost."""

from __future__ import annotations

from typing import NamedTuple

Size = tuple[int, int]
"""Height and width."""

Fill = str | tuple[float, ...]
"""`nearest`, `reflect`, `mirror`, or levels from 0 to 255, one or one for each channel."""

INSIDE = "inside"
"""Instead of a fill: pixels outside the image are never read."""


class PassKind(NamedTuple):
    """A kind of pass over a batch of images."""

    name: str
    family: str
    """Directives join a directly preceding pass of the same family, or `explain` says why not."""
    title: str
    clips: bool = False
    """Whether values are clipped to 0..255 after it."""
    alone: str = ""
    """Why two in a row of this kind are two passes; "" if they are combined.

    `{before}` is the word of the first.
    """


MOVE = PassKind("move", "geometry", "pixels are moved without interpolation")
WARP = PassKind(
    "warp", "geometry", "pixels are moved: one matrix and one interpolation for each image"
)
RESIZE = PassKind("resize", "geometry", "images are resized, averaging over pixels")
COLOR = PassKind("color", "color", "colors", clips=True)
HUE = PassKind("hue", "color", "hues are rotated")
NOISE = PassKind(
    "noise", "noise", "noise", clips=True,
    alone="values are clipped to 0..255 after the first one",
)  # fmt: skip
BLUR = PassKind(
    "blur", "blur", "blur",
    alone="each image has its own kernel, and images are blurred one after the other",
)  # fmt: skip
ERASE = PassKind(
    "erase", "erase", "a rectangle is erased", alone="rectangles are erased one after the other"
)
POLICY = PassKind(
    "policy", "policy", "random operations from a list",
    alone="the operations are drawn separately for each image",
)  # fmt: skip
MIX = PassKind(
    "mix", "mix", "images are mixed, and their labels",
    alone="`{before}` mixes the images first",
)  # fmt: skip


class Cost(NamedTuple):
    """The cost of a pass, for one image."""

    macs: int
    bytes: int
    """Bytes read and written, with four bytes per element."""


class ColorChange(NamedTuple):
    """A linear change of colors, which can be combined into a matrix."""

    name: str
    largest: float
    """Its largest factor: if above 1, values may leave 0..255."""
    mixes_channels: bool = False
    """Whether it mixes the channels of a pixel."""
    needs_mean: bool = False
    """Whether it needs the mean of the image."""


def numbers(size: Size, channels: int) -> int:
    """The number of elements of an image."""
    return size[0] * size[1] * channels


def kernel_size(sigma: float, times: float) -> int:
    """The width in pixels of a Gaussian kernel, an odd number: `times` the standard deviation."""
    return int(times * sigma + 1) | 1
