"""Pools: of windows, and means, sums and maxima along axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from . import views
from .composer import Composer, Unsayable, Value, says
from .convolve import is_upper, padded
from .program import Call
from .views import Part, View, length, without


@says("max_pool", "avg_pool")
def _pool(to: Composer, call: Call, x: Value) -> View:
    settings = dict(call.settings)
    largest = call.function == "max_pool"
    counted = settings.pop("count_pad", True)
    pad = settings.pop("pad")
    source = to.map(x)
    ceil = settings.pop("ceil")
    window = {name: tuple(settings[name]) for name in ("kernel", "stride", "dilation")}
    given: dict[str, Any] = {"kernel": window["kernel"], "stride": window["stride"]}
    if largest:
        given["dilation"] = window["dilation"]
    elif not counted and any(map(any, pad)):
        given["count_pad"] = False
    if all(low == high for low, high in pad):
        given["pad"] = tuple([low for low, _ in pad])
        if ceil:
            given["ceil"] = True
    elif is_upper(source, pad, window):
        given["same_upper"] = True
    elif not largest and counted:
        source = padded(to, source, pad)
    else:
        raise Unsayable("its padding differs at the two sides")
    return to.plain(to.add("pool max" if largest else "pool avg", source, **given))


@says("adaptive_max_pool", "adaptive_avg_pool")
def _adaptive(to: Composer, call: Call, x: Value) -> View:
    word = "pool max" if call.function == "adaptive_max_pool" else "pool avg"
    target = tuple(call.settings["to"])
    source = to.map(x)
    if max(target) == 1:
        return to.plain(to.add(word, source, **{"global": True}))
    return to.plain(to.add(word, source, adaptive=target))


@says("mean", "sum", "amax")
def _reduced(to: Composer, call: Call, x: Value) -> View:
    """Over places a pool; over parts of the channels a sum of slices."""
    view = to.settled(x)
    axes, keep = call.settings["axes"], call.settings["keep"]
    own = [part for axis in axes for part in view.axes[axis]]
    shape = view.layer.shape
    if any(part.axis < 0 for part in own):
        raise Unsayable("it mixes images of the batch")
    if not own:
        return without(view, axes, keep)
    left = [n for n, axis in enumerate(view.axes) if n not in axes]
    if any(part.axis == 0 for part in own):
        return _over_channels(to, call, view, own)
    over = {part.axis for part in own}
    if any(part.axis in over for n in left for part in view.axes[n]):
        raise Unsayable("it is over blocks of a map")
    word = "pool max" if call.function == "amax" else "pool avg"
    if over == {n for n, side in enumerate(shape) if n and side > 1}:
        layer = to.add(word, view.layer, **{"global": True})
    else:
        kernel = tuple([side if n in over else 1 for n, side in enumerate(shape) if n])
        layer = to.add(word, view.layer, kernel=kernel)
    if call.function == "sum":
        layer = to.add("scale_by", layer, factor=float(prod(part.size for part in own)))
    return without(view.of(layer), axes, keep)


def _over_channels(to: Composer, call: Call, view: View, own: Sequence[Part]) -> View:
    axes, keep = call.settings["axes"], call.settings["keep"]
    function = call.function
    if len(axes) != 1 or len(own) != 1 or length(view.axes[axes[0]]) > MOST_SLICES:
        raise Unsayable("it is over channels, and pools are over places")
    parts = [views.sliced(view, axes[0], n, n + 1, 1) for n in range(own[0].size)]
    settled = [to.settled(part) for part in parts]
    if any(each.axes != settled[0].axes for each in settled):
        raise Unsayable("it is over channels, and pools are over places")
    word = "maximum" if function == "amax" else "add"
    layer = to.add(word, *[each.layer for each in settled])
    if function == "mean":
        layer = to.add("scale_by", layer, factor=1 / own[0].size)
    return without(settled[0].of(layer), axes, keep)


MOST_SLICES = 8
"""Of the channels, in a sum of them."""
