"""The accuracy of trained networks that come in through a module: ResNet-20 for CIFAR-10."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import dotcnn
from dotcnn.benchmarks.import_suite.corpora import SHARED
from dotcnn.benchmarks.import_suite.table import Options
from dotcnn.cli import main
from dotcnn.compiler.importing.import_network import Imported
from dotcnn.training.weights.read import read_weights

WEIGHTS = SHARED / "weights" / "resnet_cifar10" / "resnet20-12fca82f.th"
IMAGES = SHARED / "data" / "cifar10_8k_2k.npz"
RIGHT = 1834
"""Of 2,000 test images, for these weights in any framework."""


class Block(nn.Module):
    """With a shortcut without weights: every second place, and channels of zeros around."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.more = (width - before) // 2

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.more:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more))
        y += x
        return F.relu(y)


class ResNet20(nn.Module):
    """As for the weights: the names of the layers are those of the file."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        before = 16
        for number, width in enumerate((16, 32, 64), 1):
            blocks = [Block(before if n == 0 else width, width, 2 if n == 0 and number > 1 else 1)
                      for n in range(3)]  # fmt: skip
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            before = width
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        for layer in (self.layer1, self.layer2, self.layer3):
            x = layer(x)
        x = F.avg_pool2d(x, x.size()[3])
        return self.linear(x.view(x.size(0), -1))  # type: ignore[no-any-return]


def resnet20() -> Imported:
    module = ResNet20()
    module.load_state_dict(read_weights(WEIGHTS))
    return dotcnn.from_module(module, torch.zeros(1, 3, 32, 32))


def right(imported: Imported) -> int:
    """How many of the test images `cnn evaluate` finds right with the imported spec and weights."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "net.cnn"
        imported.save(spec)
        with spec.open("a", encoding="utf-8") as file:
            file.write("\nevaluate { normalize imagenet }\n")
        weights = str(spec.with_suffix(".safetensors"))
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            main(["evaluate", str(spec), "--weights", weights, "--data", str(IMAGES),
                  "--format", "json"])  # fmt: skip
    found = json.loads(said.getvalue())
    return round(found["metrics"]["top1"] * found["images"])


def run(options: Options) -> int:
    imported = resnet20()
    count = right(imported)
    print(imported.text)
    print(f"{count:,} of 2,000 test images are right, {RIGHT:,} expected")
    return int(count != RIGHT)
