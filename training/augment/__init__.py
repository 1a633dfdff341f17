"""Data augmentation: applies the `augment` directives of a plan to whole batches, on their device.

    augment = augmenter(plan, preparation)
    images, labels = augment(batch.images, batch.labels, batch.indices, epoch)

build.py      builds the augmentation module from a plan; module.py: the module itself
registry.py   which code implements which directive: `@implements(Rotate, WARP)`
geometry.py   passes that move pixels: transforms.py (directives as matrices), homography.py
              (matrices), warp.py (one interpolation for all of them), flip_and_crop.py (copying)
color.py      brightness, contrast, saturation, grayscale and PCA as color matrices; hue
area_resize.py  gaussian.py  noise.py  erase.py  mix.py  policies.py     the other passes
random_crop.py  random crops of whole images, when their files are read; random_part.py: of series
series_module.py  the module for series: series_passes.py (their passes), and the spectrogram
per_image.py  runs passes on a few images at a time, which fit into the cache
random_numbers.py  reproducible random numbers for each image; noise_table.py: a table of noise
entries.py    arithmetic with values that are the same for the whole batch, or one for each image
sheet.py      the contact sheet of `cnn augment`; sheet_png.py, sheet_page.py: as PNG, as HTML

Series and scans (plans that `has_samples`: samples of one or three axes) get another module from
`augmenter`, called in the same way:

    module(samples, labels, indices, epoch) -> (input of the network, labels)

- `samples` are N x C x L (or N x C x D x H x W), float32, int16 or uint8, in the units of the data,
  at the size that the plan's sample has: longer ones were cropped at random when they were read
  (random_part.py), shorter ones padded. They are not changed.
- `preparation.normalized(samples)` is float32 of the same shape: mean 0 and deviation 1 by channel
  (`normalize measured`), or of each series (`normalize each`). Changes act on that, so that amounts
  are in deviations.
- `preparation.prepare(samples)` is what an evaluation does instead of it: `normalized`, then what
  turns samples into the network's input, if the plan says so (a spectrogram). An augmentation may
  act before and after that. Where they differ in shape, `TrainPlan.sample` is the shape of the
  sample, and `TrainPlan.input` that of the network's input.
- `guests` is how many samples more than it returns it gets, for mixing. Random numbers come from
  seed, epoch and index (random_numbers.py), so that a run is resumed to the bit.

Which directives are fused into one pass is decided without torch, in compiler/plan/fusion.py.
"""

from .build import augmenter
from .module import Augmenter

__all__ = ["Augmenter", "augmenter"]
