"""Huang et al., 2016, arXiv:1608.06993
From densenet121.cnn by dotcnn 0.2.0. Weights: model.load_state_dict(torch.load(path))

New: each layer receives the outputs of all layers before it, concatenated, and adds a few
channels of its own. Features are reused instead of learned again, so it needs few weights for its
accuracy.
"""

import torch
from torch import Tensor, nn


class Layer(nn.Module):
    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        hidden = 4 * growth
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(in_channels, hidden, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(hidden)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(hidden, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(self.relu1(self.bn1(x)))
        return torch.cat([x, self.conv2(self.relu2(self.bn2(y)))], 1)


class Transition(nn.Sequential):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(in_channels, in_channels // 2, 1, bias=False)
        self.pool = nn.AvgPool2d(2)


class DenseNet121(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu1 = nn.ReLU(inplace=True)
        self.pool1 = nn.MaxPool2d(3, stride=2, padding=1)
        self.denseblock1 = nn.Sequential(*[Layer(64 + 32 * i, 32) for i in range(6)])
        self.transition1 = Transition(256)
        self.denseblock2 = nn.Sequential(*[Layer(128 + 32 * i, 32) for i in range(12)])
        self.transition2 = Transition(512)
        self.denseblock3 = nn.Sequential(*[Layer(256 + 32 * i, 32) for i in range(24)])
        self.transition3 = Transition(1024)
        self.denseblock4 = nn.Sequential(*[Layer(512 + 32 * i, 32) for i in range(16)])
        self.bn2 = nn.BatchNorm2d(1024)
        self.relu2 = nn.ReLU(inplace=True)
        self.pool2 = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(1024, 1000)
        for module in self.modules():  # He et al., 2015, arXiv:1502.01852
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.bn1(self.conv(x))))  # 64x56x56
        x = self.transition1(self.denseblock1(x))  # 128x28x28
        x = self.transition2(self.denseblock2(x))  # 256x14x14
        x = self.transition3(self.denseblock3(x))  # 512x7x7
        x = self.denseblock4(x)  # 1024x7x7
        x = self.flatten(self.pool2(self.relu2(self.bn2(x))))  # 1024
        x = self.fc(x)  # 1000
        return x
