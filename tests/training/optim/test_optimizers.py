"""Optimizers compared with torch's, and parameter groups."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

import dotcnn
from dotcnn.benchmarks.cuda_suite.waits import Reads
from dotcnn.compiler.analysis.hidden import hidden_weights
from dotcnn.compiler.plan.optimizer import Adam, AdamW, Muon, Optimizer, RmsProp, Sgd
from dotcnn.training.optim.optimizers import (
    make_optimizer,
    parameter_groups,
    rate_of,
    set_rate,
    slow_with_fp16,
    state_before,
    step_unless,
)

CPU = torch.device("cpu")

SPEC = """
network Net {
  input 3x8x8
  conv 4 3x3 bias=on, bn, prelu
  gn 2
  residual { conv 4 3x3 same, layerscale }
  flatten, fc 5
}
"""


def names(module: nn.Module, group: dict[str, object]) -> list[str]:
    params = group["params"]
    assert isinstance(params, list)
    mine = {id(parameter) for parameter in params}
    return [name for name, parameter in module.named_parameters() if id(parameter) in mine]


def test_weights_decay_and_nothing_else() -> None:
    """Not norms, not biases, not the slopes and scales that an activation or a branch learns."""
    module = dotcnn.load(SPEC)
    decaying, others = parameter_groups(module, AdamW.make(weight_decay=0.05))
    assert decaying["weight_decay"] == 0.05
    assert others["weight_decay"] == 0
    assert all(name.endswith("weight") for name in names(module, decaying))
    assert [name.split(".")[-2] for name in names(module, decaying)] == ["conv1", "conv2", "fc"]
    count = sum(1 for _ in module.parameters())
    assert len(names(module, decaying)) + len(names(module, others)) == count


def test_all_may_decay() -> None:
    module = dotcnn.load(SPEC)
    (group,) = parameter_groups(module, AdamW.make(decay_all=True))
    assert len(names(module, group)) == sum(1 for _ in module.parameters())


def test_without_decay_there_is_one_group() -> None:
    assert len(parameter_groups(dotcnn.load(SPEC), Sgd.make())) == 1


def test_what_is_frozen_is_left_out_and_what_is_shared_comes_once() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    module[2].weight = module[1].weight
    module[0].requires_grad_(False)
    (group,) = parameter_groups(module, Sgd.make())
    assert names(module, group) == ["1.weight", "1.bias", "2.bias"]


def test_groups_have_factors_of_the_rate() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    groups = parameter_groups(module, Sgd.make(), {"0.weight": 0.1, "0.bias": 0.1})
    optimizer = make_optimizer(Sgd.make(), groups, CPU)
    set_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.5]


CASES: list[tuple[Optimizer, type[torch.optim.Optimizer], dict[str, object]]] = [
    (
        Sgd.make(lr=0.1, momentum=0.9, weight_decay=1e-2, nesterov=True),
        torch.optim.SGD,
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-2, "nesterov": True},
    ),
    (
        Sgd.make(lr=0.1, momentum=0.5, dampening=0.2),
        torch.optim.SGD,
        {"lr": 0.1, "momentum": 0.5, "dampening": 0.2},
    ),
    (
        Adam.make(lr=0.01, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.1, amsgrad=True),
        torch.optim.Adam,
        {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-6, "weight_decay": 0.1, "amsgrad": True},
    ),
    (AdamW.make(lr=0.01), torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.01}),
    (
        RmsProp.make(lr=0.01, alpha=0.9, momentum=0.5, centered=True, weight_decay=0.1),
        torch.optim.RMSprop,
        {"lr": 0.01, "alpha": 0.9, "momentum": 0.5, "centered": True, "weight_decay": 0.1},
    ),
]


@pytest.mark.parametrize(("directive", "kind", "options"), CASES, ids=lambda value: str(value)[:40])
def test_steps_are_torchs(
    directive: Optimizer, kind: type[torch.optim.Optimizer], options: dict[str, object]
) -> None:
    """To rounding: in one pass over all numbers, torch adds them up in another order."""
    torch.manual_seed(0)
    ours, theirs = nn.Linear(3, 2, bias=False), nn.Linear(3, 2, bias=False)
    theirs.load_state_dict(ours.state_dict())
    optimizers = (
        make_optimizer(directive, parameter_groups(ours, directive), CPU),
        kind(theirs.parameters(), **options),  # type: ignore[call-arg]
    )
    images = torch.randn(5, 4, 3)
    for image in images:
        for module, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            module(image).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    assert rate_of(directive) == options["lr"]


@pytest.mark.parametrize(
    "directive", [Sgd.make(), AdamW.make(), RmsProp.make(), Muon.make()], ids=str
)
def test_a_step_can_be_left_out_without_the_program_knowing(directive: Optimizer) -> None:
    """If a loss was NaN, weights stay what they were; else the step is that of the optimizer."""
    spec = "network Net { input 2x4x4, conv 3 2x2, relu, conv 4 2x2, flatten, fc 3 }"
    torch.manual_seed(0)
    module = dotcnn.load(spec).to(memory_format=torch.channels_last)
    other = copy.deepcopy(module)
    ours, plain = (
        make_optimizer(directive, parameter_groups(each, directive), CPU)
        for each in (module, other)
    )
    for factor in (1.0, 1.0, float("nan")):
        before = [weight.detach().clone() for weight in module.parameters()]
        gradients = [factor * torch.randn_like(weight) for weight in before]
        for each in (module, other):
            for weight, gradient in zip(each.parameters(), gradients, strict=True):
                weight.grad = gradient.clone()
        step_unless(ours, torch.tensor(factor != 1))
        plain.step()
        expected = list(other.parameters()) if factor == 1 else before
        for weight, there in zip(module.parameters(), expected, strict=True):
            torch.testing.assert_close(weight, there, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_leaves_out_a_step_with_infinite_gradients(nesterov: bool) -> None:
    """As loss scaling needs it: without the program knowing, and its averages stay what they were.
    All other steps are those with gradients that are not scaled."""
    layers = "conv 3 2x2, relu, conv 4 2x2, relu, conv 4 1x1, flatten, fc 3"
    spec = f"network Net {{ input 2x4x4, {layers} }}"
    directive = Muon.make(lr=0.1, nesterov=nesterov)
    torch.manual_seed(0)
    module = dotcnn.load(spec).to(memory_format=torch.channels_last)
    other = copy.deepcopy(module)
    hidden = hidden_weights(dotcnn.compile(spec))
    ours, plain = (
        make_optimizer(directive, parameter_groups(each, directive, hidden=hidden), CPU)
        for each in (module, other)
    )
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for infinite in (True, False, False, True, False):
        scale = scaler.get_scale()
        scaler.scale(torch.zeros(()))  # as of a loss
        for weight, twin in zip(module.parameters(), other.parameters(), strict=True):
            gradient = torch.randn_like(weight)
            weight.grad = gradient * scale
            twin.grad = gradient
        if infinite:
            first = next(module.parameters()).grad
            assert first is not None
            first[0] = math.inf
        else:
            plain.step()
        with Reads() as reads:
            scaler.step(ours)
        assert reads.seen == []
        scaler.update()
        for weight, twin in zip(module.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(weight, twin, rtol=1e-4, atol=1e-6)


def test_who_makes_the_program_wait_in_fp16() -> None:
    linear = nn.Linear(3, 2)
    for directive, waits in ((Muon.make(), False), (AdamW.make(), False), (RmsProp.make(), True)):
        optimizer = make_optimizer(directive, parameter_groups(linear, directive), CPU)
        note = slow_with_fp16(directive, optimizer)
        assert bool(note) == waits
    assert note.startswith("with fp16, each step of `optimizer rmsprop` waits for the GPU")


@pytest.mark.parametrize(
    "directive", [Sgd.make(momentum=0.9), AdamW.make(), RmsProp.make(), Muon.make()], ids=str
)
def test_what_failed_steps_changed_is_put_back(directive: Optimizer) -> None:
    """Also of a step that is not the first, where layers begin to be trained."""
    torch.manual_seed(0)
    layers = "conv 3 2x2, relu, conv 4 2x2, relu, conv 4 1x1, flatten, fc 3"
    spec = f"network Net {{ input 2x4x4, {layers} }}"
    hidden = hidden_weights(dotcnn.compile(spec))
    module = dotcnn.load(spec)
    other = copy.deepcopy(module)
    ours, plain = (
        make_optimizer(
            directive,
            parameter_groups(each, directive, hidden=hidden, since={"conv1.weight": 2}),
            CPU,
        )
        for each in (module, other)
    )
    late = {id(module.conv1.weight), id(other.conv1.weight)}
    for number in range(3):
        gradients = [torch.randn_like(weight) for weight in module.parameters()]
        put_back = state_before(ours)
        for optimizer, each in ((ours, module), (ours, module), (plain, other)):
            for weight, gradient in zip(each.parameters(), gradients, strict=True):
                frozen = not number and id(weight) in late
                weight.grad = None if frozen else gradient.clone()
            optimizer.step()
            if put_back is not None:
                put_back()
                put_back = None
        for weight, twin in zip(module.parameters(), other.parameters(), strict=True):
            assert torch.equal(weight, twin)
