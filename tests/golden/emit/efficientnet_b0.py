"""Tan and Le, 2019, arXiv:1905.11946
From efficientnet_b0.cnn by dotcnn 0.2.0. Weights: model.load_state_dict(torch.load(path))

New: width, depth and image size are scaled together by one coefficient, starting from a small
network found by a search: this one.
"""

from torch import Tensor, nn


class DropPath(nn.Module):
    """Skips a branch for some images of a batch, while training (arXiv:1603.09382)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        stays = x.new_empty(x.shape[0], *[1] * (x.dim() - 1)).bernoulli_(1 - self.p)
        return x * stays.div_(1 - self.p)


class Mbconv(nn.Module):
    def __init__(
        self,
        in_channels: int,
        width: int,
        kernel: int,
        expand: int,
        drop: float,
        stride: int = 1,
        eps: float = 0.001,
        momentum: float = 0.1,
    ) -> None:
        super().__init__()
        adds = stride == 1 and width == in_channels
        wide = expand * in_channels
        narrow = in_channels // 4
        self.expand = expand > 1
        self.adds = adds
        if expand > 1:
            self.conv1 = nn.Conv2d(in_channels, wide, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(wide, eps=eps, momentum=momentum)
            self.silu1 = nn.SiLU()
        self.depthwise = nn.Conv2d(
            wide,
            wide,
            kernel,
            stride=stride,
            padding=(kernel - 1) // 2,
            groups=wide,
            bias=False,
        )
        self.bn2 = nn.BatchNorm2d(wide, eps=eps, momentum=momentum)
        self.silu2 = nn.SiLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv2 = nn.Conv2d(wide, narrow, 1)
        self.silu3 = nn.SiLU()
        self.conv3 = nn.Conv2d(narrow, wide, 1)
        self.sigmoid = nn.Sigmoid()
        self.conv4 = nn.Conv2d(wide, width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width, eps=eps, momentum=momentum)
        self.droppath = DropPath(drop) if adds else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x
        if self.expand:
            y = self.silu1(self.bn1(self.conv1(x)))
        y = self.silu2(self.bn2(self.depthwise(y)))
        z = self.sigmoid(self.conv3(self.silu3(self.conv2(self.pool(y)))))
        y = self.droppath(self.bn3(self.conv4(y * z)))
        if self.adds:
            y += x
        return y


class EfficientNetB0(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.silu1 = nn.SiLU()
        self.stages = nn.Sequential(
            nn.Sequential(Mbconv(32, 16, 3, 1, drop=0.0, eps=1e-05)),
            nn.Sequential(
                Mbconv(16, 24, 3, 6, drop=0.0125, stride=2, eps=1e-05),
                Mbconv(24, 24, 3, 6, drop=0.025, eps=1e-05),
            ),
            nn.Sequential(
                Mbconv(24, 40, 5, 6, drop=0.0375, stride=2, eps=1e-05),
                Mbconv(40, 40, 5, 6, drop=0.05, eps=1e-05),
            ),
            nn.Sequential(
                Mbconv(40, 80, 3, 6, drop=0.0625, stride=2, eps=1e-05),
                Mbconv(80, 80, 3, 6, drop=0.075, eps=1e-05),
                Mbconv(80, 80, 3, 6, drop=0.0875, eps=1e-05),
            ),
            nn.Sequential(
                Mbconv(80, 112, 5, 6, drop=0.1, eps=1e-05),
                Mbconv(112, 112, 5, 6, drop=0.1125, eps=1e-05),
                Mbconv(112, 112, 5, 6, drop=0.125, eps=1e-05),
            ),
            nn.Sequential(
                Mbconv(112, 192, 5, 6, drop=0.1375, stride=2, eps=1e-05),
                Mbconv(192, 192, 5, 6, drop=0.15, eps=1e-05),
                Mbconv(192, 192, 5, 6, drop=0.1625, eps=1e-05),
                Mbconv(192, 192, 5, 6, drop=0.175, eps=1e-05),
            ),
            nn.Sequential(Mbconv(192, 320, 3, 6, drop=0.1875, eps=1e-05)),
        )
        self.conv2 = nn.Conv2d(320, 1280, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(1280)
        self.silu2 = nn.SiLU()
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
        x = self.silu1(self.bn1(self.conv1(x)))  # 32x112x112
        x = self.stages(x)  # 320x7x7
        x = self.dropout(self.flatten(self.pool(self.silu2(self.bn2(self.conv2(x))))))
        x = self.fc(x)  # 1000
        return x
