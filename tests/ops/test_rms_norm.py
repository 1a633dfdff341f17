"""Normalization by mean squares and by norms, and EvoNorm: each against its formula, written
independently: values and gradients, in training and in evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor

import dotcnn
from dotcnn.compiler.analysis.memory import Memory
from dotcnn.compiler.ops.base import Op
from dotcnn.compiler.ops.evonorm import EvoNormB0, EvoNormS0
from dotcnn.compiler.ops.rms_norm import (
    FilterResponseNorm,
    GlobalResponseNorm,
    RmsNorm,
    SimpleNorm,
    ThresholdedLinear,
)
from dotcnn.compiler.shapes import Shape
from dotcnn.training.export.fold import fold
from interpreter import Interpreter
from measured import kept_for_backward
from ops.conformance import build, conform, refuses

CASES: list[tuple[Op, Shape]] = [
    (RmsNorm(), (4, 3, 5)),
    (RmsNorm(eps=0.01), (1, 2, 2)),
    (RmsNorm(), (6,)),
    (RmsNorm(), (4, 5)),
    (SimpleNorm(), (4, 3, 5)),
    (SimpleNorm(eps=0.01), (6,)),
    (FilterResponseNorm(), (4, 3, 5)),
    (FilterResponseNorm(eps=0.01), (1, 1, 1)),
    (FilterResponseNorm(), (2, 2, 3, 2)),
    (ThresholdedLinear(), (4, 3, 5)),
    (ThresholdedLinear(), (6,)),
    (GlobalResponseNorm(), (4, 3, 5)),
    (GlobalResponseNorm(eps=0.01), (1, 1, 1)),
    (GlobalResponseNorm(), (3, 5)),
    (EvoNormB0(), (4, 3, 5)),
    (EvoNormB0(eps=0.01, momentum=0.5), (1, 2, 2)),
    (EvoNormB0(), (2, 5)),
    (EvoNormS0(groups=2), (4, 3, 5)),
    (EvoNormS0(groups=2), (4, 2, 3, 2)),
    (EvoNormS0(groups=6, eps=0.01), (6, 2, 2)),
    (EvoNormS0(groups=2, act=False), (4, 3, 5)),
]


@pytest.mark.parametrize(("op", "shape"), CASES, ids=lambda each: getattr(each, "word", ""))
def test_what_they_say_is_what_torch_does(op: Op, shape: Shape) -> None:
    """But for receptive fields, of which statistics over maps say nothing."""
    conform(op, shape, probe=None)


def test_what_they_refuse() -> None:
    told = refuses(EvoNormS0(), (48, 8, 8), match="48 input .* 32 groups", stricter=True)
    assert "`evonorm_s0 24` would" in told
    refuses(FilterResponseNorm(), (8,), match="`frn` needs a map", stricter=True)
    refuses(SimpleNorm(), (1, 4, 4), match="its input has one", stricter=True)


# ---- by their formulas -------------------------------------------------------------------------

Weights = Mapping[str, Tensor]
Formula = Callable[[Tensor, Weights, bool], Tensor]


def rms(x: Tensor, w: Weights, training: bool) -> Tensor:
    """Zhang and Sennrich, equation 4, over the channels; eps as in timm."""
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / (length**2 / x.shape[1] + 1e-6) ** 0.5 * w["weight"]


def simple(x: Tensor, w: Weights, training: bool) -> Tensor:
    """x / std(x), the unbiased deviation, as in timm."""
    around = x - x.sum(1, keepdim=True) / x.shape[1]
    variance = (around * around).sum(1, keepdim=True) / (x.shape[1] - 1)
    return x / (variance + 1e-6) ** 0.5 * w["weight"]


def frn(x: Tensor, w: Weights, training: bool) -> Tensor:
    """Singh and Krishnan, figure 2, with the square roots of numpy's version there."""
    nu2 = (x**2).sum((2, 3), keepdim=True) / (x.shape[2] * x.shape[3])
    return w["weight"] * (x / torch.sqrt(nu2 + 1e-5)) + w["bias"]


def tlu(x: Tensor, w: Weights, training: bool) -> Tensor:
    """Singh and Krishnan, equation 5: relu(y - tau) + tau."""
    return (x - w["tau"]).relu() + w["tau"]


def grn(x: Tensor, w: Weights, training: bool) -> Tensor:
    """Woo et al., algorithm 1, with channels last as there."""
    x = x.permute(0, 2, 3, 1)
    gx = torch.norm(x, p=2, dim=(1, 2), keepdim=True)
    nx = gx / (gx.mean(dim=-1, keepdim=True) + 1e-6)
    gamma, beta = w["gamma"].flatten(), w["beta"].flatten()
    return (gamma * (x * nx) + beta + x).permute(0, 3, 1, 2)


def b0(x: Tensor, w: Weights, training: bool) -> Tensor:
    """Liu et al., table 3 and appendix A: batch_std, and v*x + instance_std."""
    batch = x.var((0, 2, 3), unbiased=False, keepdim=True) if training else w["running_var"]
    instance = x.var((2, 3), unbiased=False, keepdim=True)
    below = torch.max((batch + 1e-3).sqrt(), w["v"] * x + (instance + 1e-3).sqrt())
    return x / below * w["weight"] + w["bias"]


