"""Pooling of every kind: figures worked by hand, gradients, messages, and what torch says."""

from __future__ import annotations

import inspect
from math import ceil, floor

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from dotcnn.compiler.language.signature import ArgumentError
from dotcnn.compiler.language.values import Word
from dotcnn.compiler.ops.base import EVERYTHING, REGISTRY, Kept, Op, Window
from dotcnn.compiler.ops.pool import (
    L2,
    Average,
    Lp,
    Max,
    Min,
    Mixed,
    Pyramid,
    Stochastic,
    Tree,
    Wavelet,
)
from dotcnn.compiler.ops.pool.windows import adaptive_reads, longest
from dotcnn.compiler.shapes import Shape, size
from ops.conformance import attempt, build, conform, maps, operations, pairs, refuses

GLOBAL = {"global": True}
"""`global` is a keyword of Python's: as an argument it has to be handed over like this."""


def run(op: Op, x: Tensor, *, train: bool = True) -> Tensor:
    built = build(op, tuple(x.shape[1:]))
    built.train(train)
    return built.forward(x)


def slope(op: Op, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(run(op, x).sum(), x)
    return gradient


def rows(*numbers: list[float]) -> Tensor:
    """One image of one channel."""
    return torch.tensor([[numbers]], dtype=torch.float32)


# ---- figures worked by hand ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "arriving", "leaving"),
    [
        (Max(kernel=(2, 2)), (6, 28, 28), (6, 14, 14)),  # LeNet-5
        (Max(kernel=(3, 3), stride=(2, 2)), (64, 55, 55), (64, 27, 27)),  # AlexNet
        (Max(kernel=(3, 3), stride=(2, 2), ceil=True), (64, 112, 112), (64, 56, 56)),  # GoogLeNet
        (Max(kernel=(3, 3), stride=(2, 2), same=True), (64, 112, 112), (64, 56, 56)),  # ResNet
        (Max(kernel=(2, 2)), (3, 7, 9), (3, 3, 4)),
        (Max(kernel=(2, 2), ceil=True), (3, 7, 9), (3, 4, 5)),
        (Max(kernel=(3, 2), stride=(1, 2), pad=(1, 0)), (3, 7, 9), (3, 7, 4)),
        (Max(kernel=(3, 3), stride=(1, 1), dilation=(2, 3)), (3, 7, 9), (3, 3, 3)),
        (Max(kernel=(2, 2), same=True), (3, 8, 6), (3, 4, 3)),  # even, and yet it comes out
        (Average(**GLOBAL), (2048, 7, 7), (2048, 1, 1)),
        (Average(adaptive=(7, 7)), (512, 9, 14), (512, 7, 7)),
        (Average(kernel=(6, 5), adaptive=True), (256, 13, 13), (256, 6, 5)),
        (Max(adaptive=(4, 4)), (3, 2, 2), (3, 4, 4)),  # more than there is: as torch has it
        (L2(**GLOBAL), (8, 5, 4), (8, 1, 1)),
        (Wavelet(), (3, 8, 6), (3, 4, 3)),
        (Wavelet(keep="all"), (3, 8, 6), (12, 4, 3)),
        (Pyramid(grids=(4, 2, 1)), (256, 13, 13), (256 * 21,)),
    ],
    ids=repr,
)
def test_sizes(op: Op, arriving: Shape, leaving: Shape) -> None:
    assert op.output(*[arriving]) == leaving


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "pad", "leaving"),
    [
        (7, 2, 2, 1, 4),  # the fifth would start at 8, in the padding: dropped
        (8, 2, 2, 1, 5),  # starts at 7
        (4, 2, 3, 1, 2),
        (5, 3, 2, 0, 2),
        (6, 3, 2, 0, 3),  # the last has two rows to see
        (5, 1, 3, 0, 2),  # a third would start at 6, beyond the end
        (2, 3, 2, 0, 1),
    ],
)
def test_ceil_drops_windows_that_start_in_the_padding(side, kernel, stride, pad, leaving):
    op = Max(kernel=(kernel, kernel), stride=(stride, stride), pad=(pad, pad), ceil=True)
    assert op.output((1, side, side)) == (1, leaving, leaving)
    conform(op, (1, side, side), probe="nan")


