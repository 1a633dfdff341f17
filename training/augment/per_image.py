"""Runs the passes that treat each image separately, on a few images at a time that fit the cache.

A batch of photographs does not fit into the cache. So on a CPU all passes run on one piece of the
batch, then on the next piece; on a GPU, where launching a pass takes most of the time, they run on
the whole batch. Everything that does not depend on pixels is computed for the whole batch first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..tasks.rows_with_maps import Behind
from .entries import constant

BoundPass = Callable[[Tensor, slice], Tensor]
"""A pass with its random numbers; called with some images of a batch, and the slice of the batch
that they are. Geometric passes accept any type; all others take float32 from 0 to 255, and may
change it in place."""


@dataclass(frozen=True, eq=False)
class Moving:
    """A bound pass that moves pixels: masks (N x masks x H x W) move along with their images, and
    so do images that are answered beside other things, with black where nothing is seen."""

    images: BoundPass
    masks: BoundPass
    answers: BoundPass

    def __call__(self, images: Tensor, piece: slice) -> Tensor:
        return self.images(images, piece)


ImagePass = Callable[[Tensor], BoundPass]
"""A pass; called with the random numbers of a batch."""


@dataclass(frozen=True, eq=False)
class OfInputs:
    """A pass that takes something away from an image: noise, blur, an erased rectangle. Targets,
    which a network is to find again, are left as they are."""

    made: ImagePass

    def __call__(self, drawn: Tensor) -> BoundPass:
        return self.made(drawn)


@dataclass(frozen=True, eq=False)
class OfColors:
    """A pass that changes the colors of some inputs of a network, whose channels are one after the
    other: of each with the same random numbers."""

    made: Sequence[tuple[slice, ImagePass]]

    def __call__(self, drawn: Tensor) -> BoundPass:
        each = [(channels, make(drawn)) for channels, make in self.made]

        def change(images: Tensor, piece: slice) -> Tensor:
            for channels, one in each:
                images[:, channels] = one(images[:, channels].contiguous(), piece)
            return images

        return change


class ChosenOnCpu:
    """A pass whose random numbers are drawn on the CPU (`Resources.on_cpu`), because they decide
    which operations to start: reading them from a GPU would make the program wait for it."""

    def __call__(self, drawn: Tensor) -> BoundPass:
        raise NotImplementedError


PIECE = 2**18
"""The size of a piece in numbers: a megabyte."""


class Normalize:
    """The last step: applies a factor and an offset to each channel, and reverses the channels if
    asked. `normalization` is in the channel order of the input."""

    def __init__(self, normalization: tuple[Tensor, Tensor] | None, reverse: bool) -> None:
        self._numbers = normalization and [
            tuple((each.flip(0) if reverse else each).tolist()) for each in normalization
        ]
        self._reverse = reverse

    def __call__(self, images: Tensor, out: Tensor | None = None) -> Tensor:
        if self._reverse:
            images = images.flip(1)
        if self._numbers is None:
            return images if out is None else out.copy_(images)
        factor, offset = (constant(each, images.device).view(1, -1, 1, 1) for each in self._numbers)
        return torch.mul(images, factor, out=out).add_(offset)


class PerImage:
    """Runs several passes, then the normalization. Each pass comes with whether it takes uint8."""

    def __init__(
        self, passes: Sequence[tuple[ImagePass, bool]], normalize: Normalize | None = None
    ) -> None:
        self._passes = tuple(passes)
        self._normalize = normalize or Normalize(None, False)
        self._kept: Tensor | None = None
        """The output of the last call, which the next one may overwrite."""

    def __call__(
        self,
        images: Tensor,
        drawn: Tensor,
        on_cpu: Tensor,
        reuse: bool = False,
        masks: Tensor | None = None,
        behind: Behind | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Images of uint8 or float32, which are not changed, to float32; and their masks (N x H x
        W), which move along, or their targets (N x C x H x W), which change as the images do.
        `drawn` are random numbers on the device of the images, `on_cpu` those drawn on the CPU.
        With `behind`, masks are maps of several outputs. With `reuse`, the output of the last call
        is overwritten: allocating memory for a batch of photographs takes as long as some of the
        passes."""
        passes = [
            (one(on_cpu if isinstance(one, ChosenOnCpu) else drawn), takes_bytes)
            for one, takes_bytes in self._passes
        ]
        if masks is not None and behind is not None:
            answers, own = masks[:, : behind.images], masks[:, behind.images :]
            answers, own = _moved(answers, passes, images=True), _moved(own, passes)
            masks = torch.cat([answers, own.to(answers.dtype)], 1)
        elif masks is not None and masks.ndim == images.ndim:
            of_targets = [
                one
                for one, (made, _) in zip(passes, self._passes, strict=True)
                if not isinstance(made, OfInputs)
            ]
            masks = _targets(masks, of_targets)
        elif masks is not None:
            masks = _moved(masks.unsqueeze(1), passes).squeeze(1)
        return self._on_images(images, passes, reuse), masks

    def _on_images(
        self, images: Tensor, passes: Sequence[tuple[BoundPass, bool]], reuse: bool
    ) -> Tensor:
        pieces = round(len(images) / max(1, PIECE // max(1, images[0].numel())))
        if images.device.type != "cpu" or images.requires_grad or pieces <= 1:
            return self._normalize(_run(passes, images, slice(0, len(images))))
        count = -(-len(images) // pieces)  # all of about the same size
        whole: Tensor | None = None
        for start in range(0, len(images), count):
            piece = slice(start, min(start + count, len(images)))
            augmented = _run(passes, images, piece)
            if whole is None:
                whole = self._memory((len(images), *augmented.shape[1:]), reuse)
            self._normalize(augmented, whole[piece])
        assert whole is not None
        return whole

    def _memory(self, shape: tuple[int, ...], reuse: bool) -> Tensor:
        memory = self._kept
        if not reuse or memory is None or memory.shape != shape:
            memory = torch.empty(shape)
        self._kept = memory if reuse else None
        return memory


def _moved(
    maps: Tensor, passes: Sequence[tuple[BoundPass, bool]], *, images: bool = False
) -> Tensor:
    """Masks, or images (N x channels x H x W), moved as passes move their images."""
    for one, _ in passes if maps.shape[1] else ():
        if isinstance(one, Moving):
            maps = (one.answers if images else one.masks)(maps, slice(0, len(maps)))
    return maps


def _targets(targets: Tensor, passes: Sequence[tuple[BoundPass, bool]]) -> Tensor:
    """What passes make of targets: float32, from 0 to 255."""
    on_cpu = targets.device.type == "cpu"
    pieces = max(1, round(targets.numel() / PIECE)) if on_cpu else 1
    count = -(-len(targets) // pieces)
    starts = range(0, len(targets), count)
    return torch.cat(
        [_run(passes, targets, slice(start, min(start + count, len(targets)))) for start in starts]
    )


def _run(passes: Sequence[tuple[BoundPass, bool]], whole: Tensor, piece: slice) -> Tensor:
    given = images = whole[piece].contiguous()
    for one, takes_bytes in passes:
        if not takes_bytes:
            images = images.to(torch.float32, copy=images is given)
        images = one(images, piece)
    return images.to(torch.float32)
