"""Compares torchvision's modules with emitted ones that have the same weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.network import Network
from dotcnn.training.weights.match import Match, match

from .foreign import fill, ours, pairs, side, torchvision


class Compared(NamedTuple):
    """An emitted network and torchvision's network of the same name."""

    tensors: int
    """That ours has, but for what needs nothing from anybody."""
    of_module: int
    """How many of them are matched, if the module is given."""
    of_dict: int
    """… and if its state dict is all that is known."""
    told_by: Counter[str]
    """… then told by place, by order, by names."""
    agree: bool
    """Whether both ways bring the same tensors together."""
    evaluation: float
    """The largest difference of outputs."""
    training: float
    """… of outputs, those of auxiliary heads too, and of what norms then keep."""
    gradients: float
    """… of the gradients of all weights, for one loss of all outputs."""

    @property
    def worst(self) -> float:
        return max(self.evaluation, self.training, self.gradients)

    @property
    def complete(self) -> bool:
        return self.of_module == self.of_dict == self.tensors and self.agree


def compare(name: str) -> Compared:
    """Compares both with random weights, in float64, without dropout, for the same images."""
    torch.manual_seed(0)
    images = torch.randn(2, 3, side(name), side(name), dtype=torch.float64)
    module, network = torchvision(name).double(), ours(name)
    with torch.no_grad():
        fill(module, images)
    found, known = match(network, module), match(network, module.state_dict())
    model = emitted(network, found)
    _share_memory(model, module, pairs(found))
    evaluation = _evaluation(module, model, images)
    training, gradients = _training(module, model, images, pairs(found))
    return Compared(
        sum(len(node.weights) for node in network.nodes) - len(found.having("kept")),
        len(pairs(found)),
        len(pairs(known)),
        Counter(row.evidence for row in known.rows if row.target in pairs(known)),
        pairs(found) == pairs(known),
        evaluation,
        training,
        gradients,
    )


def emitted(network: Network, found: Match) -> nn.Module:
    """The emitted module of a network with the matched weights, without dropout."""
    with torch.device("meta"):  # no time is spent on weights that are written over
        model = dotcnn.load(network).double()
    model.to_empty(device="cpu")
    found.require_complete()
    found.load_into(model)
    for inner in model.modules():
        if isinstance(getattr(inner, "p", None), float):
            inner.p = 0.0
    return model.eval()


def _share_memory(model: nn.Module, module: nn.Module, taken: dict[str, str]) -> None:
    """Equal weights lie in memory once: twice, those of the largest network would take 10 GB."""
    theirs = dict(module.named_parameters())
    for key, mine in model.named_parameters():
        other = theirs.get(taken.get(key, ""))
        if other is not None and torch.equal(mine, other.view_as(mine)):
            mine.data = other.data.view_as(mine)


def _evaluation(module: nn.Module, model: nn.Module, images: Tensor) -> float:
    with torch.no_grad():
        expected = module.eval()(images)
        assert 0.01 < expected.std() < 100, "an output that says nothing"
        return difference(model.eval()(images), expected)


def _training(
    module: nn.Module, model: nn.Module, images: Tensor, taken: dict[str, str]
) -> tuple[float, float]:
    """Of outputs and running statistics, and of gradients."""
    expected = outputs(module.train()(images))
    loss(expected).backward()
    theirs = dict(module.named_parameters())
    found = outputs(model.train()(images))
    gradients = {our: theirs.get(their) for our, their in taken.items()}
    with _gradients_compared(model, gradients) as off:
        loss(found).backward()
    there = dict(module.named_buffers())
    kept = [(tensor, there[taken[key]]) for key, tensor in model.named_buffers() if key in taken]
    told = [*zip(found, expected, strict=True), *kept]
    return max(difference(one, other) for one, other in told), max(off.values())


@contextmanager
def _gradients_compared(
    model: nn.Module, theirs: dict[str, nn.Parameter | None]
) -> Iterator[dict[str, float]]:
    """By weight, how far its gradient is off; gradients go as they come, since the largest network
    has 5 GB of them."""
    off: dict[str, float] = {}

    def look(key: str, mine: Tensor) -> None:
        other = theirs[key]
        assert mine.grad is not None
        assert other is not None
        assert other.grad is not None
        off[key] = difference(mine.grad, other.grad.reshape(mine.shape))
        mine.grad = other.grad = None

    for key, mine in model.named_parameters():
        mine.register_post_accumulate_grad_hook(lambda tensor, key=key: look(key, tensor))  # type: ignore[misc]
    yield off
    assert off.keys() == dict(model.named_parameters()).keys(), "weights without a gradient"


def outputs(result: Any) -> list[Tensor]:
    """The outputs of the network, then those of its auxiliary heads."""
    if isinstance(result, Tensor):
        return [result]
    named: dict[str, Tensor] = result._asdict()
    own, *others = named.items()
    return [own[1], *(tensor for _, tensor in sorted(others))]


def loss(found: list[Tensor]) -> Tensor:
    """A randomly weighted sum of all outputs."""
    random = torch.Generator().manual_seed(1)
    shares = (torch.randn(output.shape, generator=random, dtype=output.dtype) for output in found)
    parts = [(output * share).sum() for output, share in zip(found, shares, strict=True)]
    return torch.stack(parts).sum()


def difference(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return float((one - other).detach().abs().max().double())
