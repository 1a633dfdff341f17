"""Weights that somebody has changed: rows left out, put in, exchanged, wrapped, shared."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dotcnn.training.weights.match import Match, match
from networks import layers

from ..foreign import layer_pairs, nameless, ours, pairs, statuses, torchvision

Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def weights() -> Weights:
    return torchvision("resnet18").state_dict()


@pytest.fixture(scope="module")
def right() -> dict[str, str]:
    """What belongs to what, from the module."""
    return pairs(match(ours("resnet18"), torchvision("resnet18")))


def as_named(weights: Weights) -> Weights:
    return weights


def without(weights: Weights, prefix: str) -> Weights:
    return {key: tensor for key, tensor in weights.items() if not key.startswith(prefix)}


def not_filled(found: Match) -> set[str]:
    return {row.layer for row in found.missing()}


def wrong(found: Match, renamed: Weights, weights: Weights, right: dict[str, str]) -> list[str]:
    """Rows that would get what belongs to another; `renamed` has the same rows under its names."""
    known_as = dict(zip(renamed, weights, strict=True))
    return [mine for mine, their in pairs(found).items() if known_as[their] != right[mine]]


each_naming = pytest.mark.parametrize("naming", [as_named, nameless])


@each_naming
@pytest.mark.parametrize(
    ("prefix", "lacking"),
    [
        ("layer2.1.conv1", {"layer2.1.conv1"}),
        ("layer2.1.bn1", {"layer2.1.bn1"}),
        ("layer3.0.bn2", {"layer3.0.bn2"}),
        ("layer1.0.conv2", {"layer1.0.conv2"}),
        ("conv1", {"conv"}),
        ("fc.bias", {"fc"}),
    ],
)
def test_what_is_left_out_is_missed_and_nothing_moves_up(
    naming: Callable[[Weights], Weights],
    prefix: str,
    lacking: set[str],
    weights: Weights,
    right: dict[str, str],
) -> None:
    """Its neighbours have its shape, and stay where they are."""
    kept = without(weights, prefix)
    found = match(ours("resnet18"), naming(kept))
    assert wrong(found, naming(kept), kept, right) == []
    assert not_filled(found) == lacking


@each_naming
def test_without_a_block_what_it_shares_shapes_with_is_not_guessed(
    naming: Callable[[Weights], Weights], weights: Weights, right: dict[str, str]
) -> None:
    kept = without(weights, "layer2.1.")
    found = match(ours("resnet18"), naming(kept))
    assert wrong(found, naming(kept), kept, right) == []
    assert {name for name in not_filled(found) if not name.startswith("layer2.1.")} <= {
        "layer2.0.shortcut.bn"
    }


@each_naming
def test_a_layer_too_many_is_left_over_or_in_doubt(
    naming: Callable[[Weights], Weights], weights: Weights, right: dict[str, str]
) -> None:
    """Of the shape of its neighbour: either may be ours."""
    more: Weights = {}
    for key, tensor in weights.items():
        more[key] = tensor
        if key == "layer2.0.bn1.num_batches_tracked":
            more["layer2.0.extra.weight"] = torch.empty(128, 128, 3, 3, device="meta")
    found = match(ours("resnet18"), naming(more))
    assert wrong(found, naming(more), more, right) == []
    assert not_filled(found) == {"layer2.0.conv2"}
    assert found.ambiguous


@each_naming
def test_a_row_of_another_shape_keeps_its_place(
    naming: Callable[[Weights], Weights], weights: Weights
) -> None:
    changed = {**weights, "layer2.1.conv1.weight": torch.empty(128, 128, 1, 1, device="meta")}
    found = match(ours("resnet18"), naming(changed))
    (row,) = found.missing()
    assert (row.target, row.target_shape, row.source_shape) == (
        "layer2.1.conv1.weight", (128, 128, 3, 3), (128, 128, 1, 1)
    )  # fmt: skip


def exchanged(weights: Weights, one: str, other: str) -> Weights:
    """In another order, each under its own name."""
    swap = {one: other, other: one}
    return {swap.get(key, key): weights[swap.get(key, key)] for key in weights}


def test_two_rows_that_changed_places(weights: Weights) -> None:
    """Their numbers contradict the order. If names say nothing, the order is all there is: those
    two rows, like all that it decides, are marked."""
    other = exchanged(weights, "layer1.0.conv2.weight", "layer1.1.conv1.weight")
    assert list(other) != list(weights)
    found = match(ours("resnet18"), other)
    assert not_filled(found) == {"layer1.0.conv2", "layer1.1.conv1"}
    assert {row.status for row in found.missing()} == {"ambiguous"}
    found = match(ours("resnet18"), nameless(other))
    told_by = {row.target: row.evidence for row in found.rows}
    assert told_by["layer1.0.conv2.weight"] == told_by["layer1.1.conv1.weight"] == "order"
    assert "assigned by order" in found.summary()


def test_a_bias_tells_layers_of_one_shape_apart() -> None:
    """In whatever order they stand."""
    network = layers("conv 4\nconv 4 3x3 same bias=off, relu\nconv 4 3x3 same bias=on\nconv 8")
    shuffled = {
        "with.weight": torch.zeros(4, 4, 3, 3),
        "with.bias": torch.zeros(4),
        "last.weight": torch.zeros(8, 4, 1, 1),
        "last.bias": torch.zeros(8),
        "none.weight": torch.zeros(4, 4, 3, 3),
        "first.weight": torch.zeros(4, 3, 1, 1),
        "first.bias": torch.zeros(4),
    }
    found = match(network, shuffled)
    assert layer_pairs(found) == {
        "conv1": "first", "conv2": "none", "conv3": "with", "conv4": "last"
    }  # fmt: skip
    assert {row.evidence for row in found.rows} == {"place"}


def test_a_shuffled_dict_with_heads_is_not_one_without() -> None:
    """All that ours has is there, and out of order. That the rest would fit an order, were the
    heads left out, is chance."""
    head = "aux { conv 6, relu, pool avg global, flatten, fc 5 }"
    network = layers(f"conv 4 3x3 same\nconv 4 3x3 same\n{head}\nflatten, fc 7", "4x8x8")
    shapes = {"y": (5, 6), "q": (4, 4, 3, 3), "x": (6, 4, 1, 1), "p": (4, 4, 3, 3), "w": (7, 256)}
    named = {f"{name}.weight": torch.zeros(shape) for name, shape in shapes.items()}
    biases = {f"{name}.bias": torch.zeros(shape[:1]) for name, shape in shapes.items()}
    found = match(network, named | biases)
    assert layer_pairs(found) == {"aux.conv": "x", "aux.fc": "y", "fc": "w"}
    assert not_filled(found) == {"conv1", "conv2"}


def test_what_parallel_and_compiled_modules_put_around(weights: Weights) -> None:
    network = ours("resnet18")
    wrapped = nn.DataParallel(torchvision("resnet18"))
    compiled = torch.compile(torchvision("resnet18"))
    for source in (wrapped, compiled, {"state_dict": wrapped.state_dict(), "epoch": 90}):
        found = match(network, source)
        assert set(statuses(found).values()) == {"matched"}
    prefixed = {f"_orig_mod.module.{key}": tensor for key, tensor in weights.items()}
    assert pairs(match(network, prefixed)) == pairs(match(network, weights))


class Tied(nn.Module):
    """Two convolutions with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.second.weight = self.first.weight
        self.never = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.second(self.first(x).relu())
        return found


def test_weights_that_theirs_shares_go_to_each_of_ours() -> None:
    network = layers("conv 3 3x3 same, relu\nconv 3 3x3 same")
    source = Tied()
    by_dict = match(network, source.state_dict())
    for found in (match(network, source), by_dict):
        assert pairs(found)["conv1.weight"] == "first.weight"
        assert pairs(found)["conv2.weight"] == "second.weight"
        assert {row.source_layer for row in found.having("unused")} == {"never"}
        state = found.state_dict()
        assert torch.equal(state["conv1.weight"], state["conv2.weight"])
        assert torch.equal(state["conv2.bias"], source.second.bias)


def test_a_weight_without_axes_does_not_fit_and_breaks_nothing() -> None:
    network = layers("conv 4 3x3, layerscale, conv 8")
    weights = {"a.weight": (4, 3, 3, 3), "scale.gamma": (), "b.weight": (8, 4, 1, 1)}
    found = match(network, {key: torch.zeros(shape) for key, shape in weights.items()})
    assert statuses(found)["layerscale"] == "reinitialized"
    assert layer_pairs(found)["conv2"] == "b"
