"""Small images of squares with their masks, networks for them, and a run, made once for each test
process."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy
from PIL import Image

from .small import trained

NETWORK = """
network Tiny {{
  input 3x{height}x{width}
  conv 8 3x3 same, bn
  one: relu
  pool max 2x2
  conv 16 3x3 same, bn, relu
  upsample 2
  concat {{ | | from one }}
  conv 16 3x3 same, bn, relu
  conv {classes} 1x1
}}
"""
SIZE = 24, 32


def spec(train: str, height: int = SIZE[0], width: int = SIZE[1], classes: str = "classes") -> str:
    return NETWORK.format(height=height, width=width, classes=classes) + f"train {{\n{train}\n}}\n"


def save(path: Path, pixels: numpy.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def squares(seed: int, size: tuple[int, int] = SIZE) -> tuple[numpy.ndarray, numpy.ndarray]:
    """A dark image with a red and a blue square, and the mask of them."""
    random = numpy.random.default_rng(seed)
    image = random.integers(0, 60, (*size, 3)).astype(numpy.uint8)
    mask = numpy.zeros(size, numpy.uint8)
    for number, color in ((1, (200, 50, 50)), (2, (50, 50, 220))):
        top, left = random.integers(0, size[0] - 9), random.integers(0, size[1] - 9)
        mask[top : top + 9, left : left + 9] = number
        image[top : top + 9, left : left + 9] = color
    return image, mask


def write_set(root: Path, layout: str = "{part}/images/{name}.png {part}/masks/{name}.png") -> Path:
    of_images, of_masks = layout.split()
    for part, count in (("train", 12), ("val", 4)):
        for number in range(count):
            image, mask = squares(number + 100 * len(part))
            save(root / of_images.format(part=part, name=number), image)
            save(root / of_masks.format(part=part, name=number), mask)
    return root


_KEPT: list[TemporaryDirectory[str]] = []


@cache
def mask_run() -> Path:
    """The folder of a run that has learned squares: tests must not change it. Its data is in
    `data` beside it."""
    _KEPT.append(TemporaryDirectory())
    root = Path(_KEPT[0].name)
    write_set(root / "data")
    (root / "data" / "classes.txt").write_text("background\nred\nblue\n")
    train = f'data folder "{root / "data"}"\nepochs 6\nbatch 4\noptimizer adamw lr=2e-2'
    trained(root / "run", spec(train))
    return root / "run"
