"""Emitted modules held against the interpreter, which knows of no blocks, loops or names.

The same weights, the same images and the same random numbers: then outputs, running statistics and
gradients have to be the same, in evaluation and in training.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.network import Network, Node
from dotcnn.training.inference.load import construct
from interpreter import Interpreter

TOLERANCE = 1e-12


class Pair(NamedTuple):
    """A network twice, with the same weights."""

    network: Network
    source: str
    model: nn.Module
    """As it is emitted."""
    interpreter: Interpreter
    names: dict[str, str]
    """By the network's name of a weight: its key in the state dict of the module."""
    alive: frozenset[int]
    """The nodes that an output depends on. `forward` leaves the others out."""


def pair(network: Network, *, flat: bool = False) -> Pair:
    source = dotcnn.emit(network, flat=flat)
    model = construct(source, network.name).double()
    interpreter = Interpreter(network).double()
    alive = needed(network)
    for node in network.nodes:
        if node.index not in alive:
            interpreter.calls[node.index] = untouched
    both = Pair(network, source, model, interpreter, own_names(network, model, flat), alive)
    values = model.state_dict()
    made = {name: tuple(value.shape) for name, value in values.items()}
    assert made == {both.names[key]: shape for key, shape in shapes(network).items()}
    for node in network.nodes:
        if node.weights:
            held = interpreter.held[str(node.index)]
            names = {name: both.names[f"{node.name}.{name}"] for name in held.state_dict()}
            held.load_state_dict({name: values[own] for name, own in names.items()})
    return both


def needed(network: Network) -> frozenset[int]:
    """The nodes that an output depends on."""
    found: set[int] = set()
    waiting = ends(network)
    while waiting:
        node = waiting.pop()
        if node.index not in found:
            found.add(node.index)
            waiting += node.inputs
    return frozenset(found)


def untouched(first: Tensor, *_: Tensor) -> Tensor:
    return first


def own_names(network: Network, model: nn.Module, flat: bool) -> dict[str, str]:
    """What each weight of the network is called in the module: the same, but in the flat form,
    which has the layers in the order of the network, under names without dots."""
    expected = [f"{node.name}.{weight.name}" for node in network.nodes for weight in node.weights]
    if not flat:
        return {name: name for name in expected}
    layers = dict.fromkeys(key.partition(".")[0] for key in model.state_dict())
    nodes = [node for node in network.nodes if node.weights]
    return {
        f"{node.name}.{weight.name}": f"{layer}.{weight.name}"
        for node, layer in zip(nodes, layers, strict=True)
        for weight in node.weights
    }


def shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """Of all weights, by name, as the network has them."""
    return {
        f"{node.name}.{weight.name}": tuple(weight.shape)
        for node in network.nodes
        for weight in node.weights
    }


def left_out(network: Network, node: Node) -> bool:
    """Whether `forward` stops before it: what a loss takes are logits."""
    return node.op.probabilities and not network.consumers[node.index]


def ends(network: Network) -> list[Node]:
    return list(network.ends)


def images(network: Network, batch: int = 2, dtype: torch.dtype = torch.float64) -> Tensor:
    """For a network of one input."""
    return inputs(network, batch, dtype)[0]


def inputs(network: Network, batch: int = 2, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn((batch, *node.shape), generator=generator, dtype=dtype)
        for node in network.inputs
    ]


def outputs(both: Pair, *batch: Tensor) -> list[Tensor]:
    """Of the emitted module: all that it returns, with the probabilities that it leaves out."""
    found = both.model(*batch)
    several = isinstance(found, tuple)
    heads = bool(both.network.aux and both.model.training)
    assert several == (heads or len(both.network.outputs) > 1)
    if several:
        found = tuple(value for value in found if value is not None)
    nodes = ends(both.network)[: len(found) if several else 1]
    results = []
    for node, value in zip(nodes, found if several else [found], strict=True):
        if left_out(both.network, node):
            value = both.interpreter.calls[node.index](value)
        results.append(value)
    return results


def expected_outputs(both: Pair, *batch: Tensor) -> list[Tensor]:
    found = both.interpreter(*batch)
    return found if isinstance(found, list) else [found]