def test_two_by_two_keeps_a_quarter_and_learns_nothing():
    op, arriving = Max(kernel=(2, 2)), (64, 112, 112)
    output = op.output(arriving)
    assert 4 * size(output) == size(arriving)
    assert op.weights(arriving) == ()
    assert op.macs(output, arriving) == 0
    assert op.elementwise(output, arriving) == size(arriving)  # each is read once
    assert op.window(output, arriving) == Window((2, 2), (2, 2), (0, 0))


def test_three_by_three_with_stride_two_overlaps():
    op, arriving = Max(kernel=(3, 3), stride=(2, 2)), (64, 55, 55)
    output = op.output(arriving)
    window = op.window(output, arriving)
    assert window == Window((3, 3), (2, 2), (0, 0))
    assert op.elementwise(output, arriving) == 64 * 27 * 27 * 9 > size(arriving)


def test_operations_by_kind():
    """One for each number read; the rest as the documentation of each says."""
    arriving = (2, 4, 4)
    counted = {
        Max(kernel=(2, 2)): 2 * 4 * 4,
        Average(**GLOBAL): 32,
        Average(adaptive=(3, 4)): 2 * 6 * 4,  # rows 1, 2, 2 and 3 lie in two windows
        Min(kernel=(2, 2)): 32 + 32 + 8,
        L2(kernel=(2, 2)): 32 + 32 + 8,
        Mixed(kernel=(2, 2)): 2 * 32 + 3 * 8,
        Stochastic(kernel=(2, 2)): 32 + 4 * 32,
        Tree(kernel=(2, 2)): 4 * 3 * 8,
        Wavelet(): 4 * 8,
        Wavelet(keep="all"): 3 * 32,
        Pyramid(grids=(2, 1)): 32 + 32,
    }
    assert {op: op.elementwise(op.output(arriving), arriving) for op in counted} == counted


def test_exact_at_any_size():
    side = 2**70 + 1
    op = Average(kernel=(3, 3), stride=(2, 2), ceil=True)
    output = op.output((2**60, side, side))
    assert output == (2**60, 2**69, 2**69)
    assert op.elementwise(output, (2**60, side, side)) == 9 * 2**198
    assert op.explain(output, (2**60, side, side))[0][1].endswith(f"= {2**69}")
    uneven = Average(adaptive=(2**69, 1))
    assert uneven.window(uneven.output((1, side, 5)), (1, side, 5)).size == (3, 5)


# ---- gradients -----------------------------------------------------------------------------------


def test_the_gradient_of_a_maximum_is_one_there_and_zero_elsewhere():
    x = rows([1, 9, 2, 3], [4, 5, 8, 7])
    assert_close(slope(Max(kernel=(2, 2)), x), rows([0, 1, 0, 0], [0, 0, 1, 0]))
    assert_close(slope(Min(kernel=(2, 2)), x), rows([1, 0, 1, 0], [0, 0, 0, 0]))
    assert_close(run(Min(kernel=(2, 2)), x), rows([1, 2]))


def test_the_gradient_of_a_mean_is_one_over_its_count():
    assert_close(
        slope(Average(kernel=(2, 3)), torch.randn(1, 1, 4, 6)), torch.full((1, 1, 4, 6), 1 / 6)
    )
    assert_close(
        slope(Average(**GLOBAL), torch.randn(1, 1, 4, 5)), torch.full((1, 1, 4, 5), 1 / 20)
    )


def test_padding_counts_unless_told_otherwise():
    op = Average(kernel=(3, 3), stride=(1, 1), same=True)
    assert_close(run(op, torch.ones(1, 1, 2, 2)), torch.full((1, 1, 2, 2), 4 / 9))
    assert_close(run(op.replace(count_pad=False), torch.ones(1, 1, 2, 2)), torch.ones(1, 1, 2, 2))


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 4])
@pytest.mark.parametrize("window", [{"kernel": (2, 2)}, GLOBAL], ids=str)
def test_the_gradient_of_a_norm(p, window):
    """(sum |x|^p)^(1/p - 1) * |x|^(p - 1) * sign(x)."""
    x = torch.randn(1, 1, 2, 2)
    total = x.abs().pow(p).sum()
    op = Lp(p=float(p), **window)
    assert_close(run(op, x), total.pow(1 / p).view(1, 1, 1, 1))
    assert_close(slope(op, x), total.pow(1 / p - 1) * x.abs().pow(p - 1) * x.sign())


