"""Networks of the gallery that give more than a class: masks, and boxes at several scales.

Held against torchvision's modules, from the image to what their heads return. What comes after the
heads there (anchors, the choice among boxes) is not part of a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

import dotcnn
from dotcnn.compiler.analysis import analyse
from dotcnn.training.runtime.import_torchvision import torchvision
from timm_modules import as_if_trained

TOLERANCE = 1e-9
"""Of outputs, relative to the largest."""

PARAMETERS = {
    # torchvision's `num_params`, with the auxiliary head where there is one.
    "fcn_resnet50": 35_322_218,
    "fcn_resnet101": 54_314_346,
    "deeplabv3_resnet50": 42_004_074,
    "deeplabv3_resnet101": 60_996_202,
    "deeplabv3_mobilenet_v3": 11_029_328,
    "lraspp_mobilenet_v3": 3_221_538,
    # The same, with the 53,120 factors of batch norms, which torchvision freezes as buffers.
    "retinanet_resnet50": 34_014_999 + 53_120,
    "fcos_resnet50": 32_269_600 + 53_120,
    "ssd300_vgg16": 35_641_826,
    "ssdlite320_mobilenet_v3": 3_440_060,
    "yolov3": 61_949_149,  # "trainable" of the many ports of yolov3.cfg
}


@pytest.mark.parametrize("spec", PARAMETERS)
def test_parameters(spec: str) -> None:
    totals = analyse(dotcnn.compile(spec)).totals
    assert totals.params + totals.aux_params == PARAMETERS[spec]


@pytest.mark.parametrize(
    ("network", "params"), [("Generator", 3_576_704), ("Discriminator", 2_765_568)]
)
def test_two_networks_in_one_file(network: str, params: int) -> None:
    """DCGAN's, as in torch's tutorial; the blocks that either calls are in use."""
    assert analyse(dotcnn.compile("dcgan", network=network)).totals.params == params
    assert dotcnn.check("dcgan") == []


class Segmenting(nn.Module):
    """A segmentation network of torchvision that always returns both of its outputs."""

    def __init__(self, name: str) -> None:
        super().__init__()
        options: dict[str, Any] = {} if name.startswith("lraspp") else {"aux_loss": True}
        large = "_large" if name.endswith("_v3") else ""
        make = getattr(torchvision("models.segmentation"), name + large)
        self.model = make(weights=None, weights_backbone=None, **options)

    def forward(self, images: Tensor) -> list[Tensor]:
        return list(self.model(images).values())


class Pyramid(nn.Module):
    """The body of a detector of torchvision, with heads that are applied to each of its maps."""

    def __init__(self, backbone: nn.Module, heads: Callable[[Any], list[list[nn.Module]]]) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = heads

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.backbone(images).values()
        return [output for each in maps for output in self.heads(each)]


def fpn() -> nn.Module:
    part = torchvision("models.detection.backbone_utils")
    backbone = part.resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=nn.BatchNorm2d
    )
    return Pyramid(backbone, lambda each: [each])


class RetinaNet(Pyramid):
    def __init__(self) -> None:
        make = torchvision("models.detection").retinanet_resnet50_fpn
        model = make(weights=None, weights_backbone=None)
        super().__init__(model.backbone, self.look)
        self.classify, self.regress = model.head.classification_head, model.head.regression_head

    def look(self, each: Tensor) -> list[Tensor]:
        scores = self.classify.cls_logits(self.classify.conv(each))
        return [scores, self.regress.bbox_reg(self.regress.conv(each))]


class FCOS(Pyramid):
    def __init__(self) -> None:
        make = torchvision("models.detection").fcos_resnet50_fpn
        model = make(weights=None, weights_backbone=None)
        super().__init__(model.backbone, self.look)
        self.classify, self.regress = model.head.classification_head, model.head.regression_head

    def look(self, each: Tensor) -> list[Tensor]:
        scores = self.classify.cls_logits(self.classify.conv(each))
        tower = self.regress.conv(each)
        return [scores, self.regress.bbox_reg(tower).relu(), self.regress.bbox_ctrness(tower)]


class SSD(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        make = getattr(torchvision("models.detection"), name)
        model = make(weights=None, weights_backbone=None)
        self.backbone, self.head = model.backbone, model.head

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.backbone(images).values()
        scores = self.head.classification_head.module_list
        boxes = self.head.regression_head.module_list
        looks = zip(maps, scores, boxes, strict=True)
        return [output for each, one, two in looks for output in (one(each), two(each))]


REFERENCES: dict[str, Callable[[], nn.Module]] = {
    **{
        name: lambda name=name: Segmenting(name)  # type: ignore[misc]
        for name in list(PARAMETERS)[:6]
    },
    "pyramid_resnet50": fpn,
    "retinanet_resnet50": RetinaNet,
    "fcos_resnet50": FCOS,
    "ssd300_vgg16": lambda: SSD("ssd300_vgg16"),
    "ssdlite320_mobilenet_v3": lambda: SSD("ssdlite320_mobilenet_v3_large"),
}


@pytest.fixture
def without_gradients() -> Iterator[None]:
    try:
        torchvision()
    except ImportError:
        pytest.skip("torchvision is not installed")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.parametrize("spec", REFERENCES)
def test_outputs_are_those_of_torchvision_with_its_weights(
    spec: str, without_gradients: None
) -> None:
    side = 300 if spec == "ssd300_vgg16" else 64
    shape = (3, side, side)
    torch.manual_seed(0)
    theirs = as_if_trained(REFERENCES[spec]().double(), shape)
    network = dotcnn.compile(spec, input=shape)
    found = dotcnn.match(network, theirs)
    if spec != "ssd300_vgg16":  # where a weight has another scale, see below
        found.require_complete()
    ours = dotcnn.load(network).double().eval()
    found.load_into(ours)
    if spec == "ssd300_vgg16":  # torchvision divides by the length, not by the root of the mean
        ours.rescaled.weight.view(-1).copy_(theirs.backbone.scale_weight / 512**0.5)  # type: ignore[union-attr, operator]
    ours.training = bool(network.aux)  # its auxiliary head runs, dropout and norms as in evaluation
    images = torch.randn(2, *shape, dtype=torch.float64)
    expected = tree_leaves(theirs(images))
    outputs = [each for each in tree_leaves(ours(images)) if each is not None]
    for number, wanted in enumerate(expected[: len(outputs)]):
        assert wanted.std() > 1e-3 * wanted.abs().max(), "an output that says nothing"
        difference = (outputs[number] - wanted).abs().max()
        assert difference <= TOLERANCE * wanted.abs().max(), number
