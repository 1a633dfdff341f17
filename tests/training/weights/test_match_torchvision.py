"""Every network that torchvision has too, from its module and from its weights alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn

from dotcnn.training.weights.match import Match, match
from dotcnn.training.weights.match.by_structure import pair_flows
from dotcnn.training.weights.match.flow import Flow
from dotcnn.training.weights.match.fx_trace import traced
from dotcnn.training.weights.match.network_flow import flow_of_network
from dotcnn.training.weights.match.traced_run import recorded
from typical import TORCHVISION, typical_of_torchvision

from ..beside import compare
from ..foreign import QUICK, nameless, ours, pairs, side, statuses, torchvision


def each_of(names: Iterable[str]) -> pytest.MarkDecorator:
    slow = [pytest.param(name, marks=pytest.mark.slow) for name in names if name not in QUICK]
    return pytest.mark.parametrize("name", [*QUICK, *slow])


each_network = each_of(TORCHVISION)


@pytest.mark.slow
@each_of(typical_of_torchvision())
def test_an_emitted_module_computes_what_torchvisions_does(name: str) -> None:
    """With the random weights of torchvision's, matched from the module; two layers exchanged would
    show. In evaluation, in training (outputs of auxiliary heads and what norms keep, too), and the
    gradients of all weights. From the state dict alone, the same weights are found."""
    found = compare(name)
    assert found.complete
    assert found.worst <= 1e-9


@each_network
def test_followed_by_torch_fx_nothing_is_left_over(name: str) -> None:
    found = match(ours(name), torchvision(name))
    assert found.complete
    assert not found.having("ambiguous", "unused")
    assert found.how == "dataflow (torch.fx)"


def in_its_order(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return weights


def in_alphabetical_order(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return dict(sorted(weights.items()))


def in_any_order(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    keys = list(weights)
    random.Random(0).shuffle(keys)
    return {key: weights[key] for key in keys}


@each_network
@pytest.mark.parametrize("order", [in_alphabetical_order, in_any_order])
def test_a_state_dict_is_matched_as_the_module_is(
    name: str, order: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> None:
    """Where a format has sorted it, or somebody shuffled it, names decide, and each row that they
    decided says so."""
    module, network = torchvision(name), ours(name)
    found = match(network, order(module.state_dict()))
    assert pairs(found) == pairs(match(network, module))
    assert found.complete
    assert not found.having("ambiguous", "unused")
    for row in found.rows:
        assert row.evidence == "place" or f"by {row.evidence}" in row.notes or not row.target
    assert not any(row.evidence == "order" for row in found.rows)


@pytest.mark.parametrize(
    "name",
    [n if n == "regnet_y_400mf" else pytest.param(n, marks=pytest.mark.slow) for n in TORCHVISION],
)
def test_under_names_that_say_nothing(name: str) -> None:
    """The order is then all that tells layers of one shape apart, also where shortcuts come first:
    it is right, and said of each row that it decided. Only of Inception v3 it tells too little:
    paths that consist of a 1x1, with a pool before it or without, may be listed in any order.
    Shuffled, nothing is told by order, and what is told is right."""
    module, network = torchvision(name), ours(name)
    right = pairs(match(network, module))
    weights = module.state_dict()
    for order in (in_its_order, in_any_order):
        ordered = order(weights)
        renamed = nameless(ordered)
        known_as = dict(zip(renamed, ordered, strict=True))
        found = match(network, renamed)
        taken = {mine: known_as[their] for mine, their in pairs(found).items()}
        assert taken.items() <= right.items()
        assert {row.status for row in found.rows} <= {"matched", "reshaped", "ambiguous"}
        if order is in_its_order:
            assert found.complete == (name != "inception_v3")
        else:
            assert {row.evidence for row in found.rows} == {"place"}


@pytest.mark.parametrize(
    "name",
    [
        "shufflenet_v2_x0_5",
        pytest.param("googlenet", marks=pytest.mark.slow),
        pytest.param("convnext_tiny", marks=pytest.mark.slow),
    ],
)
def test_each_way_to_follow_a_module_comes_to_the_same(name: str) -> None:
    """Watching a run shows functions where torch.fx sees modules."""
    module, mine = torchvision(name), flow_of_network(ours(name))
    expected = names_of_pairs(mine, traced(module))
    images = torch.empty(2, 3, side(name), side(name), device="meta")
    assert names_of_pairs(mine, recorded(module, images)) == expected
    assert len(expected) == len(mine.places)


def names_of_pairs(mine: Flow, theirs: Flow) -> dict[str, str]:
    found = pair_flows(mine, theirs)
    return {our.name: their.name for our, their in found.pairs.items()}


def test_heads_that_theirs_lacks() -> None:
    """Published weights of GoogLeNet come without its auxiliary heads: those of ours get nothing,
    all else is the same. The heads' last layers have the shape of the network's own."""
    network = ours("googlenet")
    whole = match(network, torchvision("googlenet"))
    module = torchvision("googlenet", aux_logits=False)
    for found in (match(network, module), match(network, module.state_dict())):
        assert missing(found) == {"aux1", "aux2"}
        assert pairs(found).items() <= pairs(whole).items()
        found.require_complete(["aux1", "aux2"])


def missing(found: Match) -> set[str]:
    return {name.split(".")[0] for name, status in statuses(found).items() if status != "matched"}


@pytest.mark.parametrize("as_module", [True, False])
def test_a_head_of_another_size_and_images_of_another_colour(as_module: bool) -> None:
    """Both ends differ at once; all that lies between them is as before."""
    network, module = ours("resnet50"), torchvision("resnet50", num_classes=10)
    module.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False, device="meta")
    source = module if as_module else module.state_dict()
    found = match(network, source)
    others = {name: status for name, status in statuses(found).items() if status != "matched"}
    assert others == {"conv": "reinitialized", "fc": "reinitialized"}
    (stem,) = [row for row in found.rows if row.target == "conv.weight"]
    assert (stem.target_shape, stem.source_shape) == ((64, 3, 7, 7), (64, 1, 7, 7))
    adapted = match(network, source, adapt_channels=True)
    assert statuses(adapted) == {**statuses(found), "conv": "adapted"}


@pytest.mark.parametrize("as_module", [True, False])
def test_a_deeper_network_is_not_guessed_at(as_module: bool) -> None:
    """ResNet-101 has 23 blocks where ResNet-50 has 6, all of the same shapes: which of them are
    ours cannot be known. What stands before and behind them can."""
    module = torchvision("resnet101")
    found = match(ours("resnet50"), module if as_module else module.state_dict())
    told = statuses(found)
    ambiguous = {name for name, status in told.items() if status == "ambiguous"}
    assert all(name.startswith("layer3.") for name in ambiguous)
    assert {f"layer3.{block}.conv2" for block in range(1, 6)} <= ambiguous
    assert all(told[name] == "matched" for name in told if not name.startswith("layer3."))
    stages = {(mine[:6], theirs[:6]) for mine, theirs in pairs(found).items() if "layer" in mine}
    assert stages == {(f"layer{n}", f"layer{n}") for n in (1, 2, 3, 4)}


def test_another_network_altogether_gives_next_to_nothing() -> None:
    """DenseNet-121 for ResNet-18: what has the same shape stands elsewhere."""
    network = ours("resnet18")
    for source in (torchvision("densenet121"), torchvision("densenet121").state_dict()):
        found = match(network, source)
        assert found.values("matched", "reshaped") < 0.01 * found.values("reinitialized")
        assert not found.complete