@pytest.mark.parametrize(
    "op", [L2(kernel=(2, 2)), Lp(kernel=(2, 2)), Lp(kernel=(2, 2), p=1.0), L2(**GLOBAL)]
)
def test_a_norm_is_fine_with_zeros(op):
    x = torch.zeros(1, 2, 4, 4)
    assert run(op, x).eq(0).all()
    assert slope(op, x).eq(0).all()


def test_a_norm_is_right_where_torch_is_not():
    """Why there is a module of our own: if this fails, nn.LPPool2d may take its place."""
    x = rows([-3, 1], [-1, 2])
    assert_close(run(Lp(kernel=(2, 2)), x), rows([37 ** (1 / 3)]))
    assert nn.LPPool2d(3, 2)(x).isnan().all()
    x = rows([3, 4, 12])
    assert_close(run(L2(kernel=(1, 2), ceil=True), x), rows([5, 12]))
    assert_close(nn.LPPool2d(2, (1, 2), ceil_mode=True)(x), rows([5, 12 * 2**0.5]))


def test_l2_is_lp_with_two():
    x = torch.randn(2, 3, 6, 6)
    assert_close(run(L2(kernel=(3, 2)), x), run(Lp(kernel=(3, 2), p=2.0), x))
    assert "p" not in L2.fields


# ---- mixed ---------------------------------------------------------------------------------------


def test_a_mixture_begins_half_and_half_and_stays_between():
    x = torch.randn(2, 3, 6, 6)
    built = build(Mixed(kernel=(2, 2)), (3, 6, 6))
    largest, mean = nn.MaxPool2d(2)(x), nn.AvgPool2d(2)(x)
    assert_close(built.forward(x), (largest + mean) / 2)
    for mix, expected in ((40.0, largest), (-40.0, mean)):
        nn.init.constant_(built.state()["mix"], mix)
        assert_close(built.forward(x), expected)


def test_a_mixture_for_each_channel():
    (weight,) = Mixed(kernel=(2, 2), per="channel").weights((64, 8, 8))
    assert weight.shape == (64, 1, 1)
    (weight,) = Mixed(kernel=(2, 2)).weights((64, 8, 8))
    assert weight.shape == (1, 1, 1)


# ---- stochastic ----------------------------------------------------------------------------------


def test_what_is_drawn_is_in_proportion():
    """Zeiler and Fergus, figure 1: activations 1.6 and 2.4 are drawn with 0.4 and 0.6."""
    torch.manual_seed(0)
    x = rows([1.6, 0], [0, 2.4]).expand(20_000, 1, 2, 2)
    drawn = run(Stochastic(kernel=(2, 2)), x).flatten()
    assert set(drawn.unique().tolist()) == set(torch.tensor([1.6, 2.4]).tolist())
    assert abs(drawn.eq(1.6).float().mean() - 0.4) < 0.015  # four standard deviations


def test_evaluation_takes_the_mean_under_those_probabilities():
    op = Stochastic(kernel=(2, 2))
    x = rows([1.6, 0, -1, 0], [0, 2.4, 0, -2])
    assert_close(run(op, x, train=False), rows([0.4 * 1.6 + 0.6 * 2.4, 0]))


def test_nothing_positive_gives_zero():
    x = -torch.rand(1, 2, 4, 4)
    for train in (True, False):
        assert run(Stochastic(kernel=(2, 2)), x, train=train).eq(0).all()
    assert slope(Stochastic(kernel=(2, 2)), torch.zeros(1, 1, 4, 4)).eq(0).all()


