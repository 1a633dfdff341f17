"""What a layer says of itself, held against torch: shapes, weights, multiply-adds, memory,
receptive field, text, arithmetic. For any number of spatial axes: that of the first input.

`conform(op, (3, 8, 8))` raises AssertionError with a sentence: what the layer says, and what torch
does. `conformance` tries a class with many arguments.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product as every
from math import floor, prod
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ..compiler.emit.allowed import NotAllowed, check
from ..compiler.ops.base import EVERYTHING, POINT, Op, Window, imports_of
from ..compiler.ops.worked import Element, Read, Worked
from ..compiler.shapes import Shape, axes_of, by
from .built import Built, build

Make = Callable[[tuple[int, ...]], Tensor]
"""Makes an input, its shape with the batch."""


# ---- running -----------------------------------------------------------------------------------


def fitted(op: Op, *shapes: Shape) -> Op:
    """The operation for the number of axes of what arrives."""
    return op.on_axes(axes_of(shapes[0]) or 2)


def leaving(op: Op, *shapes: Shape) -> Shape:
    """The shape that leaves, if the operation accepts its arguments and what arrives."""
    op.check()
    for shape in shapes:
        op.refuse_axes(shape)
    return op.output(*shapes)


def conform(
    op: Op,
    *shapes: Shape,
    batch: int = 2,
    flop_counter: int | None = None,
    count: bool = True,
    probe: str | None = "gradient",
    edges: bool = True,
    make: Make = torch.randn,
) -> Built:
    """Asserts that what the operation says of itself is what torch does.

    flop_counter: multiply-adds that torch's counter finds, where its convention is not ours.
    count: whether the multiply-adds are compared at all.
    probe: how the receptive field is found: by `gradient`, or by what a `nan` spoils (for a
        maximum, whose gradient goes to one place only); None where neither is fair.
    edges: whether windows that reach over the edge are probed too (no: reflected padding).
    make: makes the inputs, where normally distributed numbers would not do.
    """
    torch.manual_seed(0)
    op = fitted(op, *shapes).settle(())
    output = leaving(op, *shapes)
    built = build(op, *shapes)

    _may_be_emitted(op, shapes, output)
    _same_state(op, shapes, built)
    _same_kept(op, shapes, output, built, [make((batch, *shape)) for shape in shapes])
    _same_in_evaluation(op, output, built, [make((batch, *shape)) for shape in shapes])
    macs = op.macs(output, *shapes)
    assert type(macs) is int, f"`macs` is a whole number, not {macs!r}"
    if count:
        _same_macs(op, shapes, output, built, batch, flop_counter)
    elementwise = op.elementwise(output, *shapes)
    assert type(elementwise) is int, f"`elementwise` is a whole number, not {elementwise!r}"
    assert elementwise >= 0, f"`elementwise` is a count, not {elementwise}"
    lines = op.explain(output, *shapes)
    assert all(what and how for what, how in lines), (
        f"what is explained needs a name and a text in each line: {lines}"
    )
    if type(op).work_out is not Op.work_out:  # a plug-in need not work elements out
        _same_arithmetic(op, shapes, output, built, [make((batch, *shape)) for shape in shapes])
    if probe:
        _same_window(op, shapes, output, built, probe, edges, make)
    return built


def _may_be_emitted(op: Op, shapes: Sequence[Shape], output: Shape) -> None:
    """The text of the operation passes the check that emitted text passes before it is run."""
    text = op.torch(output, *shapes)
    names = [f"x{n}" for n in range(len(shapes))]
    made = f"self.m = {text.module}" if text.module else "super().__init__()"
    lines = [f"from {module} import {name}" for module, name in imports_of(op, text)]
    imports = "\n".join(lines)
    source = f"""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

{imports}

{text.helper}

class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        {made}

    def forward(self, {", ".join(f"{name}: Tensor" for name in names)}) -> Tensor:
        return {text.call.format(*names, m="self.m")}
