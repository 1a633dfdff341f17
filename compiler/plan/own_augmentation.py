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

from collections.abc import Iterator
from typing import ClassVar, Literal

from ...dsl.diagnostics import Edit
from ..extend.torch_class import Tensor
from ..language.problems import Problem
from .augment.augmentation import Augmentation as Base
from .augment.augmentation import probability
from .augment.passes import Cost, PassKind, Size, numbers
from .directive import Context

OWN = PassKind(
    "own", "own", "a change that a plug-in makes", clips=True,
    alone="each is a pass of its own, after `{before}`",
)  # fmt: skip


class Augmentation(Base):
    """A change of training images, series or scans that keeps their size."""

    pass_kind = OWN
    samples: ClassVar[tuple[Literal["images", "series", "scans"], ...]] = ("images",)
    """What it works on."""
    draws: ClassVar[int] = 1
    """The random numbers that an image needs."""

    p: float = probability()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.of_scans = "scans" in cls.samples

    @classmethod
    def fits_series(cls) -> bool:
        return "series" in cls.samples or "scans" in cls.samples

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """The changed images (N x channels x height x width, float32 from 0 to 255), in the same
        shape; they may be changed in place. Series are N x channels x length, and scans have a
        third axis; they are normalized before, unless the network takes their spectrograms.
        `drawn` are `draws` x N random numbers between 0 and 1, which depend on the seed, the epoch
        and the image alone: no others may be used."""
        raise NotImplementedError

    def change_masks(self, masks: Tensor, drawn: Tensor) -> Tensor:
        """What happens to masks (N x 1 x height x width, class numbers), with the same numbers:
        for a change that moves pixels."""
        return masks

    def problems(self, context: Context) -> Iterator[Problem]:
        arriving = {1: "series", 2: "images", 3: "scans"}.get(context.axes or 0, "")
        if context.network is None or self.span is None or arriving in ("", *self.samples):
            yield from super().problems(context)
            return
        yield context.unfit(
            self.span,
            f"`{self.word}` works on {' and '.join(self.samples)}, and samples are {arriving}",
            "take it out",
            (Edit(self.span, ""),),
        )

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        """Estimated: one operation for each pixel and channel."""
        return Cost(numbers(input_size, channels), self._touched(input_size, channels))