def test_windows_that_overlap_draw_each_for_itself():
    torch.manual_seed(0)
    x = torch.ones(1, 1, 3, 5).cumsum(-1).expand(2_000, 1, 3, 5)
    op = Stochastic(kernel=(1, 3), stride=(3, 1))
    left, middle, _ = run(op, x).unbind(-1)
    # Both see columns 2 and 3; with draws in common, the pair (3, 2) could not come about.
    assert (left.eq(3) & middle.eq(2)).any()
    assert set(left.unique().tolist()) == {1, 2, 3}


def test_the_gradient_goes_to_what_was_drawn():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 7, 9, requires_grad=True)
    drawn = run(Stochastic(kernel=(3, 3), stride=(2, 2)), x)
    (gradient,) = torch.autograd.grad(drawn.sum(), x)
    assert gradient.sum() == drawn.numel()
    assert_close((gradient * x).sum(), drawn.sum())
    windows = x.unfold(2, 3, 2).unfold(3, 3, 2)
    assert windows.eq(drawn[..., None, None]).any(-1).any(-1).all()  # each out of its own window


# ---- tree ----------------------------------------------------------------------------------------


def test_the_size_of_a_tree():
    """Two levels are four filters and three gates of K*K numbers, whatever the channels."""
    op, arriving = Tree(kernel=(3, 3), stride=(2, 2)), (64, 13, 13)
    (weight,) = op.weights(arriving)
    assert size(weight.shape) == 7 * 9 == 63
    assert op.macs(op.output(arriving), arriving) == 64 * 6 * 6 * 63
    (weight,) = op.replace(levels=1).weights(arriving)
    assert size(weight.shape) == 3 * 9 == 27


def test_a_tree_mixes_pairs_by_its_gates():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 6)
    built = build(Tree(kernel=(2, 2)), (3, 4, 6))
    weight = built.state()["weight"]
    nn.init.normal_(weight)
    windows = x.unfold(2, 2, 2).unfold(3, 2, 2)
    products = [(windows * w).sum((-2, -1)) for w in weight[:, 0]]
    (a, b, c, d), (first, second, top) = products[:4], [g.sigmoid() for g in products[4:]]
    left, right = first * a + (1 - first) * c, second * b + (1 - second) * d
    assert_close(built.forward(x), top * left + (1 - top) * right)


def test_a_tree_begins_near_the_mean():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 8, 8)
    assert (run(Tree(kernel=(2, 2)), x) - nn.AvgPool2d(2)(x)).abs().max() < 0.2


# ---- wavelet -------------------------------------------------------------------------------------


def test_the_haar_wavelet_of_four_numbers():
    x = rows([1, 2], [3, 8])
    assert_close(run(Wavelet(), x), rows([7]))
    bands = run(Wavelet(keep="all"), x).flatten()
    assert bands.tolist() == [7, (1 - 2 + 3 - 8) / 2, (1 + 2 - 3 - 8) / 2, (1 - 2 - 3 + 8) / 2]


def test_the_bands_keep_length_and_order():
    """Orthonormal: as long as before. Sums of all channels come first."""
    x = torch.randn(2, 3, 6, 8)
    bands = run(Wavelet(keep="all"), x)
    assert_close(bands.square().sum(), x.square().sum())
    assert_close(bands[:, :3], run(Wavelet(), x))
    assert_close(bands[:, :3], 2 * nn.AvgPool2d(2)(x))


@pytest.mark.parametrize("shape", [(3, 8), (2, 4, 6, 2)])
def test_wavelets_of_series_and_volumes(shape):
    """Sums and differences along each axis, with the length of what arrives."""
    x = torch.randn(2, *shape)
    for keep in ("ll", "all"):
        conform(Wavelet(keep=keep), shape)
    bands = run(Wavelet(keep="all").on_axes(len(shape) - 1), x)
    assert_close(bands.norm(), x.norm())
    assert_close(bands[:, : shape[0]], run(Wavelet().on_axes(len(shape) - 1), x))
    expected = [x]
    for axis in range(len(shape), 1, -1):
        split = [e.unflatten(axis, (-1, 2)).unbind(axis + 1) for e in expected]
        expected = [(a + b) / 2**0.5 for a, b in split] + [(a - b) / 2**0.5 for a, b in split]
    assert_close(bands, torch.cat(expected, 1))


