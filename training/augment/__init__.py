"""Data augmentation: applies the `augment` directives of a plan to whole batches, on their device.

    augment = augmenter(plan, preparation)
    images, labels = augment(batch.images, batch.labels, batch.indices, epoch)

build.py      builds the augmentation module from a plan; module.py: the module itself
registry.py   which code implements which directive: `@implements(Rotate, WARP)`
geometry.py   passes that move pixels: transforms.py (directives as matrices), homography.py
              (matrices), warp.py (one interpolation for all of them), flip_and_crop.py (copying)
color.py      brightness, contrast, saturation, grayscale and PCA as color matrices; hue
area_resize.py  gaussian.py  noise.py  erase.py  mix.py  policies.py     the other passes
random_crop.py  random crops of whole images, when their files are read
per_image.py  runs passes on a few images at a time, which fit into the cache
random_numbers.py  reproducible random numbers for each image; noise_table.py: a table of noise
entries.py    arithmetic with values that are the same for the whole batch, or one for each image
sheet.py      the contact sheet of `cnn augment`; sheet_png.py, sheet_page.py: as PNG, as HTML

Which directives are fused into one pass is decided without torch, in compiler/plan/fusion.py.
"""

from .build import augmenter
from .module import Augmenter

__all__ = ["Augmenter", "augmenter"]
