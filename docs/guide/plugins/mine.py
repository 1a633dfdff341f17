"""A layer, a loss, a metric and an augmentation of one's own: docs/guide/plugins.md explains them.

A spec that has words of it says `use "mine"`, and `cnn train net.cnn --plugin mine.py` gives it.
"""

from __future__ import annotations

from dotcnn.plugins import (
    Augmentation,
    Kept,
    Layer,
    Loss,
    Metric,
    Shape,
    ShapeError,
    TorchText,
    Weight,
    Window,
    constructor,
    count,
    number,
    size,
    torch_class,
)

__version__ = "1.0"
DOTCNN = "0.1"  # the oldest dotcnn that it works with


# ---- a layer: involution ----------------------------------------------------------------------


@torch_class
def Involution():
    """The module of the layer, made when torch is needed."""
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

    class Involution(nn.Module):
        """Filters of each place, which the channels of a group share (Li et al., 2021)."""

        def __init__(self, channels: int, kernel: int, groups: int, reduction: int) -> None:
            super().__init__()
            self.kernel, self.groups = kernel, groups
            self.reduce = nn.Conv2d(channels, channels // reduction, 1)
            self.span = nn.Conv2d(channels // reduction, kernel * kernel * groups, 1)

        def forward(self, x: Tensor) -> Tensor:
            images, _, height, width = x.shape
            filters = self.span(torch.relu(self.reduce(x)))
            filters = filters.view(images, self.groups, 1, self.kernel**2, height * width)
            windows = functional.unfold(x, self.kernel, padding=self.kernel // 2)
            windows = windows.view(images, self.groups, -1, self.kernel**2, height * width)
            return (windows * filters).sum(3).view(x.shape)

    return Involution


class Inv(Layer):
    """Involution: filters of each place, which the channels of a group share (arXiv:2103.06255)."""

    word = "inv"
    kind = "conv"
    example = "inv 3 groups=4"

    kernel: int = count("side of the filters, an odd number", 3)
    groups: int = count("groups of channels, each with filters of its own", 1)
    reduction: int = count("how much narrower the layer is that computes the filters", 4)

    def output(self, *inputs: Shape) -> Shape:
        channels = inputs[0][0]
        if self.kernel % 2 == 0:
            raise ShapeError(f"a filter of {self.kernel} has no middle", "write an odd number")
        for name in ("groups", "reduction"):
            if channels % getattr(self, name):
                message = f"{channels} channels cannot be divided by {name}={getattr(self, name)}"
                raise ShapeError(message, f"use a number that divides {channels}")
        return inputs[0]

    def narrow(self, channels: int) -> int:
        return channels // self.reduction

    def taps(self) -> int:
        return self.kernel**2

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        channels = inputs[0][0]
        narrow, filters = self.narrow(channels), self.taps() * self.groups
        return (
            Weight("reduce.weight", (narrow, channels, 1, 1)),
            Weight("reduce.bias", (narrow,)),
            Weight("span.weight", (filters, narrow, 1, 1)),
            Weight("span.bias", (filters,)),
        )

    def macs(self, output: Shape, *inputs: Shape) -> int:
        channels, *sides = output
        filters = self.taps() * self.groups
        return size(tuple(sides)) * self.narrow(channels) * (channels + filters)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """Biases, the relu, and the products with their sums: torch counts those as elementwise."""
        channels, *sides = output
        filters = self.taps() * self.groups
        return size(tuple(sides)) * (
            2 * self.narrow(channels) + filters + 2 * channels * self.taps()
        )

    def window(self, output: Shape, *inputs: Shape) -> Window:
        before = self.kernel // 2
        return Window((self.kernel,) * 2, (1, 1), (-before,) * 2)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        """Its input, the narrow map, the filters and the windows."""
        channels, *sides = output
        places = size(tuple(sides))
        filters, windows = self.taps() * self.groups, self.taps() * channels
        return Kept(inputs=(0,), own=places * (self.narrow(channels) + filters + windows))

    def gives_view(self, *inputs: Shape) -> bool:
        return True  # of the sums, which are not yet by row and column

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        made = constructor("Involution", inputs[0][0], self.kernel, self.groups, self.reduction)
        return TorchText(made, imports=("Involution",))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        return [("filters", f"{self.groups} of {self.taps()} numbers for each place")]


# ---- a loss -----------------------------------------------------------------------------------


class Poly(Loss):
    """Cross-entropy, and epsilon times the probability that the right class lacks (Leng et al.,
    2022, arXiv:2204.12511).
    """

    word = "loss poly"
    tasks = ("classification",)

    epsilon: float = number("weight of the added term", 1.0, minimum=0)

    def function(self, weights):
        from torch.nn import functional

        def poly(outputs, labels):
            if labels.ndim == 1:  # class indices; of mixed images there are shares of classes
                labels = functional.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
            if weights is not None:
                labels = labels * weights
            probabilities = outputs.softmax(1)
            each = -outputs.log_softmax(1) + self.epsilon * (1 - probabilities)
            return (labels * each).sum(1).mean()

        return poly


# ---- a metric ---------------------------------------------------------------------------------


class Matthews(Metric):
    """The correlation of answers with labels: 0 for guessing, whatever the classes' sizes."""

    word = "mcc"
    title = "Matthews correlation"
    tasks = ("classification",)

    def sums(self, outputs):
        return outputs, outputs

    def count(self, outputs, labels):
        import torch

        classes = outputs.shape[1]
        cells = labels * classes + outputs.argmax(1)
        return torch.bincount(cells, minlength=classes**2).view(classes, classes)

    def value(self, sums):
        right, images = sums.trace(), sums.sum()
        true, answered = sums.sum(1), sums.sum(0)
        scale = (images**2 - (true**2).sum()) * (images**2 - (answered**2).sum())
        return float((right * images - (true * answered).sum()) / scale.sqrt()) if scale else 0.0


# ---- an augmentation --------------------------------------------------------------------------


class Levels(Augmentation):
    """Keep few levels of each color, a number drawn for each image."""

    word = "levels"
    draws = 1

    least: int = count("the fewest levels", 4)
    most: int = count("the most", 16)

    def change(self, images, drawn):
        levels = self.least + drawn[0] * (self.most - self.least)
        steps = (levels.round().clamp(min=2) - 1).view(-1, 1, 1, 1)
        return (images / 255 * steps).round() / steps * 255
