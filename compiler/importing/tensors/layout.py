"""Parts of tensors, and other orders of their numbers: views where they can be, else layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ops.shortcut import PadShortcut
from ...shapes import axes_of
from ..graph import Layer
from . import views
from .composer import Composer, Unsayable, Value, once, says
from .convolve import padded
from .program import Call, Constant
from .scores import Scores, Unit
from .views import REPEATED, Axis, Part, View, joined, length, merged, whole, without


@says("reshape", scores=True)
def _reshape(to: Composer, call: Call, x: Value) -> Value:
    if isinstance(x, Scores) and x.shape == call.shape:
        return x
    x = to.no_scores(x)
    assert isinstance(x, View)
    view = views.reshaped(x, call.shape)
    if view is None:
        view = views.reshaped(to.plain(to.map(x)), call.shape)
    if view is None:
        source = to.map(x)
        if call.shape[0] != to.batch or len(call.shape) > 5:
            raise Unsayable("it makes images of parts of images")
        return to.plain(to.add("reshape", source, to=call.shape[1:]))
    return view


@says("permute", scores=True)
def _permute(to: Composer, call: Call, x: Value) -> Value:
    if isinstance(x, Unit):
        return x.permuted(call.settings["axes"])
    x = to.no_scores(x)
    assert isinstance(x, View)
    return views.permuted(x, call.settings["axes"])


@says("expand")
def _expand(to: Composer, call: Call, x: Value) -> View:
    assert isinstance(x, View)
    axes = ((),) * (len(call.shape) - len(x.axes)) + x.axes
    wide: list[Axis] = [
        axis if length(axis) == side else (Part(REPEATED, 0, side),)
        for axis, side in zip(axes, call.shape, strict=True)
    ]
    return x._replace(axes=tuple(wide))


@says("slice")
def _slice(to: Composer, call: Call, x: Value) -> View:
    assert isinstance(x, View)
    axis, start, stop = (call.settings[name] for name in ("axis", "start", "stop"))
    step = call.settings.get("step", 1)
    view = views.sliced(x, axis, start, stop, step)
    if view is None:
        view = views.sliced(to.by_channel(x, axis), axis, start, stop, step)
    if view is None:
        raise Unsayable("it cuts a part out of joined axes")
    return view


@says("select")
def _select(to: Composer, call: Call, x: Value) -> View:
    assert isinstance(x, View)
    axis, index = call.settings["axis"], call.settings["index"]
    index %= max(length(x.axes[axis]), 1)
    view = views.sliced(x, axis, index, index + 1, 1)
    if view is None:
        view = views.sliced(to.by_channel(x, axis), axis, index, index + 1, 1)
    if view is None:
        raise Unsayable("it cuts a part out of joined axes")
    return without(view, [axis], keep=False)


@says("unfold")
def _unfold(to: Composer, call: Call, x: Value) -> View:
    """Windows that may overlap, and reach over the border of a map with zeros around it: nothing
    but an attention reads them."""
    axis, size, step = (call.settings[name] for name in ("axis", "size", "step"))
    source = call.operands[0]
    if isinstance(source, Call) and source.function == "pad":
        x = _with_border(to, source)
    if not isinstance(x, View) or len(x.axes[axis]) != 1 or x.axes[axis][0].step != 1:
        raise Unsayable("its windows are not those of an attention")
    (part,) = x.axes[axis]
    count = (part.size - size) // step + 1
    windows, places = Part(part.axis, step, count), Part(part.axis, 1, size)
    axes = (*x.axes[:axis], merged([windows]), *x.axes[axis + 1 :], merged([places]))
    return x._replace(axes=axes)


def _with_border(to: Composer, call: Call) -> Value:
    """A map with zeros around it, as a view that begins before the map does."""
    view = to.values[id(call.operands[0])]
    sides = call.settings["sides"]
    if call.settings["mode"] != "constant" or call.settings["value"] or any(map(any, sides[:2])):
        return None
    view = to.plain(to.map(view))
    axes = list(view.axes)
    first = list(view.first)
    for axis, (low, high) in enumerate(sides):
        if low or high:
            axes[axis] = (Part(axis - 1, 1, view.layer.shape[axis - 1] + low + high),)
            first[axis - 1] -= low
    return View(view.layer, tuple(axes), tuple(first))


@says("concat")
def _concat(to: Composer, call: Call, *parts: Value) -> View:
    axis = call.settings["axis"]
    maps = [part for part in parts if isinstance(part, View)]
    if len(maps) < len(parts):
        raise Unsayable("it joins a map and numbers that are not computed from the input")
    if len(maps) == 1:
        return maps[0]
    again = joined(maps, axis)
    if again is not None:
        return again
    stacked = _stacked(to, maps, axis)
    if stacked is not None:
        return stacked
    each = [to.by_channel(part, axis) for part in maps]
    one = each[0]
    others = [[a for n, a in enumerate(part.axes) if n != axis] for part in each]
    if any(other != others[0] for other in others):
        axes = [axis, *(n for n in range(1, len(one.axes)) if n != axis)]
        layers = [to.map(part._replace(axes=tuple([part.axes[n] for n in [0, *axes]])))
                  for part in each]  # fmt: skip
        back = [[0, *axes].index(n) for n in range(len(one.axes))]
        return views.permuted(to.plain(to.concat(layers)), back)
    layer = to.concat([part.layer for part in each])
    replaced = (*one.axes[:axis], whole(layer.shape, 0), *one.axes[axis + 1 :])
    return one.of(layer)._replace(axes=replaced)


def _stacked(to: Composer, maps: Sequence[View], axis: int) -> View | None:
    """Channels one after the other, if the axis of the tensor tells groups of them apart: those of
    each map, when maps are stacked."""
    each = [to.settled(part) for part in maps]
    one = each[0]
    steps: set[int] = set()
    count = 0
    for part in each:
        channels = part.layer.shape[0]
        own = part.axes[axis] or (Part(0, channels, 1),)
        others = [a for n, a in enumerate(part.axes) if n != axis]
        if others != [a for n, a in enumerate(one.axes) if n != axis] or not once(part):
            return None
        if len(own) > 1 or own[0].axis != 0 or own[0].step * own[0].size != channels:
            return None
        steps.add(own[0].step)
        count += own[0].size
    if len(steps) > 1 or len({part.layer.shape[1:] for part in each}) > 1:
        return None
    layer = to.concat([part.layer for part in each])
    groups = merged([Part(0, steps.pop(), count)])
    return one.of(layer)._replace(axes=(*one.axes[:axis], groups, *one.axes[axis + 1 :]))


@says("pad")
def _pad(to: Composer, call: Call, x: Value) -> View:
    sides, mode = call.settings["sides"], call.settings["mode"]
    value = call.settings["value"]
    source = to.map(x)
    if any(sides[0]):
        raise Unsayable("it adds images to the batch")
    if any(sides[1]):
        if min(sides[1]) < 0 or mode != "constant" or value or any(map(any, sides[2:])):
            raise Unsayable("it pads channels")
        short = _shortcut(to, call, source, sides[1])
        return to.plain(short or _more_channels(to, source, sides[1]))
    if value in (float("inf"), float("-inf")):
        raise Unsayable("it pads with infinity, and no pooling follows")
    names = {"constant": "zeros", "edge": "replicate", "wrap": "circular"}
    return to.plain(padded(to, source, sides[2:], names.get(mode, mode), value))


def _shortcut(to: Composer, call: Call, source: Layer, sides: tuple[int, int]) -> Layer | None:
    """The shortcut of a residual that adds channels of zeros on both sides, and skips pixels."""
    added = sum(sides)
    readers = [each for each in to.program.calls if any(of is call for of in each.operands)]
    if sides != (added // 2, added - added // 2) or [each.function for each in readers] != ["add"]:
        return None
    axes = axes_of(source.shape)
    stride = (1,) * axes
    op: Any = source.op
    if op.word == "pool max" and op.kernel == (1,) * axes and not any(op.pad):
        (source,), stride = source.inputs, op.stride
    short = PadShortcut(out=source.shape[0] + added, stride=stride)
    return to.builder.place(short, [source], call.name, call.span)


def _more_channels(to: Composer, source: Layer, sides: tuple[int, int]) -> Layer:
    """Channels of zeros before and after those of a map."""
    channels = source.shape[0]
    parts: list[Layer] = []
    for number, side in enumerate(sides):
        if side > 64 * channels:
            raise Unsayable("it pads channels")
        zero = to.add("scale_by", source, factor=0.0) if side else source
        parts += [zero] * (side // channels)
        if side % channels:
            parts.append(to.add("slice", zero, channels=(0, side % channels)))
        if not number:
            parts.append(source)
    return to.add("concat", *parts)


@says("upsample")
def _upsample(to: Composer, call: Call, x: Value) -> View:
    source = to.map(x)
    mode, target = call.settings["mode"], tuple(call.settings["to"])
    sides = source.shape[1:]
    given: dict[str, Any] = {"to": target}
    if all(n % side == 0 for n, side in zip(target, sides, strict=True)):
        given = {"factor": tuple([n // side for n, side in zip(target, sides, strict=True)])}
    elif mode == "nearest-exact":
        raise Unsayable("it repeats the nearest pixels in another way")
    mode = "nearest" if mode == "nearest-exact" else mode
    corners = bool(call.settings["align_corners"]) and mode != "nearest"
    return to.plain(to.add("upsample", source, mode=mode, align_corners=corners, **given))


@says("_upsample_bicubic2d_aa", "_upsample_bilinear2d_aa")
def _resized(to: Composer, call: Call, x: Value) -> Value:
    """Positions are brought to the size of the map, which mostly they have."""
    if isinstance(x, (View, Constant)) and x.shape == call.shape:
        return x
    raise Unsayable("the language has no interpolation that smooths before it makes maps smaller")


@says("pixel_shuffle", "pixel_unshuffle")
def _pixels(to: Composer, call: Call, x: Value) -> View:
    return to.plain(to.add(call.function, to.map(x), block=call.settings["factor"]))


@says("channel_shuffle")
def _shuffle(to: Composer, call: Call, x: Value) -> View:
    return to.plain(to.add("shuffle", to.map(x), groups=call.settings["groups"]))


@says("input")
def _input(to: Composer, call: Call) -> View:
    if to.builder.layers:
        raise Unsayable("the network has several inputs")
    return to.plain(to.builder.input(call.shape[1:], call.name, call.span))
