"""Grad-CAM: which layer is used, and the heat map."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.network import Network
from dotcnn.training.inference.gradcam import gradcam, last_map

HEAD = "network Net {\n  input 3x16x16\n"


def made(body: str) -> tuple[Network, nn.Module]:
    network = dotcnn.compile(f"{HEAD}{body}\n}}")
    torch.manual_seed(0)
    return network, dotcnn.load(network).eval()


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("conv 4 3x3, relu, pool avg global, flatten, fc 5", "relu"),
        ("conv 4 3x3, relu, pool max 2x2, flatten, fc 5", "relu"),
        ("conv 4 3x3, relu, conv 6 3x3, bn, pool max 2x2, flatten, fc 5", "bn"),
        ("residual { conv 4 3x3 same, relu }\n pool avg global, flatten, fc 5", "add"),
        ("residual { conv 4 3x3 same }\n relu, pool avg global, flatten, fc 5", "relu"),
        ("inception { | conv 4 | conv 2 }\n flatten, fc 5", "concat"),
        ("conv 4 3x3, relu, conv 5 1x1, softmax", "relu"),
        ("conv 4 16x16, relu, flatten, fc 5", ""),
        ("flatten, fc 8, relu, fc 5", ""),
    ],
)
def test_it_uses_the_last_map_that_all_paths_pass_through(body: str, name: str) -> None:
    """A pool makes a map coarser; one path of a sum does not show everything; and the logits
    themselves, if they are a map, say nothing about why."""
    node = last_map(made(body)[0])
    assert (node.name if node else "") == name


@pytest.mark.parametrize("spec", ["resnet18", "googlenet", "densenet121", "mobilenet_v2"])
def test_networks_of_the_gallery_have_such_a_map(spec: str) -> None:
    network = dotcnn.compile(spec, input=(3, 64, 64))
    module = dotcnn.load(network)
    node = last_map(network)
    assert node is not None
    assert node.shape[1:] == (2, 2)
    heat = gradcam(network, module, torch.randn(2, 3, 64, 64), torch.tensor([1, 7]))
    assert heat is not None
    assert heat.shape == (2, 2, 2)
    assert module.training, "the module is left as it was"


def test_it_agrees_with_the_paper() -> None:
    """Maps weighed by the mean of the score's gradient over each, positive parts alone: against the
    same by hand, where one layer follows."""
    network, module = made("conv 4 3x3, pool avg global, flatten, fc 5")
    images, classes = torch.randn(3, 3, 16, 16), torch.tensor([0, 4, 2])
    heat = gradcam(network, module, images, classes)
    maps = module.get_submodule("conv")(images).detach()
    weights = module.get_parameter("fc.weight").detach()[classes] / maps[0, 0].numel()
    wanted = torch.einsum("nc,nchw->nhw", weights, maps).clamp(min=0)
    wanted = wanted / wanted.amax((1, 2), keepdim=True)
    torch.testing.assert_close(heat, wanted)


def test_a_layer_that_works_in_place_does_no_harm() -> None:
    """The relu behind it works in place; the maps are taken before."""
    network, module = made("conv 4 3x3, bn, relu, pool max 2x2, flatten, fc 5")
    heat = gradcam(network, module, torch.randn(2, 3, 16, 16), torch.tensor([1, 1]))
    assert heat is not None
    assert heat.shape == (2, 14, 14)
    assert float(heat.min()) >= 0
    assert float(heat.max()) == pytest.approx(1)


def test_frozen_weights_and_inference_mode_do_not_matter() -> None:
    network, module = made("conv 4 3x3, relu, flatten, fc 5")
    for parameter in module.parameters():
        parameter.requires_grad_(False)

    def heat() -> Tensor:
        found = gradcam(network, module, torch.ones(1, 3, 16, 16), torch.tensor([0]))
        assert found is not None
        return found

    with torch.no_grad():
        assert torch.equal(heat(), heat())


def test_no_positive_evidence_gives_a_dark_map() -> None:
    network, module = made("conv 4 3x3, relu, pool avg global, flatten, fc 5")
    with torch.no_grad():
        module.get_parameter("fc.weight").fill_(-1.0)
    heat = gradcam(network, module, torch.randn(1, 3, 16, 16), torch.tensor([0]))
    assert heat is not None
    assert not heat.any()
