"""Which outputs share memory, and what may be written over."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from torch import nn

from dotcnn.compiler.analysis.storage import legal_in_place, storages, write_over
from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.network import Network
from dotcnn.dsl.diagnostics import SpecError
from interpreter import Interpreter
from measured import losses
from networks import gallery, layers, program, write_nothing_over
from random_networks import specs


def written_over(body: str) -> list[bool]:
    """Of each activation and dropout, whether it writes over its input."""
    network = layers(body)
    activations = [node.op for node in network.nodes if node.op.kind != "merge"]
    return [op.inplace for op in activations if op.in_place]


def summed_over(body: str) -> bool:
    """Whether the last sum takes the place of its first part."""
    return [node.op.inplace for node in layers(body).nodes if node.op.word == "add"][-1]


def test_views_share_and_everything_else_does_not() -> None:
    network = layers("conv 4 3x3, sigmoid, flatten, reshape 4x30x30, pool max 2x2")
    assert storages(network) == [0, 1, 2, 2, 2, 5]


def test_a_dropout_hands_on_what_arrives_in_evaluation_only() -> None:
    network = layers("conv 4 3x3, sigmoid, dropout 0.5, conv 2")
    assert storages(network) == [0, 1, 2, 3, 4]
    assert storages(network, training=False) == [0, 1, 2, 2, 4]


def test_what_is_written_over_is_the_same_memory() -> None:
    network = layers("conv 4 3x3, bn, relu, pool max 2x2")
    assert storages(network) == [0, 1, 2, 2, 4]


def test_after_a_convolution_a_norm_a_sum() -> None:
    assert written_over("conv 4, relu") == [True]
    assert written_over("conv 4, bn, relu") == [True]
    assert written_over("residual { conv 3 }, relu") == [True]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("relu", "the images are the user's"),
        ("flatten, relu", "so are they under another shape"),
        ("conv 4, relu, relu", "the first needs its output to go back"),
        ("conv 4, sigmoid, relu", "so does this"),
        ("conv 4, sigmoid, flatten, relu", "also through a view"),
        ("conv 4, residual { relu, conv 4 }", "the sum reads it, too"),
        ("conv 4, aux { relu, pool avg global, flatten, fc 2 }, conv 4", "so does the next layer"),
        ("conv 4, ln, relu", "a view of what the norm computes: to go back would cost copies"),
        ("conv 4, instancenorm, relu", "so is this"),
        ("conv 4, split {\n| relu\n| conv 2\n}", "a part of what the other path reads"),
        ("conv 4, a: conv 4, dropout 0.5, relu, add a", "in evaluation it is what arrived before"),
    ],
)
def test_what_may_not_be(body: str, reason: str) -> None:
    assert not written_over(body)[-1], reason


@pytest.mark.parametrize(
    "body",
    [
        "conv 4, residual { conv 4, bn }",
        "conv 4, add {\n| conv 4\n| conv 4\n| conv 4\n}",
        "conv 4, a: conv 4, conv 4, add a",
        "conv 4, residual shortcut=auto { conv 8, bn }",
    ],
)
def test_a_sum_takes_the_place_of_its_first_part(body: str) -> None:
    assert summed_over(body)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("conv 4, residual { conv 4, relu }", "the relu needs its output to go back"),
        ("conv 4, residual { conv 4, sigmoid }", "so does this"),
        ("residual {\n|\n| conv 3\n}", "the images are the user's"),
        ("conv 4, residual {\n|\n| conv 4\n}", "the other path reads it"),
        ("conv 4, droppath 0.1, a: conv 4, residual { droppath 0.1 }", "in evaluation it is `a`"),
    ],
)
def test_a_sum_that_may_not(body: str, reason: str) -> None:
    assert not summed_over(body), reason


def test_what_leaves_the_network_may_be_written_but_not_written_over() -> None:
    network = layers("conv 4, aux { conv 2 }, relu")
    head = network.aux[0].node
    assert head.op.word == "conv"
    assert not network.output.op.inplace  # the head reads the same
    assert written_over("conv 4, relu") == [True]


def test_after_a_dropout_of_the_same_chain() -> None:
    assert written_over("conv 4, dropout 0.5, relu") == [True, True]


def test_repeated_operations_stay_shared() -> None:
    network = layers("repeat 50 { conv 3 3x3 same, bn, relu }")
    relus = [node.op for node in network.nodes if node.op.kind == "activation"]
    assert all(op.inplace for op in relus)
    assert len({id(op) for op in relus}) == 1


def test_writing_over_twice_changes_nothing_more() -> None:
    network = layers("conv 3, bn, relu, dropout 0.5, flatten, fc 3")
    before = [node.op for node in network.nodes]
    write_over(network)
    assert all(node.op is op for node, op in zip(network.nodes, before, strict=True))


def test_long_chains_are_not_followed_forever() -> None:
    network = layers("conv 4, flatten" + ", dropout 0.5" * 2000)
    for node in network.nodes:
        legal_in_place(network, node)


@pytest.mark.parametrize("name", ["resnet/resnet18", "vgg/vgg16", "googlenet/googlenet"])
def test_as_torchvision_does_by_hand(name: str) -> None:
    """`inplace=True` at every relu."""
    assert all(n.op.inplace for n in gallery(name).nodes if n.op.word == "relu")


@pytest.mark.slow
@given(specs())
def test_nothing_changes(text: str) -> None:
    """Outputs, in evaluation and training, and gradients are the same with and without; torch
    itself refuses to go back where something that is needed was written over."""
    try:
        networks = [elaborate(program(text)) for _ in range(2)]
    except SpecError:
        return
    write_nothing_over(networks[0])
    plain, over = (Interpreter(network) for network in networks)
    over.load_state_dict(plain.state_dict())
    results = [_everything(model) for model in (plain, over)]
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, equal_nan=True)


def _everything(model: nn.Module) -> list[torch.Tensor]:
    network: Network = model.network  # type: ignore[assignment]
    torch.manual_seed(0)
    images = torch.randn(2, *network.input.shape)
    before = images.clone()
    with torch.no_grad():
        evaluated = model.eval()(images)
    torch.manual_seed(1)
    losses(model.train()(images), torch.tensor([0, 1])).backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert torch.equal(images, before)
    return [evaluated, *gradients]
