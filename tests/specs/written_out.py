"""Networks for series and scans as their papers describe them, written out with torch alone: what
the gallery's specs of the same names are held against.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Same1d(nn.Conv1d):
    """A convolution with an output for each `stride` steps, and an odd step of padding at the
    end, as in Keras."""

    def forward(self, x: Tensor) -> Tensor:
        (kernel,), (stride,) = self.kernel_size, self.stride
        total = max((-(-x.shape[2] // stride) - 1) * stride + kernel - x.shape[2], 0)
        return super().forward(F.pad(x, (total // 2, total - total // 2)))


class Same2d(nn.Conv2d):
    """The same for pictures."""

    def forward(self, x: Tensor) -> Tensor:
        sides = []
        for axis in (1, 0):
            kernel, stride, side = self.kernel_size[axis], self.stride[axis], x.shape[2 + axis]
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            sides += [total // 2, total - total // 2]
        return super().forward(F.pad(x, sides))


class Mean(nn.Module):
    """Global average pooling."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).mean(2)


class Sum(nn.Module):
    """Two paths, added and rectified."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def named(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict((f"layer{n}", layer) for n, layer in enumerate(layers)))


# ---- series ------------------------------------------------------------------------------------


def m5() -> nn.Module:
    """Dai et al., 2016, table 1: 128 filters of 80 steps with stride 4, then of 3 steps; after each
    a batch norm, a rectifier, and a pool of 4."""
    layers: list[nn.Module] = []
    channels = 1
    for width, kernel, stride in ((128, 80, 4), (128, 3, 1), (256, 3, 1), (512, 3, 1)):
        conv = Same1d(channels, width, kernel, stride, bias=False)
        layers += [conv, nn.BatchNorm1d(width), nn.ReLU(), nn.MaxPool1d(4)]
        channels = width
    return named(*layers, Mean(), nn.Linear(512, 10))


def fcn_wang() -> nn.Module:
    """Wang et al., 2016: blocks of 128, 256 and 128 filters of 8, 5 and 3 steps."""
    layers: list[nn.Module] = []
    channels = 1
    for width, kernel in ((128, 8), (256, 5), (128, 3)):
        conv = Same1d(channels, width, kernel, bias=False)
        layers += [conv, nn.BatchNorm1d(width, eps=1e-3), nn.ReLU()]
        channels = width
    return named(*layers, Mean(), nn.Linear(128, 10))


def resnet_wang() -> nn.Module:
    """Wang et al., 2016: three blocks of three such convolutions, each with a shortcut."""

    def block(channels: int, width: int) -> nn.Module:
        body: list[nn.Module] = []
        for n, kernel in enumerate((8, 5, 3)):
            conv = Same1d(channels if n == 0 else width, width, kernel, bias=False)
            body += [conv, nn.BatchNorm1d(width, eps=1e-3), nn.ReLU()]
        norm = nn.BatchNorm1d(width, eps=1e-3)
        conv = nn.Conv1d(channels, width, 1, bias=False)
        shortcut = named(conv, norm) if channels != width else norm
        return Sum(named(*body[:-1]), shortcut)

    return named(block(1, 64), block(64, 128), block(128, 128), Mean(), nn.Linear(128, 10))


class Inception(nn.Module):
    """Fawaz et al., 2019, figure 2: a bottleneck of 32 channels, filters of 40, 20 and 10 steps
    beside a pool of 3; all side by side, normalized."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inside = 32 if channels > 1 else 1
        self.bottleneck = nn.Conv1d(channels, 32, 1, bias=False) if channels > 1 else nn.Identity()
        self.wide = nn.ModuleList([Same1d(inside, 32, k, bias=False) for k in (40, 20, 10)])
        self.after_pool = nn.Conv1d(channels, 32, 1, bias=False)
        self.norm = nn.BatchNorm1d(128)

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.bottleneck(x)
        paths = [conv(narrow) for conv in self.wide]
        paths.append(self.after_pool(F.max_pool1d(x, 3, 1, 1)))
        return torch.relu(self.norm(torch.cat(paths, 1)))


def inception_time() -> nn.Module:
    """Six of them, with a shortcut over each three."""

    def block(channels: int) -> nn.Module:
        shortcut = named(nn.Conv1d(channels, 128, 1, bias=False), nn.BatchNorm1d(128))
        return Sum(named(Inception(channels), Inception(128), Inception(128)), shortcut)

    return named(block(1), block(128), Mean(), nn.Linear(128, 5))


def ds_cnn() -> nn.Module:
    """Zhang et al., 2017, as in MLPerf Tiny: four depthwise separable convolutions after one of
    10x4, all with biases and norms."""

    def normed(conv: nn.Module, width: int = 64) -> list[nn.Module]:
        return [conv, nn.BatchNorm2d(width, eps=1e-3), nn.ReLU()]

    layers = normed(Same2d(1, 64, (10, 4), (2, 2)))
    for _ in range(4):
        layers += normed(nn.Conv2d(64, 64, 3, padding=1, groups=64))
        layers += normed(nn.Conv2d(64, 64, 1))
    return named(*layers, Mean(), nn.Linear(64, 12))


# ---- scans ---------------------------------------------------------------------------------------


def resnet50_med3d() -> nn.Module:
    """Chen et al., 2019: ResNet-50 along three axes, whose last two stages are dilated by 2 and 4
    in place of their strides."""

    def block(channels: int, width: int, stride: int, dilation: int) -> nn.Module:
        body = named(
            nn.Conv3d(channels, width, 1, bias=False), nn.BatchNorm3d(width), nn.ReLU(),
            nn.Conv3d(width, width, 3, stride, dilation, dilation, bias=False),
            nn.BatchNorm3d(width), nn.ReLU(),
            nn.Conv3d(width, 4 * width, 1, bias=False), nn.BatchNorm3d(4 * width),
        )  # fmt: skip
        shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels != 4 * width:
            conv = nn.Conv3d(channels, 4 * width, 1, stride, bias=False)
            shortcut = named(conv, nn.BatchNorm3d(4 * width))
        return Sum(body, shortcut)

    layers: list[nn.Module] = [
        nn.Conv3d(1, 64, 7, 2, 3, bias=False), nn.BatchNorm3d(64), nn.ReLU(),
        nn.MaxPool3d(3, 2, 1),
    ]  # fmt: skip
    channels = 64
    stages = ((64, 3, 1, 1), (128, 4, 2, 1), (256, 6, 1, 2), (512, 3, 1, 4))
    for width, count, stride, dilation in stages:
        for n in range(count):
            layers.append(block(channels, width, stride if n == 0 else 1, dilation))
            channels = 4 * width
    return named(*layers, Mean(), nn.Linear(2048, 2))


WRITTEN_OUT: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "series/m5": (m5, (1, 2000)),
    "series/fcn_wang": (fcn_wang, (1, 140)),
    "series/resnet_wang": (resnet_wang, (1, 140)),
    "series/inception_time": (inception_time, (1, 140)),
    "series/ds_cnn": (ds_cnn, (1, 49, 10)),
    "scans/resnet50_med3d": (resnet50_med3d, (1, 16, 16, 16)),
}
"""By the name in the gallery: what makes it, and a small input."""
