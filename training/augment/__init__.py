"""Augmentation: the directives of a plan, done to whole batches on the device that they are on.

    augment = augmenter(plan, preparation)
    images, labels = augment(batch.images, batch.labels, batch.indices, epoch)

build.py      the module from a plan and its preprocessing; module.py: the module itself
registry.py   which code does which directive: `@implements(Rotate, WARP)`
geometry.py   passes that move pixels: transforms.py (directives as matrices), homography.py
              (matrices), warp.py (one interpolation for all of them), flip_and_crop.py (copying)
color.py      matrices of colours for each image; hue
area_resize.py  gaussian.py  noise.py  erase.py  mix.py  policies.py     the other passes
per_image.py  passes done to a few images at a time, which fit into the cache
random_numbers.py  random numbers that belong to an image; noise_table.py: noise, drawn once
entries.py    numbers that are the same for all images, or one for each
sheet.py      what `cnn augment` shows; sheet_png.py, sheet_page.py: as a picture, as a page

Which directives are done together is decided without torch, in compiler/plan/fusion.py.
"""

from .build import augmenter
from .module import Augmenter

__all__ = ["Augmenter", "augmenter"]
