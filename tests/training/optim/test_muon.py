"""Muon beside torch's own, beside singular values computed one by one, and in a run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.analysis.hidden import hidden_weights, norm_weights
from dotcnn.compiler.plan.optimizer import Muon, Sgd
from dotcnn.training.optim.muon import COEFFICIENTS, orthogonalized
from dotcnn.training.optim.optimizers import make_optimizer, parameter_groups

from ..small import equal, last, trained

CPU = torch.device("cpu")

SPEC = """
network Net {
  input 3x8x8
  conv 8 3x3 same bias=on, bn, relu
  conv 12 3x3 same, bn, relu
  conv 12 3x3 same groups=3, relu
  depthwise 3x3 same, relu
  pool avg global, flatten
  fc 9, relu
  fc 5
}
"""


def by_singular_values(matrix: Tensor, steps: int = 5) -> Tensor:
    """The polynomial applied to each singular value, in float64."""
    u, s, v = torch.linalg.svd(matrix.double(), full_matrices=False)
    s = s / s.norm()
    a, b, c = COEFFICIENTS
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    return u @ s.diag() @ v


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (9, 9), (1, 9), (5, 1)])
def test_singular_values_are_brought_to_about_one(shape: tuple[int, int]) -> None:
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    found = orthogonalized(matrices, 5)
    expected = torch.stack([by_singular_values(matrix) for matrix in matrices])
    torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-3)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_a_zero_gradient_makes_no_step() -> None:
    assert not orthogonalized(torch.zeros(1, 3, 4), 5).any()


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
@pytest.mark.parametrize(
    ("nesterov", "inputs", "outputs"), [(True, 7, 5), (False, 7, 5), (True, 4, 9)]
)
def test_steps_are_torchs(nesterov: bool, inputs: int, outputs: int) -> None:
    """Torch computes them in bfloat16, of which eight bits are exact."""
    torch.manual_seed(0)
    layers = nn.Linear(4, 4), nn.Linear(inputs, outputs, bias=False), nn.Linear(4, 4)
    ours = nn.Sequential(*layers)
    theirs = nn.Linear(inputs, outputs, bias=False)
    theirs.load_state_dict(layers[1].state_dict())
    directive = Muon.make(lr=0.1, momentum=0.8, weight_decay=0.1, nesterov=nesterov)
    mine = make_optimizer(directive, parameter_groups(ours, directive, hidden=["1.weight"]), CPU)
    beside = torch.optim.Muon(
        theirs.parameters(), lr=0.1, momentum=0.8, weight_decay=0.1, nesterov=nesterov
    )
    start = theirs.weight.detach().clone()
    for _ in range(4):
        gradient = torch.randn(outputs, inputs)
        layers[1].weight.grad, theirs.weight.grad = gradient.clone(), gradient.clone()
        mine.step()
        beside.step()
    moved, there = layers[1].weight.detach() - start, theirs.weight.detach() - start
    assert (moved - there).norm() < 0.02 * there.norm()


def test_a_step_of_a_network_is_as_computed_by_hand() -> None:
    """Convolutions are flattened to outputs times everything else, group by group; the first and
    the last layer, biases and norms are AdamW's."""
    torch.manual_seed(0)
    module = dotcnn.load(SPEC)
    directive = Muon.make(lr=0.02, momentum=0.9, weight_decay=0.1, adamw_lr=0.1)
    named = hidden_weights(dotcnn.compile(SPEC))
    optimizer = make_optimizer(directive, parameter_groups(module, directive, hidden=named), CPU)
    for group in optimizer.param_groups:
        group["lr"] = 0.02 * group["factor"]
    hidden = {"conv2.weight": 1, "conv3.weight": 3, "depthwise.weight": 12, "fc1.weight": 1}
    names = dict(module.named_parameters())
    assert named == hidden.keys() < names.keys()
    expected = {name: weight.detach().clone() for name, weight in names.items()}
    others = [name for name in names if name not in hidden]
    matrix_like = {"conv1.weight", "fc2.weight"}
    adamw = torch.optim.AdamW(
        [
            {"params": [expected[name] for name in others if name in matrix_like]},
            {"params": [expected[name] for name in others if name not in matrix_like],
             "weight_decay": 0.0},
        ],
        lr=0.002, weight_decay=0.1,
    )  # fmt: skip
    buffers = {name: torch.zeros_like(expected[name]) for name in hidden}
    for _ in range(2):
        module.zero_grad()
        module(torch.randn(4, 3, 8, 8)).square().sum().backward()
        optimizer.step()
        for name in others:
            expected[name].grad = names[name].grad
        adamw.step()
        for name, blocks in hidden.items():
            gradient = names[name].grad
            assert gradient is not None
            buffers[name] = 0.9 * buffers[name] + 0.1 * gradient
            step = 0.1 * gradient + 0.9 * buffers[name]
            changes = []
            for part in step.chunk(blocks):
                flat = part.flatten(1)
                scale = max(1, flat.shape[0] / flat.shape[1]) ** 0.5
                changes.append((scale * by_singular_values(flat)).view_as(part))
            change = torch.cat(changes).float()
            expected[name] = expected[name] * (1 - 0.02 * 0.1) - 0.02 * change
        for name, weight in names.items():
            torch.testing.assert_close(weight.detach(), expected[name], atol=2e-5, rtol=1e-3)


