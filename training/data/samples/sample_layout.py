"""Arrays of series and scans in any layout: which axis is the channels, and which numbers are not
finite."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy
import torch
from torch import Tensor

from ....compiler.shapes import AXES, LAYOUTS, Shape, axes_of, text
from ..sources.unfit import Unfit

KEPT = (numpy.dtype("u1"), numpy.dtype("i2"), numpy.dtype("f4"))
"""The number types that are kept as they are; others become float32."""
_CHUNK = 2**24


def noun_of(shape: Shape) -> str:
    """What a sample of this shape is called."""
    if axes_of(shape) == 3:
        return "clip" if shape[0] == 3 else "scan"
    return "series" if axes_of(shape) == 1 else "image"


class Layout(NamedTuple):
    """Where an array of samples has its channels."""

    channels: int | None
    """Their axis, without that of samples; None if there is none, and there is one channel."""
    note: str = ""
    """What to say about it, if it is not obvious."""

    def arranged(self, samples: Any) -> Any:
        """Samples (… x axes) with channels before the other axes; `samples` has no axis of samples,
        or one."""
        return self._moved(samples, 0)

    def arranged_batch(self, samples: Any) -> Any:
        return self._moved(samples, 1)

    def _moved(self, samples: Any, first: int) -> Any:
        if self.channels is None:
            return numpy.expand_dims(samples, first)
        return numpy.moveaxis(samples, first + self.channels, first)


def layout_of(sizes: Shape, wanted: Shape, *, exact: bool = False) -> Layout:
    """The layout of a sample of these sizes, for a network that takes `wanted`, channels first. The
    other sizes may differ, unless `exact`. Raises Unfit."""
    channels, axes = wanted[0], axes_of(wanted)
    if len(sizes) == axes and channels == 1:
        return Layout(None)
    if len(sizes) == axes + 1:
        first, last = sizes[0] == channels, sizes[-1] == channels
        if first and last and sizes[1:] != wanted[1:]:
            note = f"{text(sizes)} is read as {LAYOUTS[axes]}: both ends could be the channels"
            return Layout(0, note)
        if first:
            return Layout(0)
        if last:
            names = " x ".join((*AXES[axes], "channels"))
            return Layout(axes, f"the channels are the last axis: {names}")
    raise Unfit(
        f"samples of {text(sizes) or 'one number'} do not fit an input of {text(wanted)},"
        f" {LAYOUTS[axes]}"
    )


def as_samples(array: Any, wanted: Shape) -> tuple[Tensor, str]:
    """All samples of an array as one tensor, samples x channels x axes, and a note on their layout.
    Raises Unfit."""
    if not array.ndim or not array.shape[0]:
        raise Unfit("there are none")
    must_be_numbers(array.dtype)
    layout = layout_of(array.shape[1:], wanted)
    if not array.size:
        raise Unfit("they have no numbers")
    return torch.from_numpy(plain(layout.arranged_batch(array))), layout.note


def must_be_numbers(dtype: Any) -> None:
    if dtype.kind not in "biuf":
        raise Unfit(f"it holds {dtype}, not numbers")


def plain(array: Any) -> Any:
    """The array in memory of its own, in a number type that is kept."""
    dtype = array.dtype if array.dtype.newbyteorder("=") in KEPT else numpy.dtype("f4")
    with numpy.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is named
        return numpy.array(array, dtype=dtype.newbyteorder("="), order="C")


def not_finite(samples: Tensor) -> dict[int, str]:
    """The samples of a tensor that have NaN or infinite numbers, with the first place of one."""
    if not samples.is_floating_point():
        return {}
    bad: dict[int, str] = {}
    rows = max(1, _CHUNK // max(1, samples[0].numel()))
    for start in range(0, len(samples), rows):
        part = samples[start : start + rows]
        fine = part.isfinite().flatten(1).all(1)
        for place in (~fine).nonzero().flatten().tolist():
            bad[start + place] = first_not_finite(part[place])
    return bad


def first_not_finite(sample: Tensor) -> str:
    """Where a sample (channels x axes) has its first number that is not finite, in words; empty if
    all are."""
    if not sample.is_floating_point() or bool(sample.isfinite().all()):
        return ""
    places = (~sample.isfinite()).nonzero()
    channel, *where = places[0].tolist()
    value = "NaN" if bool(sample[tuple(places[0])].isnan()) else "infinite"
    at = f"step {where[0]}" if len(where) == 1 else f"voxel ({', '.join(map(str, where))})"
    of = f" of channel {channel}" if len(sample) > 1 else ""
    more = f", and {len(places) - 1:,} more" if len(places) > 1 else ""
    return f"{at}{of} is {value}{more}"
