"""Szegedy et al., 2014, arXiv:1409.4842
From googlenet.cnn by dotcnn 0.2.0. Weights: model.load_state_dict(torch.load(path))

New: filters of several sizes side by side, behind 1x1 convolutions that narrow the map; auxiliary
heads that bring gradients to the middle. As in common use, with batch norm and 3x3 instead of 5x5.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Unit(nn.Sequential):
    def __init__(
        self, in_channels: int, width: int, kernel: int = 1, stride: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels,
            width,
            kernel,
            stride=stride,
            padding=(kernel - 1) // 2,
            bias=False,
        )
        self.bn = nn.BatchNorm2d(width, eps=0.001)
        self.relu = nn.ReLU(inplace=True)


class Mixed(nn.Module):
    def __init__(
        self,
        in_channels: int,
        direct: int,
        narrow: int,
        wide: int,
        narrow2: int,
        wide2: int,
        pooled: int,
    ) -> None:
        super().__init__()
        self.unit1 = Unit(in_channels, direct)
        self.unit2 = Unit(in_channels, narrow)
        self.unit3 = Unit(narrow, wide, kernel=3)
        self.unit4 = Unit(in_channels, narrow2)
        self.unit5 = Unit(narrow2, wide2, kernel=3)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.unit6 = Unit(in_channels, pooled)

    def forward(self, x: Tensor) -> Tensor:
        paths = [
            self.unit1(x),
            self.unit3(self.unit2(x)),
            self.unit5(self.unit4(x)),
            self.unit6(self.pool(x)),
        ]
        return torch.cat(paths, 1)


class Classifier(nn.Sequential):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.unit = Unit(in_channels, 128)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(2048, 1024)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, 1000)


class GoogLeNetOutputs(NamedTuple):
    logits: Tensor
    aux1: Tensor | None
    aux2: Tensor | None


class GoogLeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.unit1 = Unit(3, 64, kernel=7, stride=2)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.unit2 = Unit(64, 64)
        self.unit3 = Unit(64, 192, kernel=3)
        self.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = Mixed(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Mixed(256, 128, 128, 192, 32, 96, 64)
        self.pool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = Mixed(480, 192, 96, 208, 16, 48, 64)
        self.aux1 = Classifier(512)
        self.inception4b = Mixed(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Mixed(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Mixed(512, 112, 144, 288, 32, 64, 64)
        self.aux2 = Classifier(528)
        self.inception4e = Mixed(528, 256, 160, 320, 32, 128, 128)
        self.pool4 = nn.MaxPool2d(2, ceil_mode=True)
        self.inception5a = Mixed(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Mixed(832, 384, 192, 384, 48, 128, 128)
        self.pool5 = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(0.2, inplace=True)
        self.fc = nn.Linear(1024, 1000)
        for module in self.modules():  # He et al., 2015, arXiv:1502.01852
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        x = self.unit2(self.pool1(self.unit1(x)))  # 64x56x56
        x = self.pool2(self.unit3(x))  # 192x28x28
        x = self.inception3a(x)  # 256x28x28
        x = self.pool3(self.inception3b(x))  # 480x14x14
        x = self.inception4a(x)  # 512x14x14
        aux1 = self.aux1(x) if self.training else None
        x = self.inception4b(x)  # 512x14x14
        x = self.inception4c(x)  # 512x14x14
        x = self.inception4d(x)  # 528x14x14
        aux2 = self.aux2(x) if self.training else None
        x = self.pool4(self.inception4e(x))  # 832x7x7
        x = self.inception5a(x)  # 832x7x7
        x = self.dropout(self.flatten(self.pool5(self.inception5b(x))))  # 1024
        x = self.fc(x)  # 1000
        return GoogLeNetOutputs(x, aux1, aux2) if self.training else x
