"""What people see of an image: bytes of one or three channels, whatever the network takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from ....compiler.plan.plan import TrainPlan

_DARK, _BRIGHT = 0.02, 0.98
_PIXELS = 2**16


_composite: ContextVar[tuple[int, tuple[int, ...]]] = ContextVar("composite", default=(0, ()))


@contextmanager
def shown_by(plan: TrainPlan) -> Iterator[None]:
    """A context in which images with the channels of the input are shown by the bands that
    `composite` names."""
    composite = plan.evaluate.composite
    bands = tuple(band - 1 for band in composite.bands) if composite is not None else ()
    token = _composite.set((plan.sample[0], bands))
    try:
        yield
    finally:
        _composite.reset(token)


def visible(image: Tensor) -> Tensor:
    """An image (channels x height x width) with one or three channels, uint8. Of more, those of
    `composite` are red, green and blue, or else the first three. Levels of more than 8 bits are
    stretched, each channel from its 2nd to its 98th percentile, since images of 16 bits seldom use
    all of them."""
    channels, bands = _composite.get()
    if bands and image.shape[0] == channels:
        image = image[list(bands)]
    elif image.shape[0] not in (1, 3):
        image = image[:3] if image.shape[0] > 3 else image[:1]
    if image.dtype == torch.uint8:
        return image
    return torch.stack([_stretched(channel) for channel in image.float()])


def _stretched(channel: Tensor) -> Tensor:
    values = channel.flatten()
    some = values[:: max(1, len(values) // _PIXELS)].sort().values
    low, high = some[int(_DARK * (len(some) - 1))], some[round(_BRIGHT * (len(some) - 1))]
    scaled = (channel - low) * (255 / (high - low).clamp(min=1e-6))
    return scaled.round().clamp(0, 255).to(torch.uint8)


def visible_note(channels: int, depth: int) -> str:
    """How images are shown, if that is not as they are; else empty."""
    said = []
    _, bands = _composite.get()
    if len(bands) == 3:
        first, second, third = (band + 1 for band in bands)
        each = f"bands {first}, {second} and {third} of {channels}"
        said.append(f"{each} are shown as red, green and blue")
    elif bands:
        said.append(f"band {bands[0] + 1} of {channels} is shown")
    elif channels > 3:
        said.append(f"bands 1, 2 and 3 of {channels} are shown as red, green and blue")
    elif channels == 2:
        said.append("band 1 of 2 is shown")
    if depth > 8:
        each = "each" if channels > 1 else "it"
        said.append(f"{each} is stretched from its 2nd to its 98th percentile")
    return ", ".join(said)
