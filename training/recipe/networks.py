"""The networks that `cnn new --data` chooses from, as text: small to large, with room for any size
of images. Their blocks are those of the gallery.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SMALL = 64
"""Images up to this side go through a network without a stem that shrinks them."""


@dataclass(frozen=True)
class Choice:
    """A network to choose."""

    what: str
    """What it is, and who described it."""
    before: str
    """What stands before the network: imports and blocks."""
    body: str
    """Its lines from the input to the end, without either."""
    medium: bool = False
    """Whether it is offered with `--size medium` only."""


def for_images(height: int, width: int) -> Iterator[Choice]:
    """Networks that answer for a whole image, with a vector of features as the last of `body`."""
    if max(height, width) <= SMALL:
        yield from _plain(height, width)
        return
    for channels in (16, 24, 32, 48, 64):
        yield _resnet("ResNet-18", [2, 2, 2, 2], channels, medium=channels > 32)
    yield _resnet("ResNet-34", [3, 4, 6, 3], 64, medium=True)


def for_masks(height: int, width: int) -> Iterator[Choice]:
    """Networks that answer for each pixel."""
    levels = levels_for(height, width)
    for channels in (8, 12, 16, 24, 32, 48, 64):
        yield _unet(channels, levels, medium=channels > 32)


def for_series(length: int) -> Iterator[Choice]:
    """Networks that answer for a whole series."""
    for channels in (32, 64, 128):
        yield _wave(channels, length) if length > LONG else _fcn(channels)


LONG = 2000
"""Longer series, like sound, are made shorter by the network, step by step."""


def for_scans() -> Iterator[Choice]:
    """Networks that answer for a whole scan."""
    for channels in (8, 16, 24, 32):
        yield _volume(channels, medium=channels > 24)


def for_points(size: tuple[int, ...]) -> Iterator[Choice]:
    """Networks that answer for each step of a series, or each voxel of a scan."""
    series = len(size) == 1
    for channels in (16, 24, 32, 48, 64) if series else (8, 12, 16, 24, 32):
        yield _unet(
            channels, levels_for(*size), medium=channels > (48 if series else 16), axes=len(size)
        )


def levels_for(*size: int) -> int:
    """How many times a U-Net halves an image, until 8 pixels are left or after four times; of a
    scan, whose slices may be few, until 4 are left or after three times."""
    if len(size) == 3:
        return max(1, min(3, (min(size) // 4).bit_length() - 1))
    return max(1, min(4, (min(size) // 8).bit_length() - 1))


# ---- small images ----------------------------------------------------------------------------

_STAGE = """\
block stage(width) {
  repeat 2 { conv width 3x3 same, bn, relu }
}"""


def _plain(height: int, width: int) -> Iterator[Choice]:
    """Stages of two convolutions, with a pool between, until few pixels are left."""
    stages = max(1, min(3 if max(height, width) <= 32 else 4, min(height, width).bit_length() - 2))
    for channels in (16, 32, 48, 64):
        lines, sides = [f"stage {channels}"], [height, width]
        for stage in range(1, stages):
            odd = any(side % 2 for side in sides)
            sides = [(side + 1) // 2 for side in sides]
            lines += ["pool max 2x2" + " ceil" * odd, f"stage {channels * 2**stage}"]
        lines += ["pool avg global, flatten", "dropout 0.2"]
        many = ["one stage", "two stages", "three stages", "four stages"][stages - 1]
        what = f"{many} of two convolutions, as in `starter` of the gallery"
        yield Choice(what, _STAGE, _lines(lines), medium=channels > 48)


# ---- photographs -----------------------------------------------------------------------------


def _resnet(name: str, depths: list[int], channels: int, *, medium: bool) -> Choice:
    stages = [(channels * 2**stage, depth, 2 if stage else 1) for stage, depth in enumerate(depths)]
    listed = ", ".join(map(str, stages))
    body = f"""\
  conv {channels} 7x7 stride=2 same, bn, relu
  pool max 3x3 stride=2 same
  for width, depth, stride in [{listed}] {{
    basic width stride=stride
    repeat depth - 1 {{ basic width }}
  }}
  pool avg global, flatten
  dropout 0.2"""
    part = _narrower(channels)
    what = f"{name}{part} (He et al., 2015, arXiv:1512.03385)"
    return Choice(what, 'import "resnet/blocks.cnn" # the block `basic`', body, medium)


# ---- pairs of images -------------------------------------------------------------------------


def for_pairs(channels: int, answered: int, enlarges: int) -> Iterator[Choice]:
    """Networks that answer with an image, as large as theirs or `enlarges` times as large."""
    for width, depth in ((16, 5), (24, 7), (32, 9), (48, 12), (64, 17)):
        lines = [f"conv {width} 3x3 same, relu"]
        lines.append(f"repeat {depth - 2} {{ conv {width} 3x3 same, bn, relu }}")
        lines.append(f"conv {answered * enlarges**2} 3x3 same")
        what = f"{depth} convolutions"
        if enlarges > 1:
            lines.append(f"pixel_shuffle {enlarges}")
            what += ", whose last channels become the pixels, as in ESPCN (arXiv:1609.05158)"
        elif channels == answered:
            lines = ["residual {", *(f"  {line}" for line in lines), "}"]
            what += (
                " that compute what is added to the image (Zhang et al., 2016, arXiv:1608.03981)"
            )
        yield Choice(what, "", _lines(lines), medium=width > 32)


# ---- series ----------------------------------------------------------------------------------


def _fcn(channels: int) -> Choice:
    lines = [
        f"conv {channels} 8 same_upper, bn, relu",
        f"conv {2 * channels} 5 same, bn, relu",
        f"conv {channels} 3 same, bn, relu",
        "pool avg global, flatten",
    ]
    part = "" if channels == 128 else f" that starts with {channels} channels, not 128"
    return Choice(
        f"The FCN of `fcn_wang`{part} (Wang et al., 2016, arXiv:1611.06455)", "", _lines(lines)
    )


def _wave(channels: int, length: int) -> Choice:
    lines = [f"conv {channels} 80 stride=4 same_upper, bn, relu", "pool max 4"]
    left, width = length // 16, channels
    while left >= 64:
        lines += [f"conv {width} 3 same, bn, relu", "pool max 4"]
        left, width = left // 4, min(4 * channels, 2 * width)
    lines += [f"conv {width} 3 same, bn, relu", "pool avg global, flatten"]
    part = "" if channels == 128 else f" that starts with {channels} channels, not 128"
    return Choice(
        f"A network like `m5`{part} (Dai et al., 2016, arXiv:1610.00087)", "", _lines(lines)
    )


# ---- scans -----------------------------------------------------------------------------------


def _volume(channels: int, *, medium: bool) -> Choice:
    lines = [f"conv {channels} 3 stride=2 same, bn, relu"]
    for stage in range(3):
        lines += [f"stage {channels * 2**stage}", "pool max 2 ceil"]
    lines = [*lines[:-1], "pool avg global, flatten", "dropout 0.2"]
    block = _STAGE.replace("3x3", "3")
    return Choice("Stages of two convolutions along three axes", block, _lines(lines), medium)


# ---- masks -----------------------------------------------------------------------------------

_TWICE = """\
block twice(width) {
  conv width 3x3 same, bn, relu
  conv width 3x3 same, bn, relu
}"""


def _unet(channels: int, levels: int, *, medium: bool, axes: int = 2) -> Choice:
    three, two = ("3x3", "2x2") if axes == 2 else ("3", "2")
    lines = []
    for level in range(levels):
        lines += [f"level{level + 1}: twice {channels * 2**level}", f"pool max {two}"]
    lines.append(f"twice {channels * 2**levels}")
    for level in reversed(range(levels)):
        width = channels * 2**level
        lines += [f"deconv {width} {two} stride=2", f"concat level{level + 1}, twice {width}"]
    part = _narrower(channels)
    what = f"{_UNETS[axes][0]}{part} ({_UNETS[axes][1]})"
    return Choice(what, _TWICE.replace("3x3", three), _lines(lines), medium)


_UNETS = {
    1: ("a U-Net of series", "as that of Ronneberger et al., 2015, arXiv:1505.04597, for images"),
    2: ("a U-Net", "Ronneberger et al., 2015, arXiv:1505.04597"),
    3: ("a 3D U-Net", "Çiçek et al., 2016, arXiv:1606.06650"),
}


def _lines(lines: list[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _narrower(channels: int) -> str:
    return "" if channels == 64 else f" that starts with {channels} channels, not 64"


def nearest(length: float, multiple: int) -> int:
    """The multiple that is nearest to a length, at least one."""
    return max(multiple, multiple * round(length / multiple))
