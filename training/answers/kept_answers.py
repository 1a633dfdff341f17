"""What is kept of the answers to each image, by the kind of answer.

A class:    the five most probable classes with their probabilities, the loss of the image, and the
            rank of its true class
Tags:       the logit of every class, and which classes the image has
Numbers:    the numbers, and the true ones
Masks:      the mean IoU of the image
Images:     the PSNR of the image

So an image takes 8 bytes for its identity, up to 30 for a class, and 4 for a mask or an image. Tags
and numbers take 2 to 8 bytes for each class or number; beyond MOST_NUMBERS of these, only a score
of each image is kept. Names take at most MOST_NAMES bytes, before all is compressed. Of more than
MOST_IMAGES, those are kept whose identities are smallest: the same ones in every run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy
from numpy.typing import NDArray

from ...compiler.plan.loss import IMAGES

Array = NDArray[numpy.generic]

MOST_IMAGES = 100_000
MOST_NUMBERS = 2**20
MOST_NAMES = 4 * 2**20
BEST = 5
"""The number of most probable classes that are kept."""

ONE_CLASS, TAGS, NUMBERS, MASKS = "classification", "multi_label", "regression", "segmentation"
"""The words of tasks, with IMAGES."""


@dataclass(frozen=True, eq=False)
class OutputAnswers:
    """The answers of one output of a network."""

    name: str
    """Empty if the network has one output."""
    task: str
    classes: tuple[str, ...]
    """Their names; of numbers, the names of the numbers."""
    rows: NDArray[numpy.int64]
    """The images that have this label, by their place, in ascending order."""
    arrays: Mapping[str, Array]
    """See FORMS."""
    thresholds: tuple[float, ...] = ()
    """Of tags, the probability from which on each class is predicted."""

    @property
    def predicted(self) -> NDArray[numpy.int64]:
        """Of images with one class, the most probable one."""
        best: NDArray[numpy.int64] = self.arrays["best"][:, 0].astype(numpy.int64)
        return best


@dataclass(frozen=True, eq=False)
class KeptAnswers:
    """The answers to the images of a part."""

    part: str
    """`val` or `test`."""
    noun: str
    """What an image is called: `image`, `series`."""
    epoch: int | None
    """The epoch of the weights; None of an ensemble."""
    images: int
    """The number of images of the part, of which all are kept or MOST_IMAGES."""
    ids: NDArray[numpy.uint64]
    """The identity of each image: a hash of its name."""
    names: tuple[str, ...]
    """Empty if they are too long to be kept."""
    outputs: tuple[OutputAnswers, ...]

    def name(self, place: int) -> str:
        return self.names[place] if self.names else f"#{place}"


FORMS: Mapping[str, tuple[Mapping[str, tuple[str, int]], ...]] = {
    ONE_CLASS: (
        {"label": ("iu", 1), "best": ("iu", 2), "shares": ("f", 2), "loss": ("f", 1),
         "rank": ("iu", 1)},
    ),
    TAGS: ({"logits": ("f", 2), "present": ("u", 2)}, {"exact": ("u", 1)}),
    NUMBERS: ({"numbers": ("f", 2), "truth": ("f", 2)}, {"error": ("f", 1)}),
    MASKS: ({"score": ("f", 1)},),
    IMAGES: ({"score": ("f", 1)},),
}  # fmt: skip
"""For each task, the arrays that are kept, by name: the kinds of their numbers, and their axes, of
which the first are images. If there is a second form, it is for what would be too large."""

UNKNOWN = 255
"""In `present`: whether the image has this class is not known."""


def identity(key: str) -> int:
    """The identity of an image by its key, which is its name."""
    return int.from_bytes(
        blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"
    )


def identities(keys: Iterable[str]) -> NDArray[numpy.uint64]:
    return numpy.array([identity(key) for key in keys], dtype=numpy.uint64)


def smallest(whole: int) -> str:
    """The smallest type of whole numbers up to this one."""
    return "u1" if whole < 2**8 else "u2" if whole < 2**16 else "u4"
