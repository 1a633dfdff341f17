"""Modules of torch as specs: `dotcnn.from_module`, and by name, `torchvision:NAME`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dotcnn
from commands import run
from dotcnn.benchmarks.import_suite.accuracy import RIGHT, resnet20, right
from dotcnn.training.importing.by_name import stir
from dotcnn.training.runtime.import_torchvision import torchvision
from support import shared

Capture = pytest.CaptureFixture[str]


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x
        return self.relu(y)  # type: ignore[no-any-return]


class SmallNet(nn.Module):
    """With an auxiliary head, in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.layers = nn.Sequential(Block(8), Block(8))
        self.aux = nn.Linear(8, 5)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Any:
        x = self.stem(x)
        early = self.aux(x.mean([2, 3])) if self.training else None
        x = self.layers(x)
        x = self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))
        return (x, early) if self.training else x


SPEC = """\
block basic {
  residual {
    conv 8 3x3 same, bn, relu
    conv 8 3x3 same, bn
  }
  relu
}

network SmallNet {
  input 3x16x16
  conv 8 3x3 stride=2 same
  aux1: aux weight=0.3 {
    pool avg global, flatten
    fc 5
  }
  basic, basic
  pool avg global, flatten
  fc 5
}
"""


@pytest.fixture
def module() -> nn.Module:
    torch.manual_seed(0)
    made = SmallNet()
    stir(made)
    return made


def test_a_module_becomes_a_spec(module: nn.Module, tmp_path: Path) -> None:
    before = {key: each.clone() for key, each in module.state_dict().items()}
    imported = dotcnn.from_module(module, (3, 16, 16))
    assert imported.body == SPEC
    assert all(torch.equal(before[key], each) for key, each in module.state_dict().items())
    assert "those of the original to" in imported.text
    assert imported.network.output.shape == (5,)
    assert module.training
    imported.save(tmp_path / "net.cnn")
    own = dotcnn.load(tmp_path / "net.cnn", weights=tmp_path / "net.safetensors").eval()
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.allclose(own(images), module.eval()(images), atol=1e-5)


def test_the_example_may_be_a_batch(module: nn.Module) -> None:
    assert (
        dotcnn.from_module(module, torch.zeros(4, 3, 16, 16), name="small").network.name == "Small"
    )


def test_saving_replaces_only_what_was_imported(module: nn.Module, tmp_path: Path) -> None:
    imported = dotcnn.from_module(module, (3, 16, 16))
    (tmp_path / "mine.cnn").write_text("network Mine { input 3x8x8, conv 4 }\n")
    with pytest.raises(FileExistsError, match=r"mine\.cnn exists already"):
        imported.save(tmp_path / "mine.cnn")
    imported.save(tmp_path / "mine.cnn", force=True)
    imported.save(tmp_path / "mine.cnn")
    with pytest.raises(ValueError, match=r"does not end in \.cnn"):
        imported.save(tmp_path / "net.py")


def test_a_part_of_a_module() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Unflatten(1, (6, 24)))
    module.append(nn.LSTM(24, 8))
    with pytest.raises(dotcnn.SpecError, match="`lstm` cannot be said here"):
        dotcnn.from_module(module, (3, 8, 8))
    assert "conv 4 3x3" in dotcnn.from_module(module, (3, 8, 8), partial=True).body


