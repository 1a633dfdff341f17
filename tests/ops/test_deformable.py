"""Filters that are moved or computed for each place: deform, involution."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dotcnn.compiler.ops.conv import Deform, Involution
from dotcnn.compiler.shapes import Shape, all_axes
from ops.conformance import build, conform, refuses

DEFORM = [
    (Deform(out=2, kernel=(3, 3), same=True, bias=True), (1, 3, 4), (18, 3, 4)),
    (
        Deform(
            out=4, kernel=(3, 2), stride=(2, 1), pad=(1, 0), dilation=(1, 2), groups=2, bias=False
        ),
        (4, 5, 6),
        (12, 3, 4),
    ),
    (
        Deform(out=2, kernel=(1, 2), modulated=True, offset_groups=2, bias=True),
        (4, 3, 4),
        (12, 3, 3),
    ),
]


@pytest.mark.parametrize(("op", "shape", "shifts"), DEFORM)
def test_deform(op: Deform, shape: tuple[int, ...], shifts: tuple[int, ...]) -> None:
    # What an output sees depends on the shifts.
    conform(op, shape, shifts, probe=None)


def between_pixels(image: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Bilinear, with zeros around; differentiable by the image and by the place."""
    total = image.new_zeros(())
    above, before = math.floor(y.item()), math.floor(x.item())
    for row, column in product((above, above + 1), (before, before + 1)):
        if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
            total = total + image[row, column] * (1 - (y - row).abs()) * (1 - (x - column).abs())
    return total


