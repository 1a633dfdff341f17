"""Test-time augmentation (`tta crops=10 flip`): averages the predictions for views of an image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.evaluate import Tta
from ..data.images.resize import Fit, Size


@dataclass(frozen=True)
class TtaViews:
    """Makes the views of an image that the network sees."""

    tta: Tta
    fit: Fit
    """The resize and crop of a single view."""

    def __call__(self, image: Tensor) -> Tensor:
        """The views of an image (uint8, channels x height x width): views x channels x crop size.

        Identical views are made only once. At a scale below 1, if the image is smaller than the
        crop, its border pixels are repeated.
        """
        views = [
            self._part(whole, top, left)
            for whole in self._sizes(image)
            for top, left in self._places(whole)
        ]
        if self.tta.shift:
            views = [each for view in views for each in (view, *self._shifted(view))]
        if self.tta.flip or self.tta.crops == _MIRRORED:
            views += [view.flip(-1) for view in views]
        return torch.stack(views)

    def _sizes(self, image: Tensor) -> Iterator[Tensor]:
        height, width = self.fit.resized(image.shape[-2], image.shape[-1])
        for scale in dict.fromkeys(self.tta.scales):
            size = max(1, round(height * scale)), max(1, round(width * scale))
            yield self._filling(Fit(size, self.fit.mode, size)(image))

    def _filling(self, image: Tensor) -> Tensor:
        """The image padded to at least the size of the crop, by repeating its border pixels."""
        down, right = (
            max(0, want - have) for want, have in zip(self.fit.crop, image.shape[-2:], strict=True)
        )
        if not down and not right:
            return image
        border = (right // 2, right - right // 2, down // 2, down - down // 2)
        return F.pad(image[None].float(), border, mode="replicate")[0].to(image.dtype)

    def _places(self, image: Tensor) -> list[Size]:
        """The upper left corners of the crops."""
        low, right = (
            have - want for have, want in zip(image.shape[-2:], self.fit.crop, strict=True)
        )
        places = [(round(low / 2), round(right / 2))]
        if self.tta.crops > 1:
            places += [(0, 0), (0, right), (low, 0), (low, right)]
        return list(dict.fromkeys(places))

    def _shifted(self, view: Tensor) -> tuple[Tensor, Tensor]:
        """A view shifted down and right, and up and left: what becomes visible is the image
        mirrored at its outermost pixels."""
        by = self.tta.shift
        height, width = view.shape[-2:]
        padded = F.pad(view[None].float(), (by, by, by, by), mode="reflect")[0].to(view.dtype)
        return padded[:, :height, :width], padded[:, 2 * by :, 2 * by :]

    def _part(self, image: Tensor, top: int, left: int) -> Tensor:
        return image[..., top : top + self.fit.crop[0], left : left + self.fit.crop[1]]


def averaged(answers: Tensor, tta: Tta | None) -> Tensor:
    """The answers for all views of an image (views x classes), averaged. A view counts as much as
    both of its shifts together."""
    if tta is None or not tta.shift:
        return answers.mean(0)
    weights = answers.new_tensor([0.5, 0.25, 0.25]).repeat(len(answers) // 3)
    return (answers * weights[:, None]).sum(0) / weights.sum()


_MIRRORED = 10
