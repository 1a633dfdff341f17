"""Networks of the gallery that torchvision has, too, start from torchvision's weights in a
file, as in training: a spec, its `transfer` section, and all that happens before the first step.
The weights are random; the report must list all of them, and the outputs must agree.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.weights.match import match
from typical import typical_of_torchvision

from ..foreign import QUICK, fill, ours, pairs, side, torchvision
from .gallery import Begun, begun, spec

pytestmark = pytest.mark.skipif(find_spec("torchvision") is None, reason="needs torchvision")

TOLERANCE = 1e-9

each_network = pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in sorted({*QUICK, *typical_of_torchvision()})
    ],
)

HEADS = {
    "alexnet": ["fc3"],
    "resnet18": ["fc"],
    "resnext50_32x4d": ["fc"],
    "vgg11_bn": ["classifier.fc3"],
    "densenet121": ["fc"],
    "mobilenet_v2": ["fc"],
    "mobilenet_v3_small": ["classifier.fc2"],
    "efficientnet_b0": ["fc"],
    "efficientnet_v2_s": ["fc"],
    "googlenet": ["aux1.fc2", "aux2.fc2", "fc"],
    "inception_v3": ["aux.fc", "fc"],
    "squeezenet1_1": ["classifier.conv"],
    "convnext_tiny": ["fc"],
    "regnet_y_400mf": ["fc"],
    "mnasnet0_5": ["fc"],
    "shufflenet_v2_x0_5": ["fc"],
}
"""What is made for so many classes in a network of each kind, by our names."""

each_kind = pytest.mark.parametrize(
    "name",
    [
        n if n in ("googlenet", "squeezenet1_1") else pytest.param(n, marks=pytest.mark.slow)
        for n in HEADS
    ],
)


def theirs(name: str, file: Path, **options: object) -> nn.Module:
    """A module of torchvision with random weights, and the file that they are saved in."""
    torch.manual_seed(0)
    images = torch.randn(2, 3, side(name), side(name))
    module = torchvision(name, **options)
    with torch.no_grad():
        fill(module, images)
    torch.save(module.state_dict(), file)
    return module


def largest_difference(name: str, found: Begun, module: nn.Module) -> float:
    """The largest difference of the outputs, in evaluation and float64."""
    torch.manual_seed(1)
    images = torch.randn(2, 3, side(name), side(name), dtype=torch.float64)
    with torch.no_grad():
        expected = module.double().eval()(images)
        assert 0.01 < expected.std() < 100, "an output that says nothing"
        return float((found.module.double().eval()(images) - expected).abs().max())


@pytest.mark.slow
@each_network
def test_networks_start_from_torchvisions_weights(name: str, tmp_path: Path) -> None:
    module = theirs(name, tmp_path / "weights.pth")
    found = begun(tmp_path, spec(name, "weights.pth"), side(name))
    for status in ("reinitialized", "ambiguous", "unused", "adapted", "anew"):
        assert status not in found.start.table
    assert found.start.transferred == found.fresh.keys()
    assert largest_difference(name, found, module) <= TOLERANCE


@each_kind
@pytest.mark.parametrize("others", [True, False])
def test_networks_start_with_a_new_head(name: str, others: bool, tmp_path: Path) -> None:
    """For as many other classes, or another number: all but the head is theirs, and the head is as
    it was. So are the last layers of auxiliary heads, which tell the same classes apart."""
    module = theirs(name, tmp_path / "weights.pth")
    text = spec(name, "weights.pth", "head reset", anew=others)
    found = begun(tmp_path, text, side(name))
    assert found.request.network.output.shape == (10 if others else 1000,)
    keys = [key for key in found.fresh if not key.endswith("num_batches_tracked")]
    heads = {key for key in keys if key.rpartition(".")[0] in HEADS[name]}
    assert heads
    partner, there, now = pairs(match(ours(name), module)), module.state_dict(), found.module
    for key, tensor in now.state_dict().items():
        if key in heads:
            assert torch.equal(tensor, found.fresh[key]), key
        elif key in keys:
            assert same(tensor, there[partner[key]]), key
    assert found.start.transferred.isdisjoint(heads)
    assert {*keys} - heads <= found.start.transferred
    (line,) = [line for line in found.start.lines if "initialized at random" in line]
    assert all(head in line for head in HEADS[name])


def same(mine: Tensor, their: Tensor) -> bool:
    return mine.numel() == their.numel() and torch.equal(mine, their.reshape(mine.shape))


@pytest.mark.parametrize("reset", [False, True])
def test_missing_auxiliary_heads_are_reinitialized(reset: bool, tmp_path: Path) -> None:
    """torchvision takes GoogLeNet's away when it has read the weights."""
    module = theirs("googlenet", tmp_path / "weights.pth", aux_logits=False)
    lines = ["head reset"] if reset else []
    text = spec("googlenet", "weights.pth", *lines, anew=reset)
    found = begun(tmp_path, text, side("googlenet"))
    heads = {key for key in found.fresh if key.startswith("aux")}
    assert heads
    state = found.module.state_dict()
    assert all(torch.equal(state[key], found.fresh[key]) for key in heads)
    assert found.start.transferred.isdisjoint(heads)
    expected = (
        "fc, aux1 and aux2 are initialized at random"
        if reset
        else "aux1 and aux2 are initialized at random"
    )
    assert expected in found.start.lines
    assert "initialized at random: " in found.start.table
    if not reset:
        assert largest_difference("googlenet", found, module) <= TOLERANCE


def test_an_auxiliary_head_that_is_there_in_part_is_a_mistake(tmp_path: Path) -> None:
    weights = theirs("googlenet", tmp_path / "weights.pth").state_dict()
    torch.save({k: v for k, v in weights.items() if "aux1.fc1" not in k}, tmp_path / "weights.pth")
    with pytest.raises(SpecError) as raised:
        begun(tmp_path, spec("googlenet", "weights.pth"), side("googlenet"))
    assert "aux1.fc1" in "".join(raised.value.diagnostics[0].notes)


SEGMENTING = """
train {{ data digits }}
transfer {{
  from "weights.pth"
  {line}
}}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "encoder", "line"),
    [
        ("unet_resnet18", "resnet18", "features layer4 trained lr=0.1x"),
        ("linknet", "resnet34", "features layer4"),
        ("fpn_resnet50", "resnet50", "features layer4"),
    ],
)
def test_an_encoder_starts_with_the_weights_of_a_classifier(
    name: str, encoder: str, line: str, tmp_path: Path
) -> None:
    """All of torchvision's ResNet but its head, and nothing of the decoder; both are told."""
    module = theirs(encoder, tmp_path / "weights.pth")
    text = spec(name, "", "").partition("\ntrain {")[0] + SEGMENTING.format(line=line)
    found = begun(tmp_path, text, 64)
    given, mine = module.state_dict(), found.module.state_dict()
    assert len(found.start.transferred) == len(given) - len(["fc.weight", "fc.bias"])
    total = sum(float(mine[key].double().abs().sum()) for key in found.start.transferred)
    wanted = sum(float(t.double().abs().sum()) for key, t in given.items() if key[:2] != "fc")
    assert total == pytest.approx(wanted, rel=1e-12)
    for key in mine.keys() - found.start.transferred:
        assert key.startswith(("decoder", "classifier"))
        assert torch.equal(mine[key], found.fresh[key])
    assert "decoder" in found.start.table
    assert any("decoder" in line and "initialized at random" in line for line in found.start.lines)