"""
    try:
        check(source, lines)
    except NotAllowed as refused:
        raise AssertionError(f"the text may not be emitted: {refused}") from None


def _same_state(op: Op, shapes: Sequence[Shape], built: Built) -> None:
    """Names, shapes, what is trained, and the size of a number."""
    trained = {} if built.module is None else dict(built.module.named_parameters())
    actual = {
        key: (tuple(value.shape), key in trained, value.element_size())
        for key, value in built.state().items()
    }
    told = {w.name: (w.shape, w.trainable, w.itemsize or 4) for w in op.weights(*shapes)}
    assert told == actual, f"weights: {_differing(told, actual)}"


_Tensor = tuple[Shape, bool, int]
"""Shape, whether it is trained, and the bytes of a number."""


def _differing(told: dict[str, _Tensor], actual: dict[str, _Tensor]) -> str:
    """`torch has reduce.bias 3 (trained), which the layer does not say`."""
    parts = []
    for name in dict.fromkeys([*told, *actual]):
        if name not in actual:
            parts.append(f"the layer says {name} {_tensor(told[name])}, which torch does not have")
        elif name not in told:
            parts.append(f"torch has {name} {_tensor(actual[name])}, which the layer does not say")
        elif told[name] != actual[name]:
            both = f"{_tensor(told[name])}; torch: {_tensor(actual[name])}"
            parts.append(f"the layer says {name} {both}")
    return "; ".join(parts)


def _tensor(known: _Tensor) -> str:
    shape, trained, size = known
    numbers = "" if size == 4 else f", {size} bytes each"
    return f"{by(shape) or 'one number'} ({'trained' if trained else 'a buffer'}{numbers})"


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _does(yes: bool) -> str:
    return "does" if yes else "does not"


def _a_view(yes: bool) -> str:
    return "a view" if yes else "no view of something that it computes"


def _keeping(
    inputs: tuple[int, ...], output: bool, more: int, tensors: Sequence[Tensor] = ()
) -> str:
    """`input 0, its output and 96 bytes more (float32 2x12)`."""
    parts = [f"input {number}" for number in inputs] + ["its output"] * output
    each = [f"{str(t.dtype).removeprefix('torch.')} {by(tuple(t.shape))}".strip() for t in tensors]
    listed = f" ({', '.join([*each[:4], '…'] if len(each) > 4 else each)})" if each else ""
    return ", ".join([*parts, f"{more:,} bytes more{listed}"] if more or not parts else parts)


def _same_kept(
    op: Op, shapes: Sequence[Shape], output: Shape, built: Built, made: list[Tensor]
) -> None:
    """The shape that leaves, and what autograd keeps on the way, in training."""
    batch = len(made[0])
    # Cloned: an operation in place is not allowed on what the user holds.
    inputs = [tensor.requires_grad_().clone() for tensor in made]
    kept: dict[int, Tensor] = {}
    alive = []  # else a storage is freed and its address is used again

    def pack(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        kept[_storage(tensor)] = tensor
        return tensor

    built.train(True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = built.forward(*inputs)
    assert tuple(result.shape) == (batch, *output), (
        f"`output` says {output}; torch: {tuple(result.shape)[1:]}"
    )
    assert result.dtype == torch.float32, f"the output is {result.dtype}, not float32"

    places = [_storage(tensor) for tensor in inputs]
    shared = _storage(result) in places
    assert op.shares_storage == shared, (
        f"`shares_storage` says that the output {_does(op.shares_storage)} share the storage of an"
        f" input; torch: it {_does(shared)}"
    )
    if not op.shares_storage:
        said, is_view = op.gives_view(*shapes), result._is_view()
        assert said == is_view, (
            f"`gives_view` says that the output is {_a_view(said)}; torch: it is {_a_view(is_view)}"
        )
    for tensor in built.state().values():
        kept.pop(_storage(tensor), None)
    actual_inputs = tuple(n for n, p in enumerate(places) if kept.pop(p, None) is not None)
    # Whatever shares its input's storage is counted there.
    actual_output = kept.pop(_storage(result), None) is not None

    told = op.kept(output, *shapes)
    others = list(kept.values())
    more = sum(tensor.untyped_storage().nbytes() for tensor in others)
    actual = (actual_inputs, actual_output, more)
    own = batch * (4 * told.own + told.fixed) + 4 * (told.once + told.filters)
    assert (told.inputs, told.output, own) == actual, (
        f"`kept` says that the backward pass needs {_keeping(told.inputs, told.output, own)}"
        f" (a batch of {batch}); torch keeps {_keeping(*actual, others)}"
    )
    if result.requires_grad:
        torch.autograd.backward(result.sum())  # what is kept must be there when it is needed


def _same_in_evaluation(op: Op, output: Shape, built: Built, made: list[Tensor]) -> None:
    """The shape that leaves in evaluation, and that it is not the input itself, unless that is
    known: what follows may be done in place, and would change what others read."""
    built.train(False)
    with torch.no_grad():
        inputs = [tensor.clone() for tensor in made]
        result = built.forward(*inputs)
    assert tuple(result.shape) == (len(made[0]), *output), (
        f"`output` says {output}; torch, in evaluation: {tuple(result.shape)[1:]}"
    )
    assert op.shares_storage_in_evaluation or _storage(result) not in map(_storage, inputs), (
        "in evaluation, the output shares the storage of an input, which a layer after it might"
        " overwrite: return a copy, or say so with `shares_storage_in_evaluation`"
    )


def _same_macs(
    op: Op,
    shapes: Sequence[Shape],
    output: Shape,
    built: Built,
    batch: int,
    flop_counter: int | None,
) -> None:
    # What a fused kernel of attention computes is not counted on a CPU.
    unfused = sdpa_kernel(SDPBackend.MATH)
    with torch.no_grad(), unfused, FlopCounterMode(display=False) as counter:
        built.forward(*(torch.randn(batch, *shape) for shape in shapes))
    told = op.macs(output, *shapes)
    expected = told if flop_counter is None else flop_counter
    counted = counter.get_total_flops()
    assert counted == 2 * batch * expected, (
        f"the layer says {expected:,} multiply-adds; torch: {counted / 2 / batch:,.0f} for an image"
    )


# ---- the arithmetic of one element -----------------------------------------------------------


def _same_arithmetic(
    op: Op, shapes: Sequence[Shape], output: Shape, built: Built, inputs: list[Tensor]
) -> None:
    """Elements at random positions, worked out with their numbers, in training and evaluation."""
    if not prod(output):
        return
    state = built.state()
    saved = {name: value.clone() for name, value in state.items()}
    for value in state.values():  # fresh weights are zeros and ones, under which much is alike
        if value.is_floating_point():
            value.uniform_(0.2, 1.2)
    numbers = {name: value.clone() for name, value in state.items()}

    def weight(name: str, index: tuple[int, ...]) -> float:
        return numbers[name][index].item()

    pure = [tensor.detach().double().tolist() for tensor in inputs]
    axes = [len(shape) for shape in shapes]

    def reader(image: int) -> Read:
        def read(number: int, channel: int, *position: int) -> float:
            found = pure[number][image][channel]
            if axes[number] == 1:
                assert position == (0, 0), "vectors have one row and column"
                return float(found)
            assert min(position) >= 0, "only what is inside is read"
            for at in position:
                found = found[at]
            return float(found)

        return read

    others = [reader(image) for image in range(1, len(inputs[0]))]
    for training in (False, True):
        built.train(training)
        with torch.no_grad():
            result = built.forward(*(tensor.detach().clone() for tensor in inputs))[0]
        at = tuple(int(torch.randint(side, ())) for side in output)
        actual = result[at].item()
        element = Element(
            at, output, shapes, reader(0), weight, training=training, others=others, actual=actual
        )
        worked = op.work_out(element)
        close = math.isclose(worked.result, actual, rel_tol=1e-4, abs_tol=1e-5)
        undefined = math.isnan(worked.result) and math.isnan(actual)
        assert close or undefined, f"{at} of {op}: {worked.formula}, torch: {actual}"
        _consistent(worked, shapes)
    with torch.no_grad():
        for name, value in state.items():
            value.copy_(saved[name])


def _consistent(worked: Worked, shapes: Sequence[Shape]) -> None:
    """Every term is of a place that there is, and there are lines to read."""
    for group in worked.groups:
        for term in group.terms:
            if term.place is not None and axes_of(shapes[term.place.input]):
                sides = shapes[term.place.input]
                at = term.place.channel, *term.place.position
                assert all(0 <= n < side for n, side in zip(at, sides, strict=True))
        assert group.columns >= 1, group
    assert worked.rule, worked
    lines = worked.lines()
    assert lines, worked
    assert all(how for _, how in lines), lines
    json.dumps(worked.data(), allow_nan=False)


# ---- the receptive field ----------------------------------------------------------------------

Span = tuple[int, int]
"""From a place to another, both included."""


def _same_window(
    op: Op,
    shapes: Sequence[Shape],
    output: Shape,
    built: Built,
    probe: str,
    edges: bool,
    make: Make,
) -> None:
    """In evaluation: while training, a batch norm makes everything depend on everything.

    A window that lies inside the input must be seen exactly; of one that reaches over the edge
    nothing else may be seen (a dilated filter need not touch the very edge). Where outputs lie
    between inputs (a stride that is no whole number), some see less than others: the same holds.
    """
    window = op.window(output, *shapes)
    maps = [n for n, shape in enumerate(shapes) if axes_of(shape)]
    if not maps or (axes_of(output) == 0 and window != EVERYTHING):
        return
    whole = tuple(max(sides) for sides in zip(*(shapes[n][1:] for n in maps), strict=True))
    if window == POINT:
        axes = len(whole)
        window = Window((1,) * axes, (1,) * axes, (0,) * axes)
    built.train(False)
    seen = _seen_by_gradient if probe == "gradient" else _seen_by_nan
    for place in _places(window, whole, output):
        for number in maps:
            if shapes[number][1:] != whole:
                continue  # a gate, which is spread over the others
            spans = seen(built, shapes, number, place, make)
            _same_spans(window, place, shapes[number][1:], spans, edges)


def _same_spans(
    window: Any, place: tuple[int, ...], sides: Shape, spans: list[Any], edges: bool
) -> None:
    if window == EVERYTHING:
        assert spans == [(0, side - 1) for side in sides], (
            f"`window` says that an output sees everything, but it is not everything: {spans}"
        )
        return
    whole = [
        (first, first + size - 1)
        for at, size, stride, start in zip(place, *window, strict=True)
        for first in [floor(start + at * stride)]
    ]
    told = [
        (max(first, 0), min(last, side - 1))
        for (first, last), side in zip(whole, sides, strict=True)
    ]
    what = (
        f"`window` says that output {place} sees {_positions(told)} of the input; torch:"
        f" {_positions(spans)}"
    )
    if told == whole and all(Fraction(stride).denominator == 1 for stride in window.stride):
        assert spans == told, what
    elif edges and None not in spans:
        both = zip(told, spans, strict=True)
        assert all(t[0] <= s[0] <= s[1] <= t[1] for t, s in both), what


def _positions(spans: Sequence[Span | None]) -> str:
    """`positions 1 to 3 by 0 to 2`."""
    return "positions " + " by ".join(f"{s[0]} to {s[1]}" if s else "none" for s in spans)


def _places(window: Any, sides: Shape, output: Shape) -> list[tuple[int, ...]]:
    """Some outputs: a corner, and one in the middle whose window lies inside, if there is one."""
    if not axes_of(output):
        return [()]
    first, last = (0,) * axes_of(output), tuple(side - 1 for side in output[1:])
    if window == EVERYTHING:
        return [first, last]
    inside = [_inside(window, axis, side, output[1 + axis]) for axis, side in enumerate(sides)]
    middle = tuple(places[len(places) // 2] for places in inside)
    return [middle, first, last]


def _inside(window: Window, axis: int, arriving: int, leaving: int) -> list[int]:
    def fits(place: int) -> bool:
        first = floor(window.start[axis] + place * window.stride[axis])
        return first >= 0 and first + window.size[axis] <= arriving

    return [place for place in range(leaving) if fits(place)] or [leaving // 2]


def _at(images: int | slice, place: tuple[int, ...]) -> tuple[int | slice, ...]:
    """All channels at a place of an image, or of all."""
    return images, slice(None), *place


def _seen_by_gradient(
    built: Built,
    shapes: Sequence[Shape],
    number: int,
    place: tuple[int, ...],
    make: Make,
) -> list[Any]:
    inputs = [make((1, *shape)).double() for shape in shapes]
    leaf = inputs[number].requires_grad_()
    inputs[number] = leaf.clone()
    if built.module is not None:
        built.module.double()
    result = built.forward(*inputs)[_at(0, place)]
    (gradient,) = torch.autograd.grad((result * torch.randn_like(result)).sum(), leaf)
    if built.module is not None:
        built.module.float()
    return _spans(gradient[0].ne(0).any(0))


def _seen_by_nan(
    built: Built,
    shapes: Sequence[Shape],
    number: int,
    place: tuple[int, ...],
    make: Make,
) -> list[Any]:
    sides = shapes[number][1:]
    inputs = [make((1, *shape)).expand(prod(sides), *shape) for shape in shapes]
    spoiled = inputs[number].clone()
    for n, at in enumerate(every(*map(range, sides))):
        spoiled[_at(n, at)] = torch.nan
    inputs[number] = spoiled
    with torch.no_grad():
        result = built.forward(*inputs)[_at(slice(None), place)]
    return _spans(result.isnan().any(1).view(sides))


def _spans(seen: Tensor) -> list[Span | None]:
    """The hull of what is seen, by axis."""
    hull: list[Span | None] = []
    for axis in range(seen.ndim):
        along = (
            seen.movedim(axis, 0).reshape(seen.shape[axis], -1).any(1).nonzero().flatten().tolist()
        )
        hull.append((along[0], along[-1]) if along else None)
    return hull
