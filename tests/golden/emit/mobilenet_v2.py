"""Sandler et al., 2018, arXiv:1801.04381
From mobilenet_v2.cnn by dotcnn 0.2.0. Weights: model.load_state_dict(torch.load(path))

New: inverted residuals. The shortcuts connect narrow feature maps; in between, a 1x1 convolution
widens the map, a depthwise convolution filters each channel, and a 1x1 without an activation
narrows it again. `wider` and `deeper` scale it; the last stage keeps its depth.
"""

from torch import Tensor, nn


class Inverted(nn.Module):
    def __init__(
        self, in_channels: int, width: int, expand: int = 6, stride: int = 1
    ) -> None:
        super().__init__()
        hidden = expand * in_channels
        self.expand = expand > 1
        self.residual = stride == 1 and in_channels == width
        if expand > 1:
            self.conv1 = nn.Conv2d(in_channels, hidden, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(hidden)
            self.relu6_1 = nn.ReLU6(inplace=True)
        self.depthwise = nn.Conv2d(
            hidden, hidden, 3, stride=stride, padding=1, groups=hidden, bias=False
        )
        self.bn2 = nn.BatchNorm2d(hidden)
        self.relu6_2 = nn.ReLU6(inplace=True)
        self.conv2 = nn.Conv2d(hidden, width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x
        if self.expand:
            y = self.relu6_1(self.bn1(self.conv1(x)))
        y = self.relu6_2(self.bn2(self.depthwise(y)))
        y = self.bn3(self.conv2(y))
        if self.residual:
            y += x
        return y


class MobileNetV2(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.relu6_1 = nn.ReLU6(inplace=True)
        self.inverted = Inverted(32, 16, expand=1)
        self.stages = nn.Sequential(
            nn.Sequential(Inverted(16, 24, stride=2), Inverted(24, 24)),
            nn.Sequential(
                Inverted(24, 32, stride=2), *[Inverted(32, 32) for _ in range(2)]
            ),
            nn.Sequential(
                Inverted(32, 64, stride=2), *[Inverted(64, 64) for _ in range(3)]
            ),
            nn.Sequential(Inverted(64, 96), *[Inverted(96, 96) for _ in range(2)]),
            nn.Sequential(
                Inverted(96, 160, stride=2), *[Inverted(160, 160) for _ in range(2)]
            ),
            nn.Sequential(Inverted(160, 320)),
        )
        self.conv2 = nn.Conv2d(320, 1280, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(1280)
        self.relu6_2 = nn.ReLU6(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(0.2, inplace=True)
        self.fc = nn.Linear(1280, 1000)
        for module in self.modules():  # He et al., 2015, arXiv:1502.01852
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu6_1(self.bn1(self.conv1(x)))  # 32x112x112
        x = self.inverted(x)  # 16x112x112
        x = self.stages(x)  # 320x7x7
        x = self.dropout(self.flatten(self.pool(self.relu6_2(self.bn2(self.conv2(x))))))
        x = self.fc(x)  # 1000
        return x