def test_channels_of_zeros_on_both_sides() -> None:
    class Wider(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(nn.functional.pad(x, (0, 0, 0, 0, 2, 2)))

    assert dotcnn.from_module(Wider(), (3, 8, 8)).network.output.shape == (7, 8, 8)


class Shared(nn.Module):
    """One small network for both pools, as in CBAM; and a class as its logarithm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.mlp = nn.Sequential(nn.Conv2d(8, 2, 1), nn.ReLU(), nn.Conv2d(2, 8, 1))
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        mean, most = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
        x = x * (self.mlp(mean) + self.mlp(most)).sigmoid()
        return self.fc(x.mean((2, 3))).log_softmax(1)  # type: ignore[no-any-return]


def test_weights_that_layers_share_and_a_last_logarithm() -> None:
    module = Shared()
    imported = dotcnn.from_module(module, (3, 12, 12))
    assert "share mlp_0" in imported.text
    assert "softmax" in imported.text
    assert "the logarithm of its softmax" in imported.text
    counted = sum(weight.numel() for weight in module.parameters())
    assert sum(tensor.size for tensor in map(_array, imported.weights.values())) == counted


def _array(value: Any) -> Any:
    return value.detach().numpy()


@pytest.mark.parametrize(
    ("make", "example", "said"),
    [
        (lambda: nn.Conv2d(3, 4, 3), None, "which the module `Conv2d` takes"),
        (lambda: nn.Conv2d(3, 4, 3), (2, 3, 8, 8, 8), "2x3x8x8x8 is not the shape of an image"),
        (lambda: nn.Conv2d(3, 4, 3), (1, 8, 8), "the module `Conv2d`"),
        (lambda: nn.Conv2d(3, 4, 3), (3, 10**6, 10**6), "too large"),
        (lambda: nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8, dtype=torch.complex64), "complex64"),
        (lambda: nn.Conv2d(3, 4, 3, dtype=torch.complex64), (3, 8, 8), "`Conv2d` has complex"),
        (
            lambda: nn.Bilinear(3, 3, 4),
            (3,),
            "`Bilinear` on 3: missing a required argument: 'input2'",
        ),
        (lambda: nn.Bilinear(3, 3, 4), (torch.zeros(1, 3), torch.zeros(1, 3)), "takes 2 inputs"),
        (lambda: nn.Identity(), (3, 8, 8), "the module `Identity` computes nothing"),
        (lambda: nn.LazyConv2d(3, 3), (3, 8, 8), "`LazyConv2d` does not know the shape"),
        (lambda: nn.Conv2d(3, 4, 3, device="meta"), (3, 8, 8), "have no values"),
    ],
)
def test_refused(make: Callable[[], nn.Module], example: Any, said: str) -> None:
    with pytest.raises(dotcnn.SpecError, match=said):
        dotcnn.from_module(make(), example)


def test_no_module() -> None:
    with pytest.raises(TypeError, match=r"takes a torch\.nn\.Module, not int"):
        dotcnn.from_module(3, (3, 8, 8))  # type: ignore[arg-type]


def test_weights_that_are_computed_of_others() -> None:
    module = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    imported = dotcnn.from_module(module, (3, 8, 8))
    assert "how `weight_norm` computes weights" in imported.text
    assert "in 32 bits" in imported.text


@pytest.mark.slow
def test_a_trained_network_is_right_as_often() -> None:
    shared("data/cifar10_8k_2k.npz")
    imported = resnet20()
    assert "residual shortcut=pad" in imported.body
    assert right(imported) == RIGHT


# ---- by name -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_networks_of_torchvision(capfd: Capture, tmp_path: Path) -> None:
    result = run(capfd, "import", "torchvision:squeezenet1_1", "-o", str(tmp_path / "net.cnn"))
    assert result.code == 0
    assert [each.name for each in tmp_path.iterdir()] == ["net.cnn"]
    text = (tmp_path / "net.cnn").read_text()
    assert "without weights" in text
    assert "With random weights, the outputs" in " ".join(text.split())


def test_weights_of_a_file_are_taken(capfd: Capture, tmp_path: Path) -> None:
    module = torchvision("models").squeezenet1_1(num_classes=1000)
    weights, net = tmp_path / "weights.pth", str(tmp_path / "net.cnn")
    torch.save({"state_dict": module.state_dict()}, weights)
    options = ("--input", "3x64x64", "--weights", str(weights), "-o", net)
    result = run(capfd, "import", "torchvision:squeezenet1_1", *options)
    assert result.code == 0
    own = dotcnn.load(net, weights=tmp_path / "net.safetensors").eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(own(images), module.eval()(images), atol=1e-5)
    torch.save({"features.0.weight": torch.zeros(3)}, weights)
    result = run(capfd, "import", "torchvision:squeezenet1_1", *options)
    assert result.code == 1
    assert "has the weights of another network: `features.0.bias` is missing" in result.err


def test_names_that_are_not_known(capfd: Capture) -> None:
    result = run(capfd, "import", "torchvision:resnet5")
    assert result.code == 1
    assert "did you mean torchvision:resnet50?" in result.err


def test_a_library_that_is_missing(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    result = run(capfd, "import", "timm:resnet50")
    assert result.code == 1
    assert "pip install timm" in result.err
