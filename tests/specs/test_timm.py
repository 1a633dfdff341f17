"""Networks of timm that specs of the gallery reach with their parameters: figures, and outputs.

The table is timm_names.txt. Equal figures do not prove equal networks, so of each family some are
given the weights of timm's module, random ones in double precision, and compute the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.analysis import analyse
from dotcnn.training.runtime.import_torchvision import torchvision
from timm_names import GIVEN, Reached, figures, reached

TABLE = reached()
QUICK = 12
"""How many of the networks are compiled in a fast run, spread over the table."""

SIDES = {
    "inception_v4": 107,
    "inception_resnet_v2": 107,
    "botnet26t_256": 256,
    "bat_resnext26ts": 256,
    "nasnetalarge": 75,
    "pnasnet5large": 82,
}
"""Of the square images that outputs are compared for, where 64 is too small."""

SIZED = ("coat", "lambda_resnet26rpt", "maxvit", "maxxvit", "test_coat", "test_maxvit")
"""Beginnings of the names of networks that are made for one size; they are made for 96 here."""

TOLERANCE = 1e-9
"""Of outputs, relative to the largest."""


def by_name(rows: tuple[Reached, ...]) -> Any:
    return pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])


def test_the_table_names_each_network_once() -> None:
    names = [row.name for row in TABLE]
    assert len(names) == len({*names})


def has_the_figures_of_timm(row: Reached) -> None:
    if row.name not in figures():
        assert not GIVEN.exists(), "no figures: `python benchmarks/zoo.py measure`"
        pytest.skip("its figures are not among those in ../shared")
    expected = figures()[row.name]
    totals = analyse(row.network(expected.input)).totals
    assert (totals.params, totals.macs) == (expected.params, expected.macs)


@by_name(TABLE[:: max(1, len(TABLE) // QUICK)])
def test_figures_of_some(row: Reached) -> None:
    has_the_figures_of_timm(row)


@pytest.mark.slow
@by_name(TABLE)
def test_figures(row: Reached) -> None:
    has_the_figures_of_timm(row)


# ---- what they compute --------------------------------------------------------------------------


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """timm, where it is installed; nothing needs it."""
    try:
        torchvision()
    except ImportError:
        pytest.skip("timm needs torchvision, which is not installed")
    found = pytest.importorskip("timm", reason="timm is not installed, nor does anything need it")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield found
    torch.set_num_threads(threads)


@pytest.mark.slow
@by_name(tuple(row for row in TABLE if row.compared))
def test_outputs_are_those_of_timm_with_its_weights(timm: Any, row: Reached) -> None:
    sized = {"img_size": 96} if row.name.startswith(SIZED) else {}
    shape = (3, *[sized.get("img_size", SIDES.get(row.name, 64))] * 2)
    torch.manual_seed(0)
    theirs = as_if_trained(timm.create_model(row.name, **sized).double(), shape)
    network = row.network(shape)
    images = torch.randn(2, *shape, dtype=torch.float64)
    expected = theirs(images)
    found = dotcnn.match(network, halves_joined(theirs), by_order=True)
    fixed = [
        node.name
        for node in network.nodes
        if node.weights and not any(weight.trainable for weight in node.weights)
    ]
    if any(type(module).__name__ in POSITIONS for module in theirs.modules()):
        layers = [node.name for node in network.nodes if node.op.word == "attention"]
        assert not found.missing(fixed + layers)
    else:
        found.require_complete(allow=fixed)  # timm keeps them once for each channel
    ours = dotcnn.load(network).double()
    found.load_into(ours)
    copy_positions(ours, theirs)
    assert expected.std() > 1e-3 * expected.abs().max(), "an output that says nothing"
    assert (ours.eval()(images) - expected).abs().max() <= TOLERANCE * expected.abs().max()


POSITIONS = {"RelPosMlp": "MlpAttention", "RelPosBiasTf": "BiasedAttention"}
"""Modules of timm from which attention has its positions, whose weights have another form here, and
the attention that has them."""


def copy_positions(ours: nn.Module, theirs: nn.Module) -> None:
    for other, own in POSITIONS.items():
        modules = [each for each in theirs.modules() if type(each).__name__ == other]
        if not modules:
            continue
        places = [each for each in ours.modules() if type(each).__name__ == own]
        for place, module in zip(places, modules, strict=True):
            for weight, same in zip(place.parameters(), module.parameters(), strict=True):
                # TensorFlow's begin with the key that is farthest to the left, not to the right.
                tensorflow = same.dim() == 3
                weight.copy_(same.flip(1, 2).flatten(1).mT if tensorflow else same)


RELATIVE = {"botnet26t_256": 256, "halonet26t": 256, "haloregnetz_b": 224}
"""With the sides of their images."""


@pytest.mark.slow
@by_name(tuple(row for row in TABLE if row.name in RELATIVE))
def test_outputs_of_attention_with_relative_positions(timm: Any, row: Reached) -> None:
    """Its vectors along height and width have one shape, so that they are matched by name here."""
    shape = (3, *[RELATIVE[row.name]] * 2)
    torch.manual_seed(0)
    theirs = as_if_trained(timm.create_model(row.name).double(), shape)
    network = row.network(shape)
    found = dotcnn.match(network, keys_apart(theirs), by_order=True)
    found.require_complete(allow=[n.name for n in network.nodes if n.op.word == "attention"])
    ours = dotcnn.load(network).double()
    found.load_into(ours)
    for axis in ("height_rel", "width_rel"):
        both = [
            [value for name, value in model.named_parameters() if name.endswith(axis)]
            for model in (ours, theirs)
        ]
        for own, other in zip(*both, strict=True):
            own.copy_(other)
    images = torch.randn(2, *shape, dtype=torch.float64)
    expected = theirs(images)
    assert (ours.eval()(images) - expected).abs().max() <= TOLERANCE * expected.abs().max()


@pytest.mark.slow
@by_name(tuple(row for row in TABLE if row.name == "resnet50_clip"))
def test_outputs_of_attention_that_pools(timm: Any, row: Reached) -> None:
    """timm has the positions as places by channels, here they are channels by places."""
    shape = (3, 224, 224)
    torch.manual_seed(0)
    theirs = as_if_trained(timm.create_model(row.name).double(), shape)
    network = row.network(shape)
    positions = [n.name for n in network.nodes if n.op.arguments.get("per") == "element"]
    found = dotcnn.match(network, theirs, by_order=True)
    found.require_complete(allow=positions)
    ours = dotcnn.load(network).double()
    found.load_into(ours)
    learned = theirs.get_parameter("head.pos_embed")
    ours.get_parameter(f"{positions[0]}.bias").copy_(learned.mT[:, :, None])
    images = torch.randn(2, *shape, dtype=torch.float64)
    expected = theirs(images)
    assert (ours.eval()(images) - expected).abs().max() <= TOLERANCE * expected.abs().max()


BY_ORDER = (
    "convformer_s18",
    "poolformerv2_s12",
    "regnetz_b16_evos",
    "regnetz_d8_evos",
    "ese_vovnet39b_evos",
    "test_efficientnet_evos",
)
"""A norm that learns no bias is one layer in timm and two here, and norms that activate are classes
of timm, so that the match has no pairs for them; the order of the weights is the same."""


@pytest.mark.slow
@by_name(tuple(row for row in TABLE if row.name in BY_ORDER))
def test_outputs_with_the_weights_in_order(
    timm: Any, row: Reached, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tensor, "float", Tensor.double)  # timm's EvoNorm has statistics in float
    shape = (3, 64, 64)
    torch.manual_seed(0)
    theirs = as_if_trained(timm.create_model(row.name).double(), shape)
    ours = dotcnn.load(row.network(shape)).double().eval()
    both = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    for weight, same in both:
        weight.copy_(same.reshape(weight.shape))
    images = torch.randn(2, *shape, dtype=torch.float64)
    expected = theirs(images)
    assert (ours(images) - expected).abs().max() <= TOLERANCE * expected.abs().max()


def as_if_trained(model: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """With random weights, and norms that keep about what arrives there, no two channels alike."""
    for name, weight in model.named_parameters():
        if weight.dim() > 1 and weight[0].numel() > 1:
            bound = (6 / weight[0].numel()) ** 0.5
            weight.uniform_(-bound, bound)
        elif name.endswith("bias"):
            weight.uniform_(-0.2, 0.2)
        else:
            weight.uniform_(0.5, 1.2)
    for module in model.modules():
        if isinstance(getattr(module, "p", None), float):
            module.p = 0.0  # type: ignore[assignment]
        if isinstance(getattr(module, "drop_prob", None), float):
            module.drop_prob = 0.0  # type: ignore[assignment]
    norms = [inner for inner in model.modules() if isinstance(inner, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    model.train()(torch.randn(4, *shape, dtype=torch.float64))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        mean, variance = norm.running_mean, norm.running_var
        assert isinstance(mean, Tensor)
        assert isinstance(variance, Tensor)
        variance.copy_(variance.mean() * torch.empty_like(variance).uniform_(1, 3))
        mean += variance.sqrt() * torch.randn_like(mean) / 10
    return model.eval()


def halves_joined(model: nn.Module) -> nn.Module:
    """timm writes a convolution in groups as several, each on a part of the channels (in MixNet);
    here they become one."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            parts = list(child.children()) if type(child).__name__ == "MixedConv2d" else []
            convolutions = [part for part in parts if isinstance(part, nn.Conv2d)]
            if len({part.kernel_size for part in convolutions}) != 1 or len(parts) < 2:
                continue
            inputs = sum(part.in_channels for part in convolutions)
            outputs = sum(part.out_channels for part in convolutions)
            joined = nn.Conv2d(inputs, outputs, 1, groups=len(parts), bias=False).double()
            joined.weight.copy_(torch.cat([part.weight for part in convolutions]))
            setattr(parent, name, joined)
    return model


class KeysAndValues(nn.Module):
    """The convolution for keys and values of timm's HaloNets, in which those of a head are side by
    side, as two; here they are two."""

    def __init__(self, both: nn.Conv2d, heads: int, key: int) -> None:
        super().__init__()
        self.heads = heads
        weight = both.weight.unflatten(0, (heads, -1))
        for name, part in (("k", weight[:, :key]), ("v", weight[:, key:])):
            part = part.flatten(0, 1)
            convolution = nn.Conv2d(part.shape[1], part.shape[0], 1, bias=False).double()
            convolution.weight.copy_(part)
            self.add_module(name, convolution)

    def forward(self, x: Tensor) -> Tensor:
        parts = [part(x).unflatten(1, (self.heads, -1)) for part in self.children()]
        return torch.cat(parts, 2).flatten(1, 2)


def keys_apart(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if type(module).__name__ == "HaloAttn":
            module.kv = KeysAndValues(module.kv, module.num_heads, module.dim_head_qk)  # type: ignore[arg-type]
    return model
