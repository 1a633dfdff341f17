"""Images of a data set in their original size, before resize and crop."""

from __future__ import annotations

import torch
from torch import Tensor

from ..data.images.color_modes import in_channels
from ..data.images.decode import decode
from ..data.images.image_file import BadImage
from ..data.loader.image_source import Arrays, Files
from ..data.loader.store import with_mask
from ..data.open import Opened


def original(opened: Opened, part: str, index: int) -> Tensor:
    """An image of a part: uint8, channels x height x width. Raises BadImage."""
    source, channels = opened.stores[part].source, opened.preparation.channels
    if isinstance(source, Arrays):
        pixels = source.images[index][None, : len(source.images[index]) - source.masks]
        return in_channels(pixels, channels)[0]
    try:
        return decode(source.path(index), channels)
    except BadImage as error:
        raise BadImage(f"{source.name(index)}: {error.reason}") from None


def original_with_mask(opened: Opened, part: str, index: int) -> Tensor:
    """An image of a part with its mask as the last channel. Raises BadImage."""
    source, channels = opened.stores[part].source, opened.preparation.channels
    if isinstance(source, Arrays):
        mask = source.images[index][-source.masks :]
        return torch.cat([original(opened, part, index), mask])
    assert isinstance(source, Files)
    try:
        return with_mask(source, index, channels + source.masks)
    except BadImage as error:
        raise BadImage(f"{source.name(index)}: {error.reason}") from None