def test_logits_of_auxiliary_heads_are_not_hidden_layers() -> None:
    hidden = hidden_weights(dotcnn.compile("googlenet"))
    assert {"aux1.fc1.weight", "unit2.conv.weight"} < hidden
    assert not hidden & {"unit1.conv.weight", "aux1.fc2.weight", "aux2.fc2.weight", "fc.weight"}


@pytest.mark.slow
def test_a_run_is_continued_to_the_same_weights(tmp_path: Path) -> None:
    spec = """
    network Net {
      input 1x8x8
      conv 4 3x3 same, relu, conv 8 3x3 stride=2, relu
      flatten, fc classes
    }
    train { data digits, epochs 2, batch 512, optimizer muon lr=0.05 }
    """
    from ..small import Looker, gone_on

    trained(tmp_path / "whole", spec)
    trained(tmp_path / "parts", spec, callback=Looker(stop_after=4))
    gone_on(tmp_path / "parts")
    assert equal(last(tmp_path / "whole"), last(tmp_path / "parts"))


def test_norms_have_a_rate_of_their_own_and_decay_as_all_do() -> None:
    """As `bias_scaler` of airbench: the step of a norm grows, its decay does not."""
    network = dotcnn.compile(SPEC)
    module = dotcnn.load(network)
    directive = Sgd.make(lr=0.5, momentum=0.9, weight_decay=0.1, decay_all=True, norm_lr=64.0)
    groups = parameter_groups(module, directive, norms=norm_weights(network))
    (norms,) = [group for group in groups if group["factor"] != 1]
    assert norms["factor"] == 64
    assert norms["factor"] * norms["weight_decay"] == pytest.approx(0.1)
    count = sum(p.numel() for n, p in module.named_parameters() if n.startswith("bn"))
    assert sum(weight.numel() for weight in norms["params"]) == count


@pytest.mark.parametrize(
    "norm", ["gn 2", "ln", "rmsnorm", "frn", "grn", "evonorm_b0", "evonorm_s0 2"]
)
def test_all_norms_have_that_rate(norm: str) -> None:
    """Those that torch does not have, too; what only scales is not a norm."""
    network = dotcnn.compile(
        f"network N {{ input 4x6x6, conv 4, norm: {norm}, layerscale, scale }}"
    )
    assert norm_weights(network) == {
        f"norm.{weight.name}" for weight in network.by_name["norm"].weights if weight.trainable
    }