# ---- adaptive, pyramid ---------------------------------------------------------------------------


def test_adaptive_and_global_are_read_both_ways():
    """`pool avg adaptive 7x7`, `pool avg adaptive=7x7`, `adaptive=7`, and off."""
    field = Average.fields["adaptive"]
    assert field.is_flag
    assert field.read(True) is True
    assert field.read((7, 5)) == (7, 5)
    assert field.read(7) == (7, 7)
    assert field.read(False) is False
    with pytest.raises(ArgumentError, match="is not a whole number"):
        field.read(0)
    with pytest.raises(ArgumentError):
        field.read(Word("wide"))
    assert Average.fields["global"].is_flag
    arriving = (3, 9, 14)
    texts = [
        str(op.torch(op.output(arriving), arriving).module)
        for op in (Average(adaptive=(7, 5)), Average(kernel=(7, 5), adaptive=True))
    ]
    assert texts == ["nn.AdaptiveAvgPool2d((7, 5))"] * 2
    op = Average(adaptive=(1, 1))
    assert op.window(op.output(arriving), arriving) == EVERYTHING


def test_adaptive_windows_by_hand():
    """Rows 0..3 in three: [0, 2), [1, 3), [2, 4)."""
    x = rows([1, 2, 4, 8])
    assert_close(run(Average(adaptive=(1, 3)), x), rows([1.5, 3, 6]))
    assert_close(run(Average(adaptive=(1, 6)), x), rows([1, 1.5, 2, 4, 6, 8]))


@given(st.integers(1, 60), st.integers(1, 60))
def test_adaptive_windows_counted_without_counting(side, windows):
    borders = [(floor(i * side / windows), ceil((i + 1) * side / windows)) for i in range(windows)]
    sizes = [end - start for start, end in borders]
    assert longest(side, windows) == max(sizes)
    assert adaptive_reads((1, side, 1), (windows, 1)) == sum(sizes)


@given(st.integers(1, 12), st.integers(1, 12))
def test_adaptive_windows_as_torch_has_them(side, windows):
    """What our window says holds them all, and the first number of each is right."""
    op = Average(adaptive=(windows, 2))
    window = op.window(op.output((1, side, 2)), (1, side, 2))
    x = torch.rand(1, 1, side, 2, requires_grad=True)
    result = run(op, x)
    for place in range(windows):
        (gradient,) = torch.autograd.grad(result[0, 0, place, 0], x, retain_graph=True)
        seen = gradient[0, 0, :, 0].nonzero().flatten().tolist()
        first = floor(place * window.stride[0])
        assert seen[0] == first
        assert seen[-1] < first + window.size[0]


def test_a_pyramid_of_any_map_is_the_same_vector():
    op = Pyramid(grids=(4, 2, 1))
    assert op.output((256, 13, 13)) == op.output((256, 10, 7)) == (5376,)
    x = torch.randn(2, 3, 8, 8)
    flat = run(op, x)
    assert_close(flat[:, : 3 * 16], nn.MaxPool2d(2)(x).flatten(1))
    assert_close(flat[:, -3:], x.amax((2, 3)))
    assert_close(run(op.replace(avg=True), x)[:, -3:], x.mean((2, 3)))


# ---- what is kept --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "kept"),
    [
        (Max(kernel=(2, 2)), Kept(inputs=(0,), fixed=8 * 48)),
        (Max(adaptive=(2, 2)), Kept(inputs=(0,), fixed=8 * 12)),
        (Average(kernel=(2, 2)), Kept(inputs=(0,))),
        (Average(adaptive=(2, 2)), Kept(inputs=(0,))),
        (Average(**GLOBAL), Kept()),
        (Average(adaptive=(1, 1)), Kept()),
        (L2(**GLOBAL), Kept(inputs=(0,), output=True)),
        (Wavelet(keep="all"), Kept()),
        (Stochastic(kernel=(2, 2)), Kept(inputs=(0,), output=True, fixed=8 * 48)),
    ],
    ids=repr,
)
def test_kept(op, kept):
    arriving = (3, 8, 8)
    assert op.kept(op.output(arriving), arriving) == kept
    conform(op, arriving, probe=None)


