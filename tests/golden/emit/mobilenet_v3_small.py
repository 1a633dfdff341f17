"""Howard et al., 2019, arXiv:1905.02244
From mobilenet_v3_small.cnn by dotcnn 0.2.0. Weights: model.load_state_dict(torch.load(path))

The smaller of the two networks found by the search; see mobilenet_v3_large.cnn.
"""

from torch import Tensor, nn


def divisible(value: float, by: int = 8) -> int:
    nearest = max(by, int(value + by / 2) // by * by)
    return nearest + by if nearest < 0.9 * value else nearest


class Inverted(nn.Module):
    def __init__(
        self,
        in_channels: int,
        kernel: int,
        wide: int,
        width: int,
        act: type[nn.Module],
        stride: int,
        squeeze: bool = False,
    ) -> None:
        super().__init__()
        self.has_conv1 = wide > in_channels
        self.squeeze = squeeze
        self.residual = stride == 1 and in_channels == width
        if wide > in_channels:
            self.conv1 = nn.Conv2d(in_channels, wide, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(wide, eps=0.001, momentum=0.01)
            self.act1 = act()
        self.depthwise = nn.Conv2d(
            wide,
            wide,
            kernel,
            stride=stride,
            padding=(kernel - 1) // 2,
            groups=wide,
            bias=False,
        )
        self.bn2 = nn.BatchNorm2d(wide, eps=0.001, momentum=0.01)
        self.act2 = act()
        if squeeze:
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.conv2 = nn.Conv2d(wide, divisible(wide // 4), 1)
            self.relu = nn.ReLU(inplace=True)
            self.conv3 = nn.Conv2d(divisible(wide // 4), wide, 1)
            self.hardsigmoid = nn.Hardsigmoid()
        self.conv4 = nn.Conv2d(wide, width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width, eps=0.001, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x
        if self.has_conv1:
            y = self.act1(self.bn1(self.conv1(x)))
        y = self.act2(self.bn2(self.depthwise(y)))
        if self.squeeze:
            z = self.hardsigmoid(self.conv3(self.relu(self.conv2(self.pool(y)))))
            y = y * z
        y = self.bn3(self.conv4(y))
        if self.residual:
            y += x
        return y


class Classifier(nn.Sequential):
    """The widest layer comes after the pool: on a 1x1 feature map it costs little."""

    def __init__(self, in_channels: int, width: int, outputs: int = 1000) -> None:
        super().__init__()
        hidden = 6 * in_channels
        self.conv = nn.Conv2d(in_channels, hidden, 1, bias=False)
        self.bn = nn.BatchNorm2d(hidden, eps=0.001, momentum=0.01)
        self.hardswish1 = nn.Hardswish()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(hidden, width)
        self.hardswish2 = nn.Hardswish()
        self.dropout = nn.Dropout(0.2, inplace=True)
        self.fc2 = nn.Linear(width, outputs)


class MobileNetV3Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16, eps=0.001, momentum=0.01)
        self.hardswish = nn.Hardswish()
        self.blocks = nn.Sequential(
            Inverted(16, 3, 16, 16, nn.ReLU, 2, squeeze=True),
            Inverted(16, 3, 72, 24, nn.ReLU, 2),
            Inverted(24, 3, 88, 24, nn.ReLU, 1),
            Inverted(24, 5, 96, 40, nn.Hardswish, 2, squeeze=True),
            *[
                Inverted(40, 5, 240, 40, nn.Hardswish, 1, squeeze=True)
                for _ in range(2)
            ],
            Inverted(40, 5, 120, 48, nn.Hardswish, 1, squeeze=True),
            Inverted(48, 5, 144, 48, nn.Hardswish, 1, squeeze=True),
            Inverted(48, 5, 288, 96, nn.Hardswish, 2, squeeze=True),
            *[
                Inverted(96, 5, 576, 96, nn.Hardswish, 1, squeeze=True)
                for _ in range(2)
            ],
        )
        self.classifier = Classifier(96, 1024)
        for module in self.modules():  # He et al., 2015, arXiv:1502.01852
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.hardswish(self.bn(self.conv(x)))  # 16x112x112
        x = self.classifier(self.blocks(x))  # 1000
        return x
