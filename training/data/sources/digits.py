"""`data digits`: 1,797 images of handwritten digits that are part of this package.

digits.LICENSE.txt, beside this file, says where they come from.
"""

from __future__ import annotations

from importlib.resources import files

import numpy
import torch

from ..loader.image_source import Arrays, Contents

WHITE = 16
"""The largest pixel value: a pixel is the number of ink pixels in a block of 4x4."""


def digits() -> Contents:
    with files(__package__).joinpath("digits.npz").open("rb") as file:
        archive = numpy.load(file, allow_pickle=False)
        images = torch.from_numpy(archive["images"])
        labels = torch.from_numpy(archive["labels"])
    pixels = (images.float() * (255 / WHITE)).round().to(torch.uint8)
    return Contents(
        "digits",
        tuple("0123456789"),
        {"train": Arrays(pixels[:, None], labels.long())},
        origin="Optical Recognition of Handwritten Digits, its test part (UCI, 1998)",
        licence="CC BY 4.0",
    )