# ---- torch's word for it -------------------------------------------------------------------------

STRICTER = "`same`|`same_upper`|step over"
"""Even windows, which cannot be padded evenly; `same` with `pad` or `ceil`; what crashes torch."""

WINDOWS = {
    "kernel": pairs(1, 4),
    "stride": st.none() | pairs(1, 4),
    "pad": pairs(0, 2) | st.just((0, 0)),
    "global": False,
    "adaptive": False,
}
SIZES = {
    "kernel": None,
    "stride": None,
    "pad": (0, 0),
    "dilation": (1, 1),
    "same": False,
    "same_upper": False,
    "ceil": False,
    "count_pad": True,
}


@pytest.mark.parametrize("cls", [Max, Min, Average, Mixed, L2, Lp], ids=lambda cls: cls.word)
@given(data=st.data(), shape=maps())
def test_any_window(cls, data, shape):
    op = data.draw(operations(cls, **WINDOWS))
    attempt(op, shape, stricter=STRICTER, probe="nan")


@pytest.mark.parametrize("cls", [Max, Min, Average, Mixed], ids=lambda cls: cls.word)
@given(data=st.data(), shape=maps())
def test_any_size(cls, data, shape):
    op = data.draw(operations(cls, **{**SIZES, "global": False, "adaptive": pairs(1, 5)}))
    attempt(op, shape, probe="nan")


@pytest.mark.parametrize("cls", [Max, Min, Average, Mixed, L2, Lp], ids=lambda cls: cls.word)
@given(data=st.data(), shape=maps())
def test_any_global(cls, data, shape):
    op = data.draw(operations(cls, **{**SIZES, "global": True, "adaptive": False}))
    attempt(op, shape, probe="nan")


@given(operations(Stochastic, **WINDOWS), maps())
def test_any_stochastic(op, shape):
    attempt(op, shape, make=torch.rand)


@given(operations(Tree, **{**WINDOWS, "levels": st.integers(1, 3)}), maps())
def test_any_tree(op, shape):
    attempt(op, shape, stricter="`same`|half of a window")  # a convolution pads as you like


@given(operations(Wavelet, kernel=(2, 2)), maps())
def test_any_wavelet(op, shape):
    attempt(op, shape, stricter="takes pairs of")  # torch would drop the last row


@given(
    operations(Pyramid, grids=st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)),
    maps(),
)
def test_any_pyramid(op, shape):
    attempt(op, shape, probe="nan")


HELPED = [
    Lp(kernel=(3, 3), stride=(2, 2), same=True, ceil=False),
    Mixed(kernel=(2, 2), per="channel"),
    Stochastic(kernel=(3, 3), stride=(2, 2)),
    Tree(kernel=(2, 2)),
    Wavelet(keep="all"),
    Pyramid(grids=(2, 1)),
]
"""Those that come with source of our own."""


@pytest.mark.parametrize("op", HELPED, ids=lambda op: op.word)
@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
def test_traced_in_one_piece(op, train):
    """Nothing in it depends on the numbers that arrive: torch.export takes it whole."""
    built = build(op, (3, 8, 8))
    built.train(train)
    exported = torch.export.export(_Whole(built), (torch.rand(2, 3, 8, 8),))
    x = torch.rand(2, 3, 8, 8)
    torch.manual_seed(0)
    expected = built.forward(x)
    torch.manual_seed(0)
    assert_close(exported.module(**_NO_GUARDS)(x), expected)


_PARAMETERS = inspect.signature(torch.export.ExportedProgram.module).parameters
_NO_GUARDS = {"check_guards": False} if "check_guards" in _PARAMETERS else {}
"""An exported program is asked without its checks of the input, which torch has since 2.9."""


class _Whole(nn.Module):
    def __init__(self, built) -> None:
        super().__init__()
        self.held = built.module
        self.run = built.forward
        self.train(built.module.training if built.module else True)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x)


