"""Ma et al., 2018, arXiv:1807.11164
From shufflenet_v2_x1_0.cnn by dotcnn 0.2.0. Weights: model.load_state_dict(torch.load(path))

New: designed for measured speed instead of few multiply-adds. Layers have as many output channels
as input channels, there are few groups and few branches, and half of the channels pass through a
unit unchanged, at no cost.
"""

import torch
from torch import Tensor, nn


class Halve(nn.Module):
    """The first unit of a stage: both paths see all channels and halve the feature map."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        half = width // 2
        self.depthwise1 = nn.Conv2d(
            in_channels,
            in_channels,
            3,
            stride=2,
            padding=1,
            groups=in_channels,
            bias=False,
        )
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, half, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(half)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(in_channels, half, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(half)
        self.relu2 = nn.ReLU(inplace=True)
        self.depthwise2 = nn.Conv2d(
            half, half, 3, stride=2, padding=1, groups=half, bias=False
        )
        self.bn4 = nn.BatchNorm2d(half)
        self.conv3 = nn.Conv2d(half, half, 1, bias=False)
        self.bn5 = nn.BatchNorm2d(half)
        self.relu3 = nn.ReLU(inplace=True)
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.depthwise1(x))
        y = self.relu1(self.bn2(self.conv1(y)))
        x = self.relu2(self.bn3(self.conv2(x)))
        x = self.bn4(self.depthwise2(x))
        x = self.shuffle(torch.cat([y, self.relu3(self.bn5(self.conv3(x)))], 1))
        return x


class Unit(nn.Module):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        half = in_channels // 2
        self.conv1 = nn.Conv2d(half, half, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(half)
        self.relu1 = nn.ReLU(inplace=True)
        self.depthwise = nn.Conv2d(half, half, 3, padding=1, groups=half, bias=False)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv2 = nn.Conv2d(half, half, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(half)
        self.relu2 = nn.ReLU(inplace=True)
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        x, y = x.chunk(2, 1)
        y = self.relu1(self.bn1(self.conv1(y)))
        y = self.bn2(self.depthwise(y))
        x = self.shuffle(torch.cat([x, self.relu2(self.bn3(self.conv2(y)))], 1))
        return x


class ShuffleNetV2_x1_0(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 24, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(24)
        self.relu1 = nn.ReLU(inplace=True)
        self.pool1 = nn.MaxPool2d(3, stride=2, padding=1)
        self.stage2 = nn.Sequential(Halve(24, 116), *[Unit(116) for _ in range(3)])
        self.stage3 = nn.Sequential(Halve(116, 232), *[Unit(232) for _ in range(7)])
        self.stage4 = nn.Sequential(Halve(232, 464), *[Unit(464) for _ in range(3)])
        self.conv2 = nn.Conv2d(464, 1024, 1, bias=False)
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
        x = self.pool1(self.relu1(self.bn1(self.conv1(x))))  # 24x56x56
        x = self.stage2(x)  # 116x28x28
        x = self.stage3(x)  # 232x14x14
        x = self.stage4(x)  # 464x7x7
        x = self.flatten(self.pool2(self.relu2(self.bn2(self.conv2(x)))))  # 1024
        x = self.fc(x)  # 1000
        return x
