"""The worked examples of `cnn explain`: their numbers are those of torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from dotcnn.compiler.ops.base import Op
from dotcnn.compiler.ops.conv import Conv, Separable
from dotcnn.compiler.ops.dropout import Dropout, Dropout2d, DropPath
from dotcnn.compiler.ops.examples import WINDOW, correlation_lines, readers, slopes
from dotcnn.compiler.ops.filter import Filter
from dotcnn.compiler.ops.norm import ARRIVING, MINI_BATCH, BatchNorm
from dotcnn.compiler.ops.pool import (
    L2,
    Average,
    Lp,
    Max,
    Min,
    Mixed,
    Pool,
    Pyramid,
    Stochastic,
    Tree,
    Wavelet,
)
from ops.conformance import build

SQUARE = (1, 2, 2)


def text(op: Op, *shapes: tuple[int, ...]) -> str:
    return "\n".join(" ".join(line) for line in op.examples(op.output(*shapes), *shapes))


@pytest.mark.parametrize(
    ("op", "shown"),
    [
        (Max(kernel=(2, 2)), "gradient 0 1 / 0 0"),
        (Min(kernel=(2, 2)), "gradient 0 0 / 1 0"),
        (Average(kernel=(2, 2)), "gradient 0.25 0.25 / 0.25 0.25"),
        (L2(kernel=(2, 2)), "gradient 0.1601 0.8006 / -0.4804 0.3203"),
        (Lp(kernel=(2, 2)), "gradient 0.03379 0.8447 / -0.3041 0.1352"),
        (Mixed(kernel=(2, 2)), "gradient 0.125 0.625 / 0.125 0.125"),
        (Stochastic(kernel=(2, 2)), "gradient -0.2188 0.7812 / 0 0.03125"),
        (Tree(kernel=(2, 2), levels=1), "gradient 0.3248 0.2375 / 0.2625 0.1752"),
        (Wavelet(), "gradient 0.5 0.5 / 0.5 0.5"),
    ],
    ids=lambda value: value.word if isinstance(value, Op) else "",
)
def test_gradients_of_pooling(op: Op, shown: str) -> None:
    """As torch differentiates them, and as they are printed."""
    initial = getattr(op, "initial", Pool.initial)
    built = build(op, SQUARE)
    if built.module is not None:
        built.module.double()
        for name, value in built.state().items():
            for place in torch.cartesian_prod(*map(torch.arange, value.shape)).tolist():
                value[tuple(place)] = initial(name, tuple(place))
        built.module.eval()
    x = torch.tensor(WINDOW).double().view(1, 1, 2, 2).requires_grad_()
    built.forward(x)[0, 0, 0, 0].backward()
    assert x.grad is not None
    assert_close(torch.tensor(slopes(op, WINDOW, initial)), x.grad.flatten().float())
    assert shown in text(op, SQUARE)


def test_the_textbook_gradient_of_the_p_norm() -> None:
    """(sum |x|^p)^(1/p - 1) * |x|^(p - 1) * sign(x)."""
    total = sum(abs(x) ** 3 for x in WINDOW)
    formula = [total ** (1 / 3 - 1) * abs(x) ** 2 * (1 if x > 0 else -1) for x in WINDOW]
    assert slopes(Lp(kernel=(2, 2)), WINDOW, Pool.initial) == pytest.approx(formula, abs=1e-6)
    assert "(sum of |x|^3)^(1/3 - 1) * |x|^(3 - 1) * sign(x)" in text(Lp(kernel=(2, 2)), SQUARE)


def test_a_power_of_one_is_the_sum() -> None:
    told = text(Lp(kernel=(2, 2), p=1.0), SQUARE)
    assert told.splitlines() == [
        "gradient sign(x)",
        " of 1 5 / -3 2: |1| + |5| + |-3| + |2| = 11, gradient 1 1 / -1 1",
    ]


@pytest.mark.parametrize(
    "op",
    [
        Max(**{"global": True}),
        Average(adaptive=(3, 3)),
        Max(kernel=(3, 3), stride=(2, 2), pad=(1, 1), ceil=True),
        Mixed(kernel=(3, 3), per="channel"),
        L2(kernel=(5, 5), same=True),
        Pyramid(grids=(4, 2, 1)),
        Pyramid(grids=(1,), avg=True),
        Tree(kernel=(3, 3), levels=3),
        Stochastic(kernel=(2, 2)),
    ],
    ids=lambda op: op.word,
)
def test_every_pool_has_an_example_of_its_own_kind(op: Op) -> None:
    first, second = op.examples(op.output((4, 9, 9)), (4, 9, 9))
    assert first[0] == "gradient"
    assert first[1]
    assert second[1].startswith("of 1 5 / -3 2")


@pytest.mark.parametrize("affine", [True, False, "bias"])
def test_a_mini_batch_in_training_and_evaluation(affine: bool | str) -> None:
    op = BatchNorm(affine=affine, momentum=0.25)
    told = dict(op.examples((4, 6, 6), (4, 6, 6)))
    built = build(op, (1,))
    assert built.module is not None
    built.module.double()

    def both(training: bool) -> tuple[Tensor, Tensor]:
        built.train(training)
        x = torch.tensor(MINI_BATCH).double().unsqueeze(1).requires_grad_()
        y = built.forward(x)
        y.backward(torch.tensor(ARRIVING).double().unsqueeze(1))
        assert x.grad is not None
        return y.detach().flatten(), x.grad.flatten()

    for when in ("training", "evaluation"):  # training sets the running averages
        y, dx = both(when == "training")
        assert numbers(told[f"{when} y"]) == pytest.approx(y.tolist(), rel=1e-3, abs=1e-5)
        assert numbers(told[f"{when} dx"]) == pytest.approx(dx.tolist(), rel=1e-3, abs=1e-5)
    assert "running mean 0.75*0 + 0.25*5 = 1.25, variance 0.75*1 + 0.25*5 = 2" in text(
        op, (4, 6, 6)
    )


def test_gradients_of_the_scale_and_bias_of_a_mini_batch() -> None:
    layer = torch.nn.BatchNorm1d(1).double()
    layer(torch.tensor(MINI_BATCH).double().unsqueeze(1)).backward(
        torch.tensor(ARRIVING).double().unsqueeze(1)
    )
    assert layer.weight.grad is not None
    assert layer.bias.grad is not None
    assert layer.weight.grad.item() == pytest.approx(-1.5, abs=1e-5)
    assert layer.bias.grad.item() == 1
    shown = "dbias = sum of dy = 1"
    assert f"dweight = sum of dy*n = -1.5, {shown}" in text(BatchNorm(), (4, 6, 6))
    unscaled = text(BatchNorm(affine="bias"), (4, 6, 6))
    assert shown in unscaled
    assert "dweight" not in unscaled
    assert "dbias" not in text(BatchNorm(affine=False), (4, 6, 6))


def test_without_averages_evaluation_is_like_training() -> None:
    told = dict(BatchNorm(track=False).examples((4, 6, 6), (4, 6, 6)))
    assert told["training y"] == told["evaluation y"]
    assert told["training dx"] == told["evaluation dx"]


def numbers(line: str) -> list[float]:
    return list(map(float, line.split()))


@pytest.mark.parametrize("kind", [Dropout, Dropout2d, DropPath], ids=lambda kind: kind.word)
def test_dropout_in_training_and_evaluation(kind: type[Dropout]) -> None:
    told = dict(kind(p=0.2).examples((4, 6, 6), (4, 6, 6)))
    x = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    y = x * torch.tensor(numbers(told["drawn m"])) / (1 - 0.2)
    y.sum().backward()
    assert x.grad is not None
    assert numbers(told["training y"]) == pytest.approx(y.tolist())
    assert numbers(told["training dx"]) == pytest.approx(x.grad.tolist())
    assert numbers(told["evaluation y"]) == x.tolist()
    assert numbers(told["evaluation dx"]) == [1, 1, 1, 1]


@given(
    *(st.integers(low, high) for low, high in ((1, 9), (1, 4), (1, 3), (1, 2), (0, 2), (0, 2))),
    st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
)
def test_how_many_windows_read_a_pixel(
    side: int, kernel: int, stride: int, dilation: int, before: int, after: int, mode: str
) -> None:
    """The gradient of a sum of windows of ones is that number."""
    if side + before + after < dilation * (kernel - 1) + 1 or side <= max(before, after):
        return
    x = torch.zeros(1, 1, side, requires_grad=True)
    how: Any = {"mode": "constant" if mode == "zeros" else mode}
    padded = torch.nn.functional.pad(x, (before, after), **how)
    windows = torch.nn.functional.conv1d(
        padded, torch.ones(1, 1, kernel), stride=stride, dilation=dilation
    )
    windows.sum().backward()
    assert x.grad is not None
    outputs = windows.shape[2]
    assert x.grad.flatten().tolist() == [
        readers(pixel, side, outputs, kernel, stride, dilation, before, after, mode)
        for pixel in range(side)
    ]


def test_border_pixels_are_read_less() -> None:
    assert text(Conv(out=8, kernel=(3, 3), same=True), (3, 9, 9)).splitlines()[:2] == [
        "pixels are read a corner by 4, an edge by 6, the inside by 9 outputs of a filter",
        " without padding: a corner by 1, an edge by 3, the inside by 9",
    ]
    circular = Conv(out=8, kernel=(3, 3), same=True, mode="circular")
    assert "a corner by 9, an edge by 9, the inside by 9" in text(circular, (3, 9, 9))
    strided = Separable(out=8, kernel=(3, 3), stride=(2, 2), same=True)
    assert "a corner by 1, an edge by 1 to 2, the inside by 1 to 4" in text(strided, (3, 9, 9))
    assert text(Conv(out=8), (3, 9, 9)) == ""  # every pixel once, nothing to flip
    assert "pixels are read" not in text(Conv(out=1, kernel=(10**6, 1)), (1, 10**6, 1))


def test_rows_that_no_window_reaches() -> None:
    """With stride 2 the last row of an even map is left over: its corners are read by none."""
    told = text(Conv(out=8, kernel=(3, 3), stride=(2, 2)), (3, 8, 8))
    assert "a corner by 0 to 1, an edge by 0 to 2, the inside by 1 to 4" in told


def test_the_backward_pass_of_a_convolution() -> None:
    x = torch.arange(1.0, 10).view(1, 1, 3, 3).requires_grad_()
    weight = torch.tensor([[[[0.0, 1], [2, 3]]]], requires_grad=True)
    torch.nn.functional.conv2d(x, weight).backward(torch.tensor([[[[1.0, 0], [0, 2]]]]))
    shown = []
    for name, gradient in (("dx", x.grad), ("dweight", weight.grad)):
        assert gradient is not None
        rows = [" ".join(f"{n:g}" for n in row) for row in gradient[0, 0].tolist()]
        shown.append(f"{name} {' / '.join(rows)}")
    assert ", ".join(shown) in text(Conv(out=1, kernel=(3, 3)), (1, 6, 6))


def test_correlation_and_convolution() -> None:
    """As torch lays a filter over a map, and flipped."""
    window = torch.tensor([[1.0, 2], [3, 4]])
    rows = torch.tensor([[0.0, 1], [2, 3]])
    for weight, said in ((rows, "gives 20"), (rows.flip(0, 1), "it gives 10")):
        product = torch.nn.functional.conv2d(window[None, None], weight[None, None]).item()
        assert said.endswith(f" {product:g}")
        assert said in text(Conv(out=1, kernel=(3, 3)), (1, 6, 6))
    assert "it gives 8, flipped to 1 0 -1 / 2 0 -2 / 1 0 -1 it gives -8" in text(
        Filter(values="sobel_x"), (1, 6, 6)
    )
    assert "correlation and convolution are one" in text(Filter(values="laplacian"), (1, 6, 6))
    assert len(correlation_lines(((1.0,) * 8, (2.0,) * 8))) == 1  # too large to be written out