@pytest.mark.parametrize("op", HELPED, ids=lambda op: op.word)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
def test_in_half_precision(op, dtype, train):
    built = build(op, (3, 8, 8))
    built.train(train)
    if built.module:
        built.module.to(dtype)
    x = (300 * torch.rand(2, 3, 8, 8)).to(dtype)  # squared, more than float16 can hold
    x[0, 0, :4, :4] = 0
    result = built.forward(x)
    assert result.dtype == dtype
    assert result.isfinite().all()


# ---- messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "arriving", "message", "help"),
    [
        (Max(kernel=(3, 3)), (64, 2, 9), "spans 3 does not fit into 2", "global"),
        (Stochastic(kernel=(3, 3)), (64, 2, 9), "does not fit into 2", "smaller window"),
        (Max(kernel=(5, 5), pad=(1, 1)), (8, 2, 2), r"does not fit into 2 \(\+ 2 padding\)", ""),
        (Max(kernel=(3, 3), pad=(2, 2)), (8, 9, 9), "a padding of 2, .* window of 3x3", "by 1"),
        (
            Max(kernel=(2, 2), same=True, pad=(1, 1)),
            (8, 9, 9),
            "computes the padding itself",
            "`pad`",
        ),
        (Max(kernel=(2, 2), same=True, ceil=True), (8, 9, 9), "both set the size", "one of"),
        (Max(kernel=(3, 3), dilation=(2, 2), same=True), (8, 9, 9), "`same` needs", "`dilation`"),
        (
            Max(kernel=(2, 2), dilation=(2, 2), stride=(1, 1), pad=(1, 1)),
            (8, 1, 9),
            "windows that begin in the padding can step over all of 1",
            "take `dilation` or",
        ),
        (Max(), (8, 9, 9), "`pool max` needs the size of its window", "`pool max 2x2`, or"),
        (Max(adaptive=True), (8, 9, 9), "needs the output size", "max adaptive 7x7"),
        (Max(kernel=(3, 3), **GLOBAL), (8, 9, 9), "`global` computes", "take `kernel` out"),
        (Average(adaptive=(3, 3), **GLOBAL), (8, 9, 9), "`adaptive` computes", "take `global` out"),
        (Average(adaptive=(3, 3), same=True), (8, 9, 9), "`adaptive` computes", "take `same` out"),
        (Average(count_pad=False, **GLOBAL), (8, 9, 9), "`global` computes", "`count_pad`"),
        (
            Max(kernel=(2, 2)),
            (10,),
            "`pool max` needs a map.*its input is 10",
            "before the `flatten`",
        ),
        (Pyramid(grids=(2,)), (10,), "`spp` needs a map", "before the `flatten`"),
        (Wavelet(), (3, 7, 8), "takes pairs of rows, and its input has 7", "`pool avg 2x2`"),
        (Wavelet(kernel=(3, 3)), (3, 8, 8), "a Haar wavelet is 2x2, not 3x3", "`pool wavelet`"),
        (Tree(kernel=(2, 2), levels=60), (3, 8, 8), "tree of 60 levels has 2\\^60 filters", "8"),
    ],
)
def test_refused(op, arriving, message, help):
    told = refuses(op, arriving, match=message, stricter=True)
    assert help in told.partition("\n")[2]


def test_the_way_out_of_same_works():
    op, arriving = Max(kernel=(2, 2), same=True), (3, 7, 8)
    told = refuses(op, arriving, match="even size 2x2 evenly over 7", stricter=True)
    assert "write `ceil` in place of `same`: the output is then 4x4" in told
    assert op.replace(same=False, ceil=True).output(arriving) == (3, 4, 4)
    told = refuses(op.replace(stride=(1, 1)), arriving, match="even size", stricter=True)
    assert told.endswith("take a window of odd size, or write `same_upper`")
    told = refuses(Tree(kernel=(2, 2), same=True), arriving, match="even size", stricter=True)
    assert told.endswith("take a window of odd size")


