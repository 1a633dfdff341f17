"""What a spec can say that is no layer.
From everything.cnn by dotcnn 0.2.0. Weights: model.load_state_dict(torch.load(path))

Comments at the top are the docstring of the file.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Twice(nn.Sequential):
    """Two convolutions, \\ and \"\"\" in a comment."""

    def __init__(
        self, in_channels: int, width: int, act: type[nn.Module] = nn.ReLU
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.act1 = act()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.act2 = act()


class Squeezed(nn.Module):
    def __init__(self, in_channels: int, share: int = 4) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv1 = nn.Conv2d(in_channels, in_channels // share, 1)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(in_channels // share, share * (in_channels // share), 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        y = self.pool(x)
        y = self.relu(self.conv1(y))
        y = self.sigmoid(self.conv2(y))
        x = x * y
        return x


class Early(nn.Sequential):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(in_channels, 10)


class Block(nn.Sequential):
    def __init__(self, in_channels: int, width: int, act: type[nn.Module]) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.act1 = act()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.act2 = act()


class Block2(nn.Module):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.twice = Twice(in_channels, 32)
        self.conv = nn.Conv2d(32, 16, 1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        nn.init.zeros_(self.bn.weight)
        self.relu = nn.ReLU(inplace=True)
        self.squeezed = Squeezed(16)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn(self.conv(self.twice(x)))
        y += x
        x = self.squeezed(self.relu(y))
        return x


class EverythingOutputs(NamedTuple):
    logits: Tensor
    early: Tensor | None


class Everything(nn.Module):
    """What is tried here."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Twice(3, 16, act=nn.SiLU)
        self.blocks1 = nn.Sequential(*[Block2(16) for _ in range(2)])
        self.early = Early(16)
        self.blocks2 = nn.Sequential(Block(16, 32, nn.ReLU), Block(32, 48, nn.GELU))
        self.upsample = nn.Upsample(scale_factor=4)
        self.conv = nn.Conv2d(64, 16, 1)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(0.1, inplace=True)
        self.fc = nn.Linear(16, 10)
        self.softmax = nn.Softmax(dim=1)
        for module in self.modules():  # Glorot and Bengio, 2010
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor | EverythingOutputs:
        stem = self.stem(x)  # 16x32x32
        x = self.blocks1(stem)  # 16x32x32
        early = self.early(x) if self.training else None
        x = torch.cat([self.upsample(self.blocks2(x)), stem], 1)  # 64x32x32
        x = self.dropout(self.flatten(self.pool(self.relu(self.conv(x)))))  # 16
        x = self.fc(x)  # 10
        return EverythingOutputs(x, early) if self.training else x

    def predict(self, x: Tensor) -> Tensor:
        """What the logits of `forward` stand for."""
        output = self.forward(x)
        x = output if isinstance(output, Tensor) else output.logits
        x = self.softmax(x)
        return x
