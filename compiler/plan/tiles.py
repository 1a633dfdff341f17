"""`evaluate { tiles }`: each pixel of images of any size is answered, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ..language.kinds import share, sides
from ..language.problems import Problem
from ..language.signature import ArgumentError
from ..language.values import percent
from ..shapes import Shape, by
from .augment.augmentation import Augmentation, file_crop
from .data import Data
from .directive import Context, conflict
from .evaluate import KeepsSize, Resize
from .loss import ends_in_map
from .other_sizes import difference
from .transfer import Cache

MOST = 0.75
"""The largest overlap: 16 answers for each pixel."""


class Tiles(KeepsSize):
    """Answer for images of any size in overlapping tiles, blended where they overlap.

    Images keep their size, unless there is a `resize`: the network is trained on random crops of
    them, and evaluated on whole images; so it is with series and scans.
    """

    word = "tiles"
    example = "tiles overlap=50%"
    may_be_off = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "tiles": "sliding_window SlidingWindowInferer sliding_window_inference tiled tile"
        " slide patches GridSampler",
    }

    side: Any = sides(
        "height and width of a tile, or the length, or depth, height and width; by default the"
        " network's input", None,
    )  # fmt: skip
    overlap: float = share(
        "minimum overlap: the share of a tile that the next tile covers as well", 0.25,
        keyword_only=True, elsewhere="tile_overlap",
    )  # fmt: skip

    def check(self) -> None:
        if self.overlap > MOST:
            raise ArgumentError(
                f"with {percent(self.overlap)}, each pixel is answered"
                f" {round((1 - self.overlap) ** -2)} times" if self.overlap < 1
                else "the next tile would be the same one",
                f"write `overlap={percent(MOST)}` at most",
            )  # fmt: skip

    def settle(self, context: Context) -> Tiles:
        own = _input_of(context)
        side = (self.side,) * len(own) if isinstance(self.side, int) else self.side
        return self.replace(side=side or own or None)

    def needs_one_input(self) -> str:
        return "tiles are cut out of a single image"

    def problems(self, context: Context) -> Iterator[Problem]:
        if context.network is None or self.span is None:
            return
        own = _input_of(context)
        if not ends_in_map(context) or not own:
            yield context.unfit(
                self.span,
                "tiles are put together pixel by pixel",
                "take `tiles` out, or let the network end in a map: `conv classes 1x1`",
            )
            return
        if len(context.network.outputs) > 1:
            yield context.unfit(
                self.span,
                "tiles put together the one answer of a network, and this one has"
                f" {len(context.network.outputs)} outputs",
                "take `tiles` out, or train an output by itself",
            )
            return
        place, side = self.place("side"), self.settle(context).side
        unlike = ""
        if len(side) != len(own):
            unlike = f"a tile of {by(side)} has another number of axes than the input, {by(own)}"
        elif side != own:
            unlike = difference(context.network, (context.shape[0], *side))
        if unlike and place is not None:
            yield context.unfit(place, unlike, "take the size out: tiles are then as the input")
        for cache in context.all(Cache):
            yield conflict(
                "features are kept for images of one size, and whole images differ", self, cache
            )
        if context.given.get("train"):
            yield from self._in_training(context)

    def _in_training(self, context: Context) -> Iterator[Problem]:
        """The errors about training images, which keep their size, too, so that only crops of them
        can make a batch."""
        assert self.span is not None
        if len(_input_of(context)) != 2:
            return  # longer series and scans are cut at random in any case
        if not context.get(Data).image_files:
            yield context.unfit(
                self.span,
                "only image files keep their size; arrays are brought to that of the input",
                "take `tiles` out, or write `data folder`",
            )
            return
        first = file_crop(context.all(Augmentation), context.find(Resize))
        if first is None or first.cuts:
            return  # without a `crop`, each epoch sees another part
        yield conflict(
            f"images keep their size, and `{first.crop.word}` needs all to have the same",
            self,
            first.crop,
            help="write `crop` first in `augment`, without `pad`",
            drop=False,
        )


def _input_of(context: Context) -> Shape:
    """The axes of the network's input, if that is what samples are, and not their spectrograms."""
    series = context.series and len(context.shape) != 2
    return () if series else context.shape[1:]
