"""Weights of torchvision: names, its cache, and preprocessing."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.training.runtime.import_torchvision import torchvision
from dotcnn.training.transfer.torchvision_weights import from_torchvision

from ..foreign import fill
from .gallery import begun, spec

pytestmark = pytest.mark.skipif(find_spec("torchvision") is None, reason="needs torchvision")


def refused(name: str) -> Diagnostic:
    with pytest.raises(SpecError) as raised:
        from_torchvision(name)
    (found,) = raised.value.diagnostics
    return found


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where torchvision looks; there is no network."""

    def no_network(*arguments: object, **options: object) -> None:
        raise OSError("there is no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", no_network)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("ResNet50_Weights.IMAGENET1K_V9", "ResNet50_Weights.IMAGENET1K_V"),
        ("ResNet50_weights.IMAGENET1K_V1", "ResNet50_Weights.IMAGENET1K_V1"),
        ("ResNet50_Weights", "ResNet50_Weights.IMAGENET1K_V2"),
        ("resnet50", "ResNet50_Weights.IMAGENET1K_V2"),
        ("mnasnet0_5.v1", "MNASNet0_5_Weights.IMAGENET1K_V1"),
        ("resnet50.IMAGENET1K_V1", "ResNet50_Weights.IMAGENET1K_V1"),
        ("zzz", ""),
    ],
)
def test_unknown_names(name: str, close: str) -> None:
    found = refused(name)
    assert found.code == "unknown-weights"
    assert f"torchvision has no weights called {name}" == found.message
    assert close in found.help
    assert bool(close) == bool(found.help)


@pytest.mark.parametrize(
    "name",
    [
        "FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1",
        "ResNet50_QuantizedWeights.IMAGENET1K_FBGEMM_V1",
        "R3D_18_Weights.KINETICS400_V1",
    ],
)
def test_weights_of_what_is_no_classifier_of_images(name: str, cache: Path) -> None:
    """They are torchvision's, and of modules that nothing here can be."""
    found = refused(name)
    assert found.code == "unknown-weights"
    assert "of an image classifier" in found.message
    assert list(cache.iterdir()) == []


def test_a_file_in_the_cache_that_cannot_be_read(cache: Path) -> None:
    file = cache / "squeezenet1_1-b8a52dc0.pth"
    file.write_bytes(b"half of it")
    found = refused("SqueezeNet1_1_Weights.IMAGENET1K_V1")
    assert found.code == "weights-damaged"
    assert found.notes == (f"it is in {file}",)


def test_a_file_in_the_cache_that_is_something_else(cache: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, cache / "squeezenet1_1-b8a52dc0.pth")
    assert refused("SqueezeNet1_1_Weights.IMAGENET1K_V1").code == "weights-damaged"


@pytest.mark.parametrize(
    "name", ["googlenet", pytest.param("inception_v3", marks=pytest.mark.slow)]
)
def test_modules_that_go_on_from_the_usual_normalisation(name: str, cache: Path) -> None:
    """These two turn it into -1 to 1 by themselves, where torchvision gives them weights. Ours has
    that in `evaluate`, and computes the same of the same image."""
    models: Any = torchvision("models")
    weights = models.get_model_weights(name).IMAGENET1K_V1
    torch.manual_seed(0)
    side = 299 if name == "inception_v3" else 64
    images = torch.rand(2, 3, side, side)
    module: nn.Module = models.get_model(name, weights=None, init_weights=False)
    with torch.no_grad():
        fill(module, images)
    torch.save(module.state_dict(), cache / weights.url.rpartition("/")[2])
    theirs = models.get_model(name, weights=weights).eval()
    assert theirs.transform_input

    text = spec(name, f"torchvision:{type(weights).__name__}.IMAGENET1K_V1")
    found = begun(cache, text, side)
    pixels = found.request.plan.evaluate.normalize.pixels
    assert (pixels.mean, pixels.std) == ((0.5,) * 3, (0.5,) * 3)
    preset = weights.transforms()
    mean, std = (torch.tensor(each)[:, None, None] for each in (preset.mean, preset.std))
    with torch.no_grad():
        expected = theirs((images - mean) / std)
        assert torch.allclose(found.module.eval()((images - 0.5) / 0.5), expected, atol=1e-4)
    assert "activations of both agree" in " ".join(found.start.table.split())
