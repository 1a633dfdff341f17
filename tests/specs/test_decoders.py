"""Encoders of the gallery under the decoders of practice: held against segmentation_models_pytorch.

Its modules of the same name have the same parameters and multiply-adds, and with the same random
weights, in double precision, they compute the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

import dotcnn
from dotcnn.compiler.analysis import analyse
from dotcnn.training.runtime.import_torchvision import torchvision
from timm_modules import as_if_trained

TOLERANCE = 1e-12
"""Of outputs, relative to the largest."""


class Reference(NamedTuple):
    make: Callable[[Any], nn.Module]
    """Makes the module, given the package."""
    params: int
    macs: int
    """For an image of 256x256 pixels, counted by hooks on its convolutions."""


def _options(encoder: str) -> Mapping[str, Any]:
    return {"encoder_name": encoder, "encoder_weights": None, "classes": 21}


REFERENCES = {
    "unet_resnet18": Reference(
        lambda smp: smp.Unet(**_options("resnet18")), 14_331_109, 5_586_812_928
    ),
    "unet_resnet34": Reference(
        lambda smp: smp.Unet(**_options("resnet34")), 24_439_269, 8_002_732_032
    ),
    "unetpp": Reference(
        lambda smp: smp.UnetPlusPlus(**_options("resnet34")), 26_081_509, 18_572_378_112
    ),
    "linknet": Reference(
        lambda smp: smp.Linknet(**_options("resnet34")), 21_772_597, 5_071_962_112
    ),
    "deeplabv3plus": Reference(
        lambda smp: smp.DeepLabV3Plus(**_options("resnet34")), 22_442_597, 7_904_952_320
    ),
    "fpn_resnet50": Reference(
        lambda smp: smp.FPN(**_options("resnet50")), 26_118_613, 7_796_686_848
    ),
}

each_network = pytest.mark.parametrize("name", REFERENCES)


@each_network
def test_figures(name: str) -> None:
    totals = analyse(dotcnn.compile(name)).totals
    assert (totals.params, totals.macs) == (REFERENCES[name].params, REFERENCES[name].macs)


@pytest.mark.parametrize("name", ["linknet", "fpn_resnet50"])
def test_images_of_any_size(name: str) -> None:
    """Sizes that cannot be halved five times: CamVid's, and an odd one."""
    for shape in ((3, 180, 240), (3, 65, 99)):
        assert dotcnn.compile(name, input=shape).output.shape == (21, *shape[1:])


@pytest.fixture
def smp() -> Iterator[Any]:
    """segmentation_models_pytorch, where it is installed; nothing needs it."""
    try:
        torchvision()
    except ImportError:
        pytest.skip("the package needs torchvision, which is not installed")
    found = pytest.importorskip(
        "segmentation_models_pytorch", reason="it is not installed, nor does anything need it"
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield found
    torch.set_num_threads(threads)


@pytest.mark.slow
@each_network
def test_it_is_the_same_network(smp: Any, name: str) -> None:
    shape = (3, 64, 96)
    torch.manual_seed(0)
    theirs = REFERENCES[name].make(smp)
    assert sum(weight.numel() for weight in theirs.parameters()) == REFERENCES[name].params
    assert _macs(theirs) == REFERENCES[name].macs
    theirs = as_if_trained(theirs.double(), shape).eval()
    network = dotcnn.compile(name, input=shape)
    found = dotcnn.match(network, theirs)
    found.require_complete()
    ours = dotcnn.load(network).double().eval()
    found.load_into(ours)
    images = torch.randn(2, *shape, dtype=torch.float64)
    expected = theirs(images)
    assert expected.std() > 1e-3 * expected.abs().max()
    assert (ours(images) - expected).abs().max() <= TOLERANCE * expected.abs().max()


def _macs(model: nn.Module) -> int:
    """The multiply-adds of all convolutions for an image of 256x256 pixels."""
    total = 0

    def count(layer: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        place = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        total += layer.weight.numel() * place[0, 0].numel()

    layers = [each for each in model.modules() if isinstance(each, nn.Conv2d | nn.ConvTranspose2d)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    model.eval()(torch.zeros(1, 3, 256, 256))
    for hook in hooks:
        hook.remove()
    return total
