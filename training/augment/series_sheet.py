"""The contact sheet of `cnn augment` for series and scans: curves of training samples, and their
spectrograms if the network takes these, or slices; as augmented in each epoch, and after each
directive alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.fusion import Fusion, fuse
from ...compiler.plan.plan import TrainPlan
from ...compiler.shapes import text
from ..data.diagnostic import plural_noun
from ..data.opened import Opened
from ..masks.sample_masks import sample_overlay, track
from ..show.pictures.heat_colors import heat_colors
from ..show.pictures.sample_picture import scan_picture
from ..show.pictures.series_picture import curve
from .series_module import SeriesAugmenter
from .sheet import Group, Row, Sheet, column_names, ends, in_turn

_WIDE, _TALL = 144, 90
"""The size of a picture."""
_SCANS = 5
"""The axes of a batch of scans."""
_LANES = 3
"""The most channels that are drawn, one below the other."""
_SMOOTH = 2
"""Curves are drawn so much larger, and reduced."""
_ROOM = 0.25
"""Above and below a curve there is so much room, as a share of its height, for a larger one."""


def series_sheet(opened: Opened, samples: int = 8, epochs: int = 6) -> Sheet:
    """The contact sheet of a data set, with the first samples of each class in turn."""
    plan, data = opened.plan, opened.dataset
    indices = in_turn(opened, samples)
    batch = torch.stack([opened.image("train", index) for index in indices])
    masks = None
    if opened.task.dense:
        masks = torch.stack([opened.mask("train", index) for index in indices])
    drawn = _Drawn(opened, indices, batch, masks)
    together: list[Row] = []
    for epoch in range(epochs):
        read, own = opened.training_images(indices, epoch)
        moving = own if masks is not None else None
        together += drawn.rows(plan, f"epoch {epoch + 1}", read, epoch, moving)
    alone: list[Row] = []
    for number, directive in enumerate(plan.augment):
        alone += drawn.alone(plan, number, directive.as_written)
        for label, end in ends(directive):
            changed = (*plan.augment[:number], end, *plan.augment[number + 1 :])
            alone += drawn.alone(replace(plan, augment=changed), number, label, briefly=True)
    original = replace(plan, augment=())
    groups = (
        Group(
            "As they are", tuple(drawn.rows(original, "original", batch, 0, masks, with_curve=True))
        ),
        Group("As the network sees them", tuple(together)),
        Group("Each directive separately", tuple(alone)),
    )
    names = column_names(opened, indices)
    subtitle = (
        f"{data.name}: {plural_noun(data.noun)} are {text(plan.sample)},"
        f" seed {plan.train.seed.value}"
    )
    return Sheet(f"Augmentation of {plan.network}", subtitle, names, groups)


class _Drawn:
    """Draws samples, each on the scale of the original, so that its changes are seen."""

    def __init__(
        self, opened: Opened, indices: Sequence[int], batch: Tensor, masks: Tensor | None
    ) -> None:
        """`masks` are those of the batch, if labels are masks."""
        self._opened = opened
        self._masks = masks
        self._indices = torch.tensor(indices)
        self._batch = batch
        preparation = opened.preparation
        as_series = replace(preparation, spectrogram=None, input=())
        plain = preparation.spectrogram is not None
        self._series = batch.float() if plain else as_series.normalized(batch)
        self._maps = preparation.transformed(batch.float()) if plain else None

    def alone(
        self, plan: TrainPlan, number: int, label: str, *, briefly: bool = False
    ) -> list[Row]:
        """The samples after one directive of a plan; `briefly`, in one row."""
        whole = fuse(plan)
        before = len(whole.passes) - whole.on_spectrogram
        one = replace(whole, passes=(whole.passes[number],), on_spectrogram=int(number >= before))
        rows = self._after(one, label, self._batch, 0, self._masks)
        return rows[:1] if briefly else rows

    def rows(
        self,
        plan: TrainPlan,
        label: str,
        samples: Tensor,
        epoch: int,
        masks: Tensor | None,
        *,
        with_curve: bool = False,
    ) -> list[Row]:
        """The samples after all directives of a plan."""
        return self._after(fuse(plan), label, samples, epoch, masks, with_curve=with_curve)

    def _after(
        self,
        fusion: Fusion,
        label: str,
        samples: Tensor,
        epoch: int,
        masks: Tensor | None,
        *,
        with_curve: bool = False,
    ) -> list[Row]:
        before = len(fusion.passes) - fusion.on_spectrogram
        rows = []
        if before or with_curve or fusion.spectrogram is None:
            series = replace(
                fusion, passes=fusion.passes[:before], spectrogram=None, on_spectrogram=0
            )
            changed, labels = self._augmented(series, samples, epoch, masks)
            rows.append(Row(label, self._curves(changed)))
            if labels is not None:
                rows.append(Row("masks", self._tracks(changed, labels)))
        if fusion.spectrogram is not None:
            maps, _ = self._augmented(fusion, samples, epoch, None)
            rows.append(Row("its spectrogram" if rows else label, self._pictures(maps)))
        return rows

    def _augmented(
        self, fusion: Fusion, samples: Tensor, epoch: int, masks: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The samples after passes, normalized if the network takes series, else as they are; and
        their masks, if there are some."""
        opened, preparation = self._opened, self._opened.preparation
        channels = preparation.channels
        factor, offset = torch.ones(1), torch.zeros(1)
        if preparation.spectrogram is None:
            std, mean = torch.tensor(preparation.std), torch.tensor(preparation.mean)
            factor, offset = preparation.scale / std, -mean / std
        augment = SeriesAugmenter(
            fusion,
            (factor.expand(channels), offset.expand(channels))
            if fusion.spectrogram is None
            else (torch.ones(fusion.input[0]), torch.zeros(fusion.input[0])),
            seed=opened.plan.train.seed.value,
            classes=max(1, len(opened.dataset.classes)),
        )
        ring = torch.arange(len(samples) + augment.guests) % len(samples)
        labels = torch.zeros(len(ring), 1) if masks is None else masks[ring]
        changed, moved = augment(samples[ring], labels, self._indices[ring], epoch)
        return changed, None if masks is None else moved

    def _tracks(self, samples: Tensor, masks: Tensor) -> tuple[Tensor, ...]:
        """The masks of series as tracks; of scans, over slices."""
        classes = self._opened.dataset.classes
        if samples.ndim == _SCANS:
            pairs = zip(samples, masks, strict=True)
            return tuple(sample_overlay(*pair, classes, _WIDE) for pair in pairs)
        return tuple(track(mask, classes, _WIDE) for mask in masks)

    def _curves(self, series: Tensor) -> tuple[Tensor, ...]:
        pictures = []
        if series.ndim == _SCANS:
            return tuple(scan_picture(sample, _WIDE) for sample in series)
        for sample, original in zip(series, self._series, strict=True):
            lanes = min(_LANES, len(sample))
            tall = _TALL // lanes
            strips = [
                curve(values, _ends_with_room(own), _SMOOTH * _WIDE, _SMOOTH * tall)
                for values, own in zip(sample[:lanes], original[:lanes], strict=True)
            ]
            pictures.append(_reduced(torch.cat(strips, 1), (tall * lanes, _WIDE)))
        return tuple(pictures)

    def _pictures(self, maps: Tensor) -> tuple[Tensor, ...]:
        """Spectrograms, the lowest frequency at the bottom; of the first channel."""
        assert self._maps is not None
        pictures = []
        for found, original in zip(maps, self._maps, strict=True):
            one, own = (each[0] if each.ndim == 3 else each for each in (found, original))
            low, high = float(own.min()), float(own.max())
            share = ((one - low) / max(high - low, 1e-12)).clamp(0, 1).flip(0)
            colors = heat_colors(share)
            large = F.interpolate(colors[None], (_TALL, _WIDE), mode="nearest-exact")[0]
            pictures.append(large.round().clamp(0, 255).to(torch.uint8))
        return tuple(pictures)


def _ends_with_room(values: Tensor) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = _ROOM * (high - low) if high > low else 1.0
    return low - room, high + room


def _reduced(picture: Tensor, size: tuple[int, int]) -> Tensor:
    small = F.interpolate(picture[None].float(), size, mode="bilinear", antialias=True)[0]
    return small.round().clamp(0, 255).to(torch.uint8)