def slowly(op: Deform, x: Tensor, shifts: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The definition, an output at a time."""
    channels, (rows, columns) = x.shape[1], shifts.shape[2:]
    inside, taps = channels // op.groups, weight[0, 0].numel()
    top, left = (op.padding(axis, x.shape[2 + axis])[0] for axis in (0, 1))
    result = []
    for out, row, column in product(range(op.out), range(rows), range(columns)):
        total = x.new_zeros(()) if bias is None else bias[out]
        first = out // (op.out // op.groups) * inside
        for own, tap in product(range(inside), range(taps)):
            group = (first + own) // (channels // op.offset_groups)
            down, right = divmod(tap, op.kernel[1])
            at = 2 * (group * taps + tap)
            read = between_pixels(
                x[0, first + own],
                row * op.stride[0] - top + down * op.dilation[0] + shifts[0, at, row, column],
                column * op.stride[1] - left + right * op.dilation[1]
                + shifts[0, at + 1, row, column],
            )  # fmt: skip
            if op.modulated:
                place = 2 * op.offset_groups * taps + group * taps + tap
                read = read * shifts[0, place, row, column].sigmoid()
            total = total + weight[out, own, down, right] * read
        result.append(total)
    return torch.stack(result).view(1, op.out, rows, columns)


@pytest.mark.parametrize(("op", "shape", "shifts"), DEFORM)
def test_deform_is_what_its_definition_says(
    op: Deform, shape: tuple[int, ...], shifts: tuple[int, ...]
) -> None:
    """Values, and the gradients by the map, the shifts and the weights."""
    torch.manual_seed(0)
    built = build(op, shape, shifts)
    assert built.module is not None
    module = built.module.double()
    weights = dict(module.named_parameters())
    x, moved = (
        torch.randn(1, *s, dtype=torch.float64, requires_grad=True) for s in (shape, shifts)
    )
    results = []
    for out in (
        built.forward(x, moved),
        slowly(op, x, moved, weights["weight"], weights.get("bias")),
    ):
        factors = torch.arange(out.numel(), dtype=torch.float64).view_as(out).cos()
        read = [x, moved, *weights.values()]
        results.append([out, *torch.autograd.grad((out * factors).sum(), read)])
    for own, expected in zip(*results, strict=True):
        assert torch.allclose(own, expected, atol=1e-10)


def test_without_shifts_it_is_a_convolution() -> None:
    op, x = Deform(out=4, kernel=(3, 3), stride=(2, 2), pad=(1, 1)), torch.randn(2, 3, 7, 8)
    built = build(op, (3, 7, 8), (18, 4, 4))
    weight, bias = built.state()["weight"], built.state()["bias"]
    expected = F.conv2d(x, weight, bias, stride=2, padding=1)
    assert torch.allclose(built.forward(x, torch.zeros(2, 18, 4, 4)), expected, atol=1e-5)


def test_places_are_exact_in_half_precision() -> None:
    """Not to the eight bits of a bfloat16: column 301 is not 302."""
    op, x = Deform(out=1, bias=False), torch.arange(600.0).view(1, 1, 1, 600)
    built = build(op, (1, 1, 600), (2, 1, 600))
    built.state()["weight"].fill_(1)
    assert built.module is not None
    with torch.autocast("cpu", torch.bfloat16):
        out = built.module(x.bfloat16(), torch.zeros(1, 2, 1, 600, dtype=torch.bfloat16))
    assert torch.equal(out.float(), x.bfloat16().float())


def test_what_deform_refuses() -> None:
    op = Deform(out=4, kernel=(3, 3), same=True)
    # The text would leave what is too much.
    told = refuses(
        op, (2, 5, 6), (27, 5, 6), match="shifts of this filter are 18x5x6", stricter=True
    )
    assert "`conv 18`" in told
    refuses(op.replace(offset_groups=3), (2, 5, 6), (54, 5, 6), match="divided into 3 groups")


def test_involution() -> None:
    op = Involution(kernel=(3, 2), stride=(2, 1), pad=(1, 0), groups=2)
    # Torch's counter takes the products for elementwise.
    conform(op, (4, 5, 6), (12, 3, 5), flop_counter=0)
    conform(Involution(kernel=(3, 3), same=True), (2, 4, 4), (9, 4, 4), flop_counter=0, probe=None)
    told = refuses(op, (4, 5, 6), (6, 3, 5), match="filters of each place are 12x3x5")
    assert "`conv 12`" in told
    refuses(op, (3, 5, 6), (12, 3, 5), match="divided into 2 groups")


@pytest.mark.parametrize("shape", [(4, 7), (4, 3, 4, 5)], ids=str)
def test_involution_of_series_and_volumes(shape: Shape) -> None:
    """With the same filter everywhere, it is a depthwise convolution."""
    axes = len(shape) - 1
    for arguments in ({"same": True}, {"stride": all_axes(2), "dilation": all_axes(1)}):
        op = Involution(kernel=all_axes(3), groups=2, **arguments).on_axes(axes)
        sides = op.output(shape)[1:]
        taps = 3**axes
        conform(op, shape, (2 * taps, *sides), flop_counter=0, probe=None)
        x, one = torch.randn(2, *shape), torch.randn(2, taps)
        filters = one.view(1, -1, *[1] * axes).expand(2, -1, *sides)
        convolve = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
        weight = one.view(2, 1, *[3] * axes).repeat_interleave(2, 0)
        padding = 1 if op.same else 0
        expected = convolve(x, weight, None, op.stride, padding, groups=4)
        result = build(op, shape, (2 * taps, *sides)).forward(x, filters)
        assert torch.allclose(result, expected, atol=1e-5)


def test_an_involution_of_one_filter_is_a_depthwise_convolution() -> None:
    """The same at all places; and its gradient by the filters sums what they lie on."""
    x, rows = torch.randn(2, 4, 5, 5), torch.randn(2, 9)
    filters = rows.flatten()[None, :, None, None].expand(2, -1, 5, 5).requires_grad_()
    op = Involution(kernel=(3, 3), same=True, groups=2)
    out = build(op, (4, 5, 5), (18, 5, 5)).forward(x, filters)
    weight = rows.repeat_interleave(2, 0).view(4, 1, 3, 3)
    assert torch.allclose(out, F.conv2d(x, weight, padding=1, groups=4), atol=1e-5)
    (gradient,) = torch.autograd.grad(out.sum(), filters)
    windows = F.unfold(x, 3, padding=1).view(2, 2, 2, 9, 5, 5).sum(2).flatten(1, 2)
    assert torch.allclose(gradient, windows, atol=1e-5)