@pytest.mark.parametrize(
    ("op", "arriving", "lines"),
    [
        (
            Max(kernel=(3, 3), stride=(2, 2), pad=(1, 1)),
            (64, 112, 112),
            [
                ("height", "(112 + 2*1 - 3)/2 + 1 = 56.5 -> 56"),
                ("width", "(112 + 2*1 - 3)/2 + 1 = 56.5 -> 56"),
                ("numbers", "200,704 of 802,816 = 25 %"),
                ("reads", "64*56*56 windows * 3*3 = 1,806,336"),
            ],
        ),
        (
            Max(kernel=(2, 2), pad=(1, 1), ceil=True),
            (1, 7, 8),
            [
                (
                    "height",
                    "(7 + 2*1 - 2)/2 + 1 = 4.5 -> 5 -> 4, since the last window would start in the "
                    "padding",
                ),
                ("width", "(8 + 2*1 - 2)/2 + 1 = 5"),
                ("numbers", "20 of 56 = 35.7 %"),
                ("reads", "1*4*5 windows * 2*2 = 80"),
            ],
        ),
        (
            Average(**GLOBAL),
            (2048, 7, 7),
            [
                ("height", "one window over all 7"),
                ("width", "one window over all 7"),
                ("numbers", "2,048 of 100,352 = 2 %"),
                ("reads", "100,352"),
            ],
        ),
        (
            Average(adaptive=(7, 7)),
            (512, 14, 9),
            [
                ("height", "14 into 7: windows of 14/7 = 2"),
                (
                    "width",
                    "9 into 7: windows of 2 or 3, from floor(i*9/7) to ceil((i + 1)*9/7)",
                ),
                ("numbers", "25,088 of 64,512 = 38.9 %"),
                ("reads", "107,520"),
            ],
        ),
        (
            Pyramid(grids=(2, 1)),
            (256, 8, 8),
            [
                ("2x2", "8 into 2: windows of 8/2 = 4"),
                ("1x1", "one window over all 8"),
                ("numbers", "256 channels * (2*2 + 1*1) = 1,280"),
            ],
        ),
        (
            Wavelet(keep="all"),
            (16, 8, 6),
            [
                ("height", "8/2 = 4"),
                ("width", "6/2 = 3"),
                ("each window", "(a + b + c + d)/2 of the numbers a b above c d"),
                ("differences", "(a - b + c - d)/2, (a + b - c - d)/2, (a - b - c + d)/2"),
                ("channels", "4 bands * 16 = 64"),
            ],
        ),
    ],
    ids=lambda value: value.word if isinstance(value, Op) else "",
)
def test_explained(op, arriving, lines):
    assert op.explain(op.output(arriving), arriving) == lines


def test_a_tree_explained():
    op, arriving = Tree(kernel=(3, 3), stride=(2, 2)), (64, 13, 13)
    lines = dict(op.explain(op.output(arriving), arriving))
    assert lines["parameters"] == "(4 filters + 3 gates) * 3*3 = 63, the same for all channels"
    assert lines["multiply-adds"] == "64*6*6 outputs * (4 filters + 3 gates) * 3*3 = 145,152"


def test_signatures():
    assert {str(kind.signature()) for word, kind in REGISTRY.items() if kind.kind == "pool"} == {
        "pool max kernel=… stride=… pad=0 [same] [ceil] [global] [adaptive] dilation=1"
        " [same_upper]",
        "pool min kernel=… stride=… pad=0 [same] [ceil] [global] [adaptive] dilation=1"
        " [same_upper]",
        "pool avg kernel=… stride=… pad=0 [same] [ceil] [global] [adaptive] count_pad=on"
        " [same_upper]",
        "pool l2 kernel=… stride=… pad=0 [same] [ceil] [global]",
        "pool lp kernel=… stride=… pad=0 [same] [ceil] [global] p=3",
        "pool mixed kernel=… stride=… pad=0 [same] [ceil] [global] [adaptive] per=layer",
        "pool stochastic kernel stride=…",
        "pool tree kernel stride=… pad=0 [same] levels=2",
        "pool wavelet kernel=2 keep=ll",
        "spp grids … [avg]",
    }