def s0(x: Tensor, w: Weights, training: bool) -> Tensor:
    """Liu et al., table 3 and appendix A: group_std of two groups."""
    grouped = x.view(x.shape[0], 2, x.shape[1] // 2, *x.shape[2:])
    variance = grouped.var((2, 3, 4), unbiased=False, keepdim=True)
    deviation = (variance + 1e-5).sqrt().expand_as(grouped).reshape(x.shape)
    return x * torch.sigmoid(w["v"] * x) / deviation * w["weight"] + w["bias"]


def divided(x: Tensor, w: Weights, training: bool) -> Tensor:
    """The same without its activation, as timm's EvoNorm2dS0a: no mean is subtracted."""
    grouped = x.view(x.shape[0], 2, x.shape[1] // 2, *x.shape[2:])
    deviation = (grouped.var((2, 3, 4), unbiased=False, keepdim=True) + 1e-5) ** 0.5
    return (grouped / deviation).reshape(x.shape) * w["weight"] + w["bias"]


FORMULAS: list[tuple[Op, Formula]] = [
    (RmsNorm(), rms),
    (SimpleNorm(), simple),
    (FilterResponseNorm(), frn),
    (ThresholdedLinear(), tlu),
    (GlobalResponseNorm(), grn),
    (EvoNormB0(), b0),
    (EvoNormS0(groups=2), s0),
    (EvoNormS0(groups=2, act=False), divided),
]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("op", "formula"), FORMULAS, ids=lambda each: getattr(each, "word", ""))
def test_values_and_gradients_are_those_of_the_formula(
    op: Op, formula: Formula, training: bool
) -> None:
    torch.manual_seed(0)
    module = build(op, (4, 3, 5)).module
    assert module is not None
    module.double().train(training)
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.detach().uniform_(0.3, 1.5)
    learned = dict(module.named_parameters())
    weights = {**learned, **{name: each.clone() for name, each in module.named_buffers()}}
    x = torch.randn(3, 4, 3, 5, dtype=torch.float64, requires_grad=True)
    wanted = [x, *learned.values()]
    expected, result = formula(x, weights, training), module(x)
    torch.testing.assert_close(result, expected)
    arriving = torch.randn_like(result)
    gradients = torch.autograd.grad(result, wanted, arriving)
    torch.testing.assert_close(gradients, torch.autograd.grad(expected, wanted, arriving))


def test_evonorm_b0_averages_the_unbiased_variance() -> None:
    """As batch norms do: by batches of training alone."""
    module = build(EvoNormB0(momentum=0.3), (4, 3, 5)).module
    assert module is not None
    x = torch.randn(3, 4, 3, 5)
    module(x)
    average = 0.7 + 0.3 * x.transpose(0, 1).flatten(1).var(1)
    running = module.get_buffer("running_var")
    torch.testing.assert_close(running.flatten(), average)
    module.eval()(torch.randn(3, 4, 3, 5))
    torch.testing.assert_close(running.flatten(), average)


def test_what_is_learned_begins_as_published() -> None:
    """grn changes nothing at first."""
    x = torch.randn(2, 4, 3, 5)
    assert torch.equal(build(GlobalResponseNorm(), (4, 3, 5)).forward(x), x)
    assert torch.equal(build(ThresholdedLinear(), (4, 3, 5)).forward(x), x.relu())


EACH = """
network N {
  input 3x8x8
  conv 8 3x3 same standardize gain=1.7, relu, square, scale, bias per=channel
  grn, rmsnorm, simplenorm, offset_by 0.5, frn, tlu, evonorm_b0
  conv 8 3x3 standardize, bn, evonorm_s0 2, evonorm_s0 4 act=off
  pool avg global, flatten, fc 2
}
"""


def test_a_network_of_them_is_scripted_and_folded() -> None:
    """The batch norm behind standardized filters is folded into those that are applied."""
    torch.manual_seed(0)
    module = dotcnn.load(EACH)
    images = torch.randn(4, 3, 8, 8)
    module.train()(images)
    with torch.no_grad():
        expected = module.eval()(images)
        scripted = torch.jit.script(module)
        torch.testing.assert_close(scripted(images), expected)
    folded = fold(dotcnn.compile(EACH), module)
    assert (folded.names, len(folded.standardized)) == (("bn",), 2)
    assert folded.difference.relative < 1e-5


@pytest.mark.slow
def test_a_network_of_them_is_exported_for_any_batch() -> None:
    module = dotcnn.load(EACH).eval()
    batch = {"x": {0: torch.export.Dim("batch", min=2, max=64)}}
    program = torch.export.export(module, (torch.randn(4, 3, 8, 8),), dynamic_shapes=batch)
    images = torch.randn(7, 3, 8, 8)
    torch.testing.assert_close(program.module()(images), module(images))


def test_what_autograd_keeps_of_all_of_them() -> None:
    network = dotcnn.compile(EACH)
    images, labels = torch.randn(4, 3, 8, 8), torch.zeros(4, dtype=torch.long)
    model = Interpreter(network).train()
    assert Memory(network).kept.at(4) == kept_for_backward(model, images, labels)
