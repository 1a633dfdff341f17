"""Weights without recorded preprocessing: the best one is measured and reported."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch
from torch import nn

import dotcnn
from dotcnn.compiler.plan.evaluate import PRESETS
from dotcnn.dsl.source import Source
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.request import Request, request
from dotcnn.training.transfer.pixel_scale import Comparison, compare_preprocessing

from ..small import Looker, trained
from .begun import NETWORK, notes

TRAIN = """
train {
  data npz "set.npz"
  epochs 1
  batch 64
  optimizer sgd lr=1e-12
}
"""
SPEC = NETWORK.format(input="3x16x16", classes="classes") + TRAIN


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Request:
    """A network, and stripes and checks of random colors in three classes, rather dark."""
    folder = tmp_path_factory.mktemp("set")
    numbers = numpy.random.default_rng(0)
    rows, columns = numpy.indices((16, 16)) // 2 % 2
    patterns = numpy.stack([rows, columns, rows ^ columns])[numpy.arange(96) % 3][..., None]
    images = patterns * numbers.integers(20, 120, (96, 1, 1, 3))
    images += numbers.integers(0, 20, images.shape)
    labels = numpy.arange(96) % 3
    numpy.savez(folder / "set.npz", x_train=images.astype(numpy.uint8), y_train=labels)
    return request(Source("net.cnn", SPEC), base=folder)


@pytest.fixture(scope="module")
def opened(asked: Request) -> Opened:
    return open_data(asked.plan, asked.base)


def with_statistics_of(asked: Request, opened: Opened, preset: str) -> nn.Module:
    """What its norms know is what arrives at them with this preprocessing."""
    torch.manual_seed(0)
    module = dotcnn.load(asked.network)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None  # the mean over all batches
    pixels = PRESETS[preset]
    images = torch.stack([opened.image("train", i) for i in range(60)]).float() * pixels.scale
    images = images.flip(1) if pixels.order == "bgr" else images
    mean, std = (torch.tensor(numbers or (0.0,)).view(-1, 1, 1) for numbers in pixels[1:3])
    with torch.no_grad():
        module.train()((images - mean) / std)
    return module


def compared(asked: Request, opened: Opened, module: nn.Module) -> Comparison:
    found = compare_preprocessing(asked.network, module, opened, set(module.state_dict()))
    assert found is not None
    return found


@pytest.mark.parametrize("preset", ["none", "imagenet", "caffe"])
def test_norms_know_what_arrived_at_them(asked: Request, opened: Opened, preset: str) -> None:
    found = compared(asked, opened, with_statistics_of(asked, opened, preset))
    assert found.evidence == "batch norms"
    assert found.best.normalize.preset == preset
    assert found.clear
    (warning, scores) = found.lines("net.npz")
    assert f"write `evaluate {{ normalize {preset} }}`" in warning
    assert "`normalize inception`" in scores
    (for_the_gallery, _) = found.lines("net.npz", options=True)
    assert f"write `--set evaluate.normalize={preset}`" in for_the_gallery


def test_nothing_to_warn_of_where_what_is_used_suits(asked: Request, opened: Opened) -> None:
    torch.manual_seed(0)
    module = dotcnn.load(asked.network)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
    images = torch.stack([opened.image("train", i) for i in range(60)])
    with torch.no_grad():
        module.train()(opened.preparation.prepare(images))
    found = compared(asked, opened, module)
    assert not found.clear
    assert found.lines("net.npz")[0].endswith("scored clearly better than `normalize measured`")


def test_without_norms_features_tell_the_scale(opened: Opened) -> None:
    """Biases that suit pixels of 0 to 255 leave nothing to be seen of pixels of 0 to 1."""
    text = SPEC.replace(", bn, relu", ", relu").replace(", bn }", " }").replace(", bn2: bn", "")
    asked = request(Source("net.cnn", text), base=Path.cwd(), classes=3)
    torch.manual_seed(0)
    module = dotcnn.load(asked.network)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Conv2d) and part.bias is not None:
                part.bias.normal_(5, 2)
    found = compared(asked, opened, module)
    assert found.evidence == "features"
    assert found.best.normalize.pixels.scale == 1
    assert found.clear


@pytest.mark.slow
def test_it_is_said_before_training_unless_the_spec_says(tmp_path: Path) -> None:
    digits = NETWORK.format(input="1x8x8", classes="classes") + TRAIN.replace(
        'npz "set.npz"', "digits"
    )
    torch.save(dotcnn.load(digits).state_dict(), tmp_path / "net.pt")
    text = digits + f'transfer {{ from "{tmp_path}/net.pt" }}\n'
    for name, more, said in (("open", "", True), ("said", "evaluate { normalize none }\n", False)):
        looker = Looker()
        trained(tmp_path / name, text + more, callback=looker)
        assert ("the preprocessing that the weights of" in notes(looker)) == said
