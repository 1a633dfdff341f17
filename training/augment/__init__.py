"""Augmentation: the directives of a plan, done to whole batches where they are.

    augment = augmenter(plan, preparation)
    images, labels = augment(batch.images, batch.labels, batch.indices, epoch)

make.py       from a plan and what becomes of pixels to a module; module.py: the module
draws.py      random numbers that belong to an image; table.py: noise, drawn once
entries.py    numbers that are the same for all images, or one for each
geometry.py   passes that move pixels: turns.py (directives as matrices), homography.py (matrices),
              warp.py (one look for all of them), moves.py (flips and cuts alone), resize.py
colours.py    matrices of colours for each image; hue
noise.py  bells.py  erase.py  mix.py  policies.py     the rest
alone.py      passes done to a few images at a time, so that they stay in the cache
sheet.py      what `cnn augment` shows; sheet_png.py, sheet_page.py: as a picture, as a page

Which directives are done together is decided without torch, in compiler/plan/fusion.py.
"""

from .build import augmenter
from .module import Augmenter

__all__ = ["Augmenter", "augmenter"]
