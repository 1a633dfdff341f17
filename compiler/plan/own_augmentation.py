"""The base of augmentations of one's own (`dotcnn.plugins.Augmentation`): a change of images, drawn
anew for each of them.

    class Posterize(Augmentation):
        '''Keep few levels of each color.'''

        word = "levels"
        draws = 1
        most: int = count("the most levels", 8)

        def change(self, images, drawn):
            count = (2 + drawn[0] * (self.most - 2)).round().view(-1, 1, 1, 1)
            return (images * count / 256).floor() * 256 / count
"""

from __future__ import annotations

from typing import ClassVar

from ..extend.torch_class import Tensor
from .augment.augmentation import Augmentation as Base
from .augment.augmentation import probability
from .augment.passes import Cost, PassKind, Size, numbers

OWN = PassKind(
    "own", "own", "a change that a plug-in makes", clips=True,
    alone="each is a pass of its own, after `{before}`",
)  # fmt: skip


class Augmentation(Base):
    """A change of training images that keeps their size."""

    pass_kind = OWN
    draws: ClassVar[int] = 1
    """The random numbers that an image needs."""

    p: float = probability()

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """The changed images (N x channels x height x width, float32 from 0 to 255), in the same
        shape; they may be changed in place. `drawn` are `draws` x N random numbers between 0 and 1,
        which depend on the seed, the epoch and the image alone: no others may be used."""
        raise NotImplementedError

    def change_masks(self, masks: Tensor, drawn: Tensor) -> Tensor:
        """What happens to masks (N x 1 x height x width, class numbers), with the same numbers:
        for a change that moves pixels."""
        return masks

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        """Estimated: one operation for each pixel and channel."""
        return Cost(numbers(input_size, channels), self._touched(input_size, channels))
