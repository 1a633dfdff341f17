"""Images of a data set in their original size, before resize and crop."""

from __future__ import annotations

import torch
from torch import Tensor

from ..data.images.color_modes import in_channels
from ..data.images.decode import decode
from ..data.images.image_file import BadImage
from ..data.images.resize import KEPT, Fit
from ..data.loader.image_source import Arrays, Files
from ..data.loader.store import with_mask
from ..data.opened import Opened


def original(opened: Opened, part: str, index: int) -> Tensor:
    """An image of a part: uint8, channels x height x width. Raises BadImage."""
    source, channels = opened.stores[part].source, opened.preparation.channels
    if isinstance(source, Arrays):
        pixels = source.images[index][None, : len(source.images[index]) - source.further]
        return in_channels(pixels, channels)[0]
    try:
        stored = source.content(index) if isinstance(source, Files) else source.path(index)
        return decode(stored, channels, opened.preparation.depth)
    except BadImage as error:
        raise BadImage(f"{source.name(index)}: {error.reason}") from None


def original_pair(opened: Opened, part: str, index: int) -> tuple[Tensor, Tensor]:
    """The input of the network and the image to answer for a whole image of a part, resized if the
    plan says so, but not cropped: uint8. Raises BadImage."""
    source, pairs, fit = opened.stores[part].source, opened.pairs, opened.preparation.fit
    assert pairs is not None
    times, channels = pairs.enlarges, pairs.stored_channels
    if isinstance(source, Arrays):
        stored = source.images[index][: len(source.images[index]) - source.further]
        stored = in_channels(stored[None], channels)[0]
        if source.further:
            stored = torch.cat([stored, source.images[index][-source.further :]])
    else:
        assert isinstance(source, Files)
        try:
            stored = with_mask(source, index, channels + source.further)
        except BadImage as error:
            raise BadImage(f"{source.name(index)}: {error.reason}") from None
    if fit.resize != KEPT:
        resize = fit.resize if isinstance(fit.resize, tuple) else (fit.resize,)
        larger = tuple(times * side for side in resize)
        crop = times * fit.crop[0], times * fit.crop[1]
        side = (larger[0], larger[1]) if len(larger) == 2 else larger[0]
        stored = Fit(side, fit.mode, crop).whole(stored)
    height, width = (side // times * times for side in stored.shape[-2:])
    inputs, targets = pairs.evaluated(stored[None, :, :height, :width], torch.tensor([index]))
    return inputs[0], targets[0]


def original_with_maps(opened: Opened, part: str, index: int) -> Tensor:
    """An image of a part with its mask as the last channel; of several outputs, with the images and
    the masks that they are to answer. Raises BadImage."""
    source, channels = opened.stores[part].source, opened.preparation.channels
    if isinstance(source, Arrays):
        maps = source.images[index][-source.further :]
        return torch.cat([original(opened, part, index), maps])
    assert isinstance(source, Files)
    try:
        return with_mask(source, index, channels + source.further)
    except BadImage as error:
        raise BadImage(f"{source.name(index)}: {error.reason}") from None
