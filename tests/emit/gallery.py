"""The networks of the gallery, compiled once for all tests that look at them."""

from __future__ import annotations

import re
from functools import cache

import dotcnn
from dotcnn.compiler.network import Network
from dotcnn.compiler.shapes import Shape
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.program import GALLERY

NAMES = tuple(
    sorted(path.stem for path in GALLERY.rglob("*.cnn") if "\nnetwork " in path.read_text("utf-8"))
)
"""Without the files that hold blocks and no network."""


@cache
def network(name: str) -> Network:
    return dotcnn.compile(name)


@cache
def source(name: str) -> str:
    return dotcnn.emit(network(name))


SIDES = (32, 64, 96, 107, 160, 188, 224, 299)
FEW = (8, 16)
"""For images that are small anyway, whose networks are the deepest."""


def narrow_unet() -> Network:
    """With fewer filters: its crops fit images of 572 pixels only."""
    (path,) = GALLERY.rglob("unet.cnn")
    text = path.read_text(encoding="utf-8")
    fewer = re.sub(r"\b(twice|deconv) (\d+)", lambda m: f"{m[1]} {int(m[2]) // 16}", text)
    return dotcnn.compile(fewer)


def shortened(name: str, shape: Shape) -> Network:
    """A series, or volumes of fewer pixels, as few of some as the network allows."""
    depth = shape[1:-2]
    for part in (8, 4, 2):
        sides = [max(side // part, min(side, 8)) for side in shape[1 + len(depth) :]]
        try:
            return dotcnn.compile(name, input=(shape[0], *depth, *sides))
        except SpecError:
            continue
    return network(name)


def small(name: str) -> Network:
    """For an image as small as the network allows."""
    if name == "unet":
        return narrow_unet()
    full = network(name)
    if len(full.inputs) > 1:  # their sizes are parameters
        return dotcnn.compile(name, parameters={"side": 160 if name == "two_stream" else 105})
    if len(full.input.shape) != 3:
        return shortened(name, full.input.shape)
    for side in SIDES if full.input.shape[1] > SIDES[0] else FEW:
        if side >= full.input.shape[1]:
            break
        try:
            return dotcnn.compile(name, input=(full.input.shape[0], side, side))
        except SpecError:
            continue
    return full
