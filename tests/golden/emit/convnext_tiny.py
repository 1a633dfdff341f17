"""Liu et al., 2022, arXiv:2201.03545
From convnext_tiny.cnn by dotcnn 0.2.0. Weights: model.load_state_dict(torch.load(path))

New: ResNet-50 modernized step by step with ideas from vision transformers: 4x4 patches at the
start, 7x7 depthwise convolutions, few activations and norms, layer norm, GELU.
"""

import torch
from torch import Tensor, nn


class LayerNorm2d(nn.LayerNorm):
    """Normalizes the channels at each place of a map."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class LayerScale(nn.Module):
    """A learned factor for each channel."""

    def __init__(self, channels: int, init: float, axes: int = 2) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels, *[1] * axes), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


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


class Unit(nn.Module):
    def __init__(self, in_channels: int, drop: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, 7, padding=3, groups=in_channels
        )
        self.ln = LayerNorm2d(in_channels, eps=1e-06)
        self.conv1 = nn.Conv2d(in_channels, 4 * in_channels, 1)
        self.gelu = nn.GELU()
        self.conv2 = nn.Conv2d(4 * in_channels, in_channels, 1)
        self.layerscale = LayerScale(in_channels, 1e-06)
        self.droppath = DropPath(drop)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.depthwise(x)
        y = self.ln(y)
        y = self.gelu(self.conv1(y))
        y = self.conv2(y)
        y = self.droppath(self.layerscale(y))
        y += x
        return y


class Stage(nn.Sequential):
    def __init__(self, in_channels: int, width: int, depth: int, before: int) -> None:
        super().__init__()
        self.ln = LayerNorm2d(in_channels, eps=1e-06)
        self.conv = nn.Conv2d(in_channels, width, 2, stride=2)
        self.blocks = nn.Sequential(
            *[Unit(width, drop=0.1 * (before + i) / 17) for i in range(depth)]
        )


class ConvNeXtTiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 96, 4, stride=4)
        self.ln1 = LayerNorm2d(96, eps=1e-06)
        self.stages = nn.Sequential(
            nn.Sequential(
                Unit(96, drop=0.0),
                Unit(96, drop=0.00588235294117647),
                Unit(96, drop=0.0117647058823529),
            ),
            Stage(96, 192, 3, 3),
            Stage(192, 384, 9, 6),
            Stage(384, 768, 3, 15),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.ln2 = LayerNorm2d(768, eps=1e-06)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(768, 1000)
        for module in self.modules():  # Cut off at twice the deviation
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.02, a=-0.04, b=0.04)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.ln1(self.conv(x))  # 96x56x56
        x = self.pool(self.stages(x))  # 768x1x1
        x = self.flatten(self.ln2(x))  # 768
        x = self.fc(x)  # 1000
        return x
