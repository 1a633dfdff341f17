"""Small data sets for tests, and specs that open them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.network import Network
from dotcnn.compiler.plan import TrainPlan, plan
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.program import Program, load_program
from dotcnn.dsl.source import Source
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.data.sources.count_classes import classes_for


def colour(place: int) -> tuple[int, int, int]:
    """A color for each number; they differ."""
    return place * 37 % 256, place * 91 % 256, place * 151 % 256


def picture(place: int = 0, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Image.Image:
    """An image of one color, with another color in its upper left quarter."""
    image = Image.new("RGB", size, colour(place))
    image.paste(colour(place + 100), (0, 0, size[0] // 2, size[1] // 2))
    return image.convert(mode)


def fill(
    root: Path, counts: Mapping[str, int], ending: str = "png", size: tuple[int, int] = (8, 8)
) -> Path:
    """Creates a folder with this number of images for each class."""
    for label, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for place in range(count):
            picture(place + 1000 * label, size).save(root / name / f"{place:03}.{ending}")
    return root


def spec(data: str, *, input: str = "3x8x8", head: str = "classes", more: str = "") -> Program:
    """A spec with a `data` line, which may have further lines of `train`."""
    text = (
        f"network Net {{\n  input {input}\n  conv 4 3x3 same, relu\n  pool avg global, flatten\n"
        f"  fc {head}\n}}\ntrain {{\n  data {data}\n}}\n{more}\n"
    )
    return load_program(Source("net.cnn", text))


def network(program: Program, base: Path) -> Network:
    return elaborate(program, classes=classes_for(program, base))


def planned(data: str, base: Path = Path(), **options: Any) -> TrainPlan:
    return plan(network(spec(data, **options), base))


def opened(
    data: str, base: Path = Path(), *, opening: Mapping[str, Any] = {}, **options: Any
) -> Opened:
    """The opened data of such a spec."""
    return open_data(planned(data, base, **options), base, **{"threads": 2, **opening})


def refused(data: str, base: Path = Path(), **options: Any) -> Diagnostic:
    """The single diagnostic if the data cannot be opened."""
    with pytest.raises(SpecError) as caught:
        opened(data, base, **options)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic
