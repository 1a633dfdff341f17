"""Folding batch norms: the same outputs, and only where folding is possible."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import dotcnn
from dotcnn.compiler.network import Network
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.export import fold as folding
from dotcnn.training.export.export import export
from dotcnn.training.export.fold import fold, fold_into


def used(spec: str | Network) -> nn.Module:
    """A module in evaluation, in double precision, whose norms have seen something."""
    torch.manual_seed(0)
    module = dotcnn.load(spec).double()
    with torch.no_grad():
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif tensor.is_floating_point():
                tensor.add_(torch.randn_like(tensor), alpha=0.2)
    return module.eval()


def layers(body: str) -> str:
    return f"network N {{ input 4x8x8, {body} }}"


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, 3),
        nn.Conv2d(4, 6, 3, bias=False),
        nn.Conv2d(4, 6, 3, groups=2),
        nn.ConvTranspose2d(4, 6, 3),
        nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False),
        nn.Linear(4, 6),
        nn.Linear(4, 6, bias=False),
    ],
    ids=str,
)
@pytest.mark.parametrize("affine", [True, False])
def test_a_layer_that_took_up_its_norm_computes_what_both_did(
    layer: folding.Layer, affine: bool
) -> None:
    torch.manual_seed(0)
    norm: folding.Norm
    if isinstance(layer, nn.Linear):
        images, norm = torch.randn(5, 4).double(), nn.BatchNorm1d(6, affine=affine)
    else:
        images, norm = torch.randn(5, 4, 7, 7).double(), nn.BatchNorm2d(6, affine=affine)
    layer, norm = layer.double(), norm.double().eval()
    with torch.no_grad():
        for tensor in (*norm.parameters(), norm.running_mean, norm.running_var):
            assert tensor is not None
            tensor.uniform_(0.5, 2)
    both = norm(layer(images))
    fold_into(layer, norm)
    torch.testing.assert_close(layer(images), both, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("body", "folded"),
    [
        ("conv 8, bn, relu", ["bn"]),
        ("conv 8 bias=on, bn, depthwise 3x3, bn, deconv 4 2x2, bn", ["bn1", "bn2", "bn3"]),
        ("separable 8 3x3, bn", ["bn"]),
        ("flatten, fc 8, bn, relu, fc 4", ["bn"]),
        ("conv 8, bn momentum=0.3 eps=0.01", ["bn"]),
        ("conv 8, bn affine=bias, relu, flatten, fc 8, bn affine=bias", ["bn1", "bn2"]),
        ("residual { conv 4, bn, relu, conv 4, bn }", ["residual.bn1", "residual.bn2"]),
        ("conv 8, relu, bn", []),
        ("bn, conv 8", []),
        ("filter blur, bn", []),
        ("a: conv 4, bn, add a", []),
        ("conv 4, aux { pool avg global, flatten, fc 2 }, bn", []),
        ("conv 4, gn 2", []),
        ("conv 4, instancenorm", []),
        ("residual { conv 4 }, bn", []),
        ("conv 8, bn, bn", ["bn1"]),
        ("conv 8 3x3 standardize, bn, depthwise 3x3 standardize gain=1, bn", ["bn1", "bn2"]),
    ],
)
def test_which_norms_are_folded(body: str, folded: list[str]) -> None:
    """Those directly behind a layer whose output goes nowhere else. Outputs stay as they were."""
    network = dotcnn.compile(layers(body))
    module = used(network)
    names = {node.name for node in network.nodes}
    found = fold(network, module.float())
    assert [name for name in found.names if name in names] == list(found.names)
    assert [name.split(".", 1)[-1] for name in found.names] == [n.split(".", 1)[-1] for n in folded]
    images = torch.randn(3, 4, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(found.module(images), module(images), rtol=1e-4, atol=1e-5)
    for name in found.names:
        assert isinstance(found.module.get_submodule(name), nn.Identity)
        assert isinstance(module.get_submodule(name), nn.BatchNorm1d | nn.BatchNorm2d)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_filters_are_standardized_once(axes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain convolutions are left, with the same arguments: of the same outputs."""
    shape = (4, *(9,) * axes)
    monkeypatch.setattr(
        "dotcnn.training.export.compare.random_images",
        lambda *_: [torch.randn(2, *shape, dtype=torch.float64)],
    )
    first = "a: conv 8 3 stride=2 pad=1 groups=2 standardize gain=2"
    layers = f"{first}, relu, b: conv 4 2 standardize, flatten, fc 3"
    network = dotcnn.compile(f"network N {{ input {'x'.join(map(str, shape))}, {layers} }}")
    module = used(network)
    found = fold(network, module)
    assert (found.names, found.standardized) == ((), ("a", "b"))
    kinds = {type(found.module.get_submodule(name)) for name in "ab"}
    assert kinds == {(nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]}
    assert found.difference.relative < 1e-13
    assert {name for name, _ in found.module.named_parameters()} == {
        f"{layer}.{name}" for layer in ("a", "b", "fc") for name in ("weight", "bias")
    }


def test_a_network_of_the_gallery_in_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """All 20 norms of ResNet-18; the outputs differ in their last digits alone."""
    network = dotcnn.compile("resnet18", input=(3, 32, 32))
    module = used(network)
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    monkeypatch.setattr("dotcnn.training.export.compare.random_images", lambda *_: [images])
    found = fold(network, module)
    assert len(found.names) == 20
    assert found.difference.relative < 1e-13
    assert not any(isinstance(inner, nn.BatchNorm2d) for inner in found.module.modules())


def test_a_fold_that_changes_the_outputs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here one that forgets the norms: nothing is written."""
    monkeypatch.setattr(folding, "fold_into", lambda layer, norm: None)
    spec = layers("conv 8 3x3, bn, relu, pool avg global, flatten, fc 3")
    state = used(spec).float().state_dict()
    with pytest.raises(
        SpecError, match="the network with its norms folded gives different outputs"
    ):
        dotcnn.export(spec, tmp_path / "net.pt2", weights=state, fold=True)
    assert list(tmp_path.iterdir()) == []


def test_the_difference_is_reported(tmp_path: Path) -> None:
    spec = layers("conv 8 3x3, bn, relu, pool avg global, flatten, fc 3")
    said: list[str] = []
    network = dotcnn.compile(spec)

    made = export(network, tmp_path / "n.pt2", "1", fold_norms=True, say=said.append)
    assert made.folded is not None
    assert said[0] == f"1 batch norm folded: {made.folded.difference}"
    assert "of the largest output" in said[0]
