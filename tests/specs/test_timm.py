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
from timm_modules import as_if_trained, small_module
from timm_names import GIVEN, Reached, figures, reached

TABLE = reached()
QUICK = 12
"""How many of the networks are compiled in a fast run, spread over the table."""

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
    monkeypatch.setattr(Tensor, "float", Tensor.double)  # its EvoNorm has statistics in float
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield found
    torch.set_num_threads(threads)


@pytest.mark.slow
@by_name(tuple(row for row in TABLE if row.compared))
def test_outputs_are_those_of_timm_with_its_weights(timm: Any, row: Reached) -> None:
    theirs, shape = small_module(row.name)
    network = row.network(shape)
    images = torch.randn(2, *shape, dtype=torch.float64)
    expected = theirs(images)
    found = dotcnn.match(network, theirs, by_order=True)
    fixed = [
        node.name
        for node in network.nodes
        if node.weights and not any(weight.trainable for weight in node.weights)
    ]
    found.require_complete(allow=fixed)  # timm keeps them once for each channel
    ours = dotcnn.load(network).double()
    found.load_into(ours)
    assert expected.std() > 1e-3 * expected.abs().max(), "an output that says nothing"
    assert (ours.eval()(images) - expected).abs().max() <= TOLERANCE * expected.abs().max()


RELATIVE = {"halonet26t": 256, "haloregnetz_b": 224}
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