def evaluate_both(both: Pair, *batch: Tensor) -> None:
    """In evaluation: the same outputs; `predict` gives the probabilities, where there are some."""
    both.model.eval()
    both.interpreter.eval()
    with torch.no_grad():
        wanted = expected_outputs(both, *[each.clone() for each in batch])
        found = outputs(both, *[each.clone() for each in batch])
        for number, (one, two) in enumerate(zip(found, wanted, strict=True)):
            same(one, two, f"output {number} in evaluation")
        mains = [output.node for output in both.network.outputs]
        if any(left_out(both.network, node) for node in mains):
            predicted = both.model.predict(*[each.clone() for each in batch])  # type: ignore[operator]
            predicted = [predicted] if len(mains) == 1 else predicted
            for one, two in zip(predicted[: len(mains)], wanted, strict=True):
                same(one, two, "predicted")


def train_both(both: Pair, *batch: Tensor) -> None:
    """In training: outputs, gradients of all weights and of the images, running statistics."""
    both.model.train()
    both.interpreter.train()
    results = []
    for run in (expected_outputs, outputs):
        given = [each.clone().requires_grad_() for each in batch]
        torch.manual_seed(3)
        # Not the images themselves: what works in place cannot write over those.
        found = run(both, *[each * 1 for each in given])
        generator = torch.Generator().manual_seed(2)
        loss = sum(
            (value * torch.randn(value.shape, generator=generator, dtype=value.dtype)).sum()
            for value in found
        )
        if loss.requires_grad:  # type: ignore[union-attr]
            loss.backward()  # type: ignore[union-attr]
        results.append((found, [each.grad for each in given]))
    (wanted, wanted_images), (got, got_images) = results
    for number, (one, two) in enumerate(zip(got, wanted, strict=True)):
        same(one, two, f"output {number} in training")
    for one_gradient, other in zip(got_images, wanted_images, strict=True):
        same(one_gradient, other, "gradient of the images")
    ours = weights(both.model)
    for node in both.network.nodes:
        if not node.weights or node.index not in both.alive:
            continue
        for name, (value, gradient) in weights(both.interpreter.held[str(node.index)]).items():
            full = f"{node.name}.{name}"
            own_value, own_gradient = ours[both.names[full]]
            same(own_value, value, f"{full} after a step in training")
            if node.name == both.network.init.whitened and name == "weight":
                assert own_gradient is None, f"{full} is set from the images, and not trained"
            else:
                same(own_gradient, gradient, f"gradient of {full}")


def weights(module: nn.Module) -> dict[str, tuple[Tensor, Tensor | None]]:
    """Values and gradients of parameters, values of buffers, by name."""
    found: dict[str, tuple[Tensor, Tensor | None]] = {
        name: (value, None) for name, value in module.named_buffers()
    }
    return found | {name: (value, value.grad) for name, value in module.named_parameters()}


def same(found: Any, wanted: Any, what: str) -> None:
    assert (found is None) == (wanted is None), what
    if found is None:
        return
    assert found.shape == wanted.shape, f"{what}: {found.shape}, not {wanted.shape}"
    scale = 1 + wanted.detach().nan_to_num(0, 0, 0).abs().max().item()
    assert torch.allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE * scale, equal_nan=True), (
        f"{what}: differs by {(found - wanted).abs().max().item()}"
    )


def modules_by_name(both: Pair) -> None:
    """Every layer that holds something is found under its own name."""
    known = dict(both.model.named_modules())
    for node in both.network.nodes:
        if not node.inputs or node.shared:
            continue
        text = node.op.torch(node.shape, *node.input_shapes)
        if text.module is not None and not left_out(both.network, node):
            assert type(known[node.name]).__name__ == text.module.name.rpartition(".")[2]


def hold(network: Network, *, flat: bool = False, batch: int = 2) -> Pair:
    """All of it."""
    both = pair(network, flat=flat)
    if not flat:
        modules_by_name(both)
    evaluate_both(both, *inputs(network, batch))
    train_both(both, *inputs(network, batch))
    return both
