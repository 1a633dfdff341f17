"""Normalization layers: bn, gn, ln, instancenorm, lrn. They do not change receptive fields: that
the statistics of a layer, group or instance normalization depend on the whole map is ignored, as is
usual.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import ClassVar

from ..language.kinds import choice, count, number, switch
from ..language.signature import ArgumentError
from ..shapes import PerAxis, Shape, ShapeError, as_map, axes_of, by, size
from .base import (
    Autocast,
    Kept,
    Kind,
    Option,
    SameShape,
    TorchText,
    Weight,
    constructor,
    helper,
)
from .examples import Lines, aligned, backward, of_a_batch
from .worked import (
    Element,
    Group,
    Place,
    Read,
    Step,
    Term,
    Worked,
    abridged,
    bracketed,
    figure,
    power,
    quotient,
    signed,
)


def eps() -> float:
    field = number(
        "added to the variance, to avoid division by zero", 1e-5, minimum=0, above=True, maximum=1
    )
    read_number = field.read

    def read(value: object) -> float:
        try:
            return read_number(value)  # type: ignore[no-any-return]
        except ArgumentError as error:
            if isinstance(value, int) and value > 1:  # `BatchNorm2d(64)`
                raise ArgumentError(
                    error.message,
                    "take it out: the input channels are known",
                    drop="eps",
                ) from None
            raise

    field.read = read
    return field  # type: ignore[no-any-return]


class Normalization(SameShape):
    """Subtracts a mean and divides by a deviation; `affine` adds a learned scale and bias."""

    kind: ClassVar[Kind] = "norm"
    normalizes: ClassVar[bool] = True
    absorbs_bias: ClassVar[bool] = True

    affine: bool | str
    eps: float

    def affine_weights(self, channels: int) -> tuple[Weight, ...]:
        if not self.affine:
            return ()
        weight, bias = Weight("weight", (channels,)), Weight("bias", (channels,))
        return (weight,) if self.affine == "weight" else (weight, bias)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return self.affine_weights(inputs[0][0])

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """For each element a sum for the mean, a square and a sum for the variance, a subtraction
        and a division; with `affine`, a product and a sum.
        """
        return (6 if self.affine == "weight" else 7 if self.affine else 5) * size(output)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        lines = [("each number", self.formula(inputs[0]))]
        learned = [w for w in self.weights(*inputs) if w.trainable]
        if learned:
            names = " + ".join(f"{size(w.shape)} of {w.name}" for w in learned)
            lines.append(("parameters", f"{names} = {sum(size(w.shape) for w in learned):,}"))
        return lines

    def averaged(self, element: Element) -> Iterable[tuple[int, ...]]:
        """The places, channel and position, that mean and variance are computed over."""
        raise NotImplementedError

    def work_out(self, element: Element) -> Worked:
        values = self.batch(element)
        terms = tuple(
            Term(value, None, value, Place(0, place[0], place[1:]) if number == 0 else None)
            for number, read in enumerate((element.read, *values))
            for place in self.averaged(element)
            for value in [read(0, *place)]
        )
        numbers = [term.value for term in terms]
        mean = sum(numbers) / len(numbers)
        variance = sum((number - mean) ** 2 for number in numbers) / len(numbers)
        around = f"({{}})/{len(numbers)}"
        group = Group("mean", terms, "statistics", mean, around=around)
        squares = abridged(numbers, lambda n: f"({figure(n)} - {bracketed(mean)})^2", most=4)
        deviation = Step("variance", f"({squares})/{len(numbers)}", variance)
        return self.normalized(element, mean, variance, (group,), (deviation,))

    def batch(self, element: Element) -> Sequence[Read]:
        """Further images that mean and variance are computed over."""
        return ()

    def normalized(
        self,
        element: Element,
        mean: float,
        variance: float,
        groups: tuple[Group, ...],
        steps: tuple[Step, ...],
    ) -> Worked:
        """The element, less the mean, by the deviation, with the learned scale and bias."""
        value = element.here().value
        result = quotient(value - mean, math.sqrt(variance + self.eps))
        difference = f"({figure(value)} - {bracketed(mean)})"
        how = f"{difference}/sqrt({figure(variance)} + {self.eps:g})"
        steps = (*steps, Step("normalized", how, result))
        whole, bias = how, None
        if self.affine:
            index = (element.channel,)
            scale = element.weight("weight", index)
            bias = None if self.affine == "weight" else element.weight("bias", index)
            learned = "" if bias is None else f" {signed(bias)}"
            if self.affine != "bias" or scale != 1:
                learned = f"*{bracketed(scale)}{learned}"
            normalized, result = result, result * scale + (bias or 0.0)
            steps = (
                *steps,
                Step(
                    "scale" if bias is None else "scale, bias",
                    f"{figure(normalized)}{learned}",
                    result,
                ),
            )
            whole += learned
        rule = self.formula(element.inputs[0])
        return Worked(element.at, rule, result, groups, steps, bias, whole=whole)

    def formula(self, input_shape: Shape) -> str:
        learned = " * weight" + " + bias" * (self.affine != "weight") if self.affine else ""
        return f"(x - mean)/sqrt(variance + {self.eps:g}){learned}, {self.over(input_shape)}"

    def over(self, input_shape: Shape) -> str:
        """The elements that mean and variance are computed over, in words."""
        raise NotImplementedError

    def options(self) -> dict[str, Option]:
        return {"eps": (self.eps, 1e-5), "affine": (self.affine, True)}


MINI_BATCH = (2.0, 4.0, 5.0, 6.0, 8.0)
"""One number of each image: their mean is 5, their standard deviation 2."""

ARRIVING = (1.0, 0.0, 0.0, 0.0, 0.0)
"""The gradient at the outputs of the mini-batch."""


class BatchNorm(Normalization):
    """Normalizes each channel over a batch; in evaluation by running averages of the statistics."""

    word: ClassVar[str] = "bn"
    example: ClassVar[str] = "bn"
    arithmetic: ClassVar[str] = (
        "y = (x - mean) / sqrt(variance + eps) * weight + bias, by channel, over the batch\n"
        "parameters: 2 * C (C with affine=bias, none with affine=off); buffers: 2 * C + 1"
    )
    called: ClassVar[str] = "Keras BatchNormalization, Caffe BatchNorm"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "bn": "BatchNorm2d(num_features,eps,momentum,affine,track_running_stats) "
        "BatchNormalization(axis,momentum>1-momentum,epsilon,center,scale) "
        "BatchNorm1d(num_features,eps,momentum,affine) batch_norm batch_normalize SyncBatchNorm "
        "FrozenBatchNorm2d norm LazyBatchNorm2d BatchNormalisation SpatialBatchNormalization "
        "batchNormalizationLayer normalization",
    }

    eps: float = eps()
    momentum: float = number(
        "weight of a new batch in the running averages", 0.1, minimum=0, maximum=1
    )
    affine: bool | str = choice(
        "a learned scale and bias for each channel; `bias`: a bias only",
        ["bias"],
        True,
        switches=True,
    )
    track: bool = switch(
        "keep running averages; with `off`, evaluation uses batch statistics too", True
    )

    def affine_weights(self, channels: int) -> tuple[Weight, ...]:
        if self.affine != "bias":
            return super().affine_weights(channels)
        return Weight("weight", (channels,), trainable=False), Weight("bias", (channels,))

    def formula(self, input_shape: Shape) -> str:
        learned = super().formula(input_shape)
        return learned.replace(" * weight", "") if self.affine == "bias" else learned

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        learned = super().weights(*inputs)
        if not self.track:
            return learned
        return (
            *learned,
            Weight("running_mean", (inputs[0][0],), trainable=False),
            Weight("running_var", (inputs[0][0],), trainable=False),
            Weight("num_batches_tracked", (), trainable=False, itemsize=8),
        )

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """A product and a sum for each element: in evaluation everything else is constant."""
        return 2 * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,), once=2 * inputs[0][0])

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        name = f"BatchNorm{max(axes_of(inputs[0]), 1)}d"  # of a vector as of a series
        unscaled = self.affine == "bias"
        options = self.options()
        module = constructor(
            f"Unscaled{name}" if unscaled else f"nn.{name}",
            inputs[0][0],
            eps=options["eps"],
            momentum=(self.momentum, 0.1),
            **({} if unscaled else {"affine": options["affine"]}),
            track_running_stats=(self.track, True),
        )
        return TorchText(module, helper=UNSCALED[name] if unscaled else "")

    def over(self, input_shape: Shape) -> str:
        return "of a channel over the batch"

    def averaged(self, element: Element) -> Iterable[tuple[int, ...]]:
        return _map(range(element.channel, element.channel + 1), element.inputs[0])

    def batch(self, element: Element) -> Sequence[Read]:
        return element.others

    def work_out(self, element: Element) -> Worked:
        """With statistics of the batch in training, with the running averages in evaluation."""
        if element.training or not self.track:
            return super().work_out(element)
        index = (element.channel,)
        mean = element.weight("running_mean", index)
        variance = element.weight("running_var", index)
        term = element.here()
        steps = (
            Step("running mean", figure(mean), mean),
            Step("running variance", figure(variance), variance),
        )
        group = Group("input", (term,), "function", term.value)
        return self.normalized(element, mean, variance, (group,), steps)

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        """A mini-batch of five numbers in training and in evaluation, and the backward pass."""
        count = len(MINI_BATCH)
        mean = sum(MINI_BATCH) / count
        squares = sum((x - mean) ** 2 for x in MINI_BATCH)
        part = self.momentum
        running = {
            "running_mean": part * mean,
            "running_var": (1 - part) + part * squares / (count - 1),
        }

        def weight(name: str, index: tuple[int, ...]) -> float:
            return running.get(name, 0.0 if name == "bias" else 1.0)

        rows: list[tuple[str, Sequence[float]]] = [("mini-batch x", MINI_BATCH)]
        gradients: list[tuple[str, Sequence[float]]] = [("gradient dy", ARRIVING)]
        for training, when in ((True, "training"), (False, "evaluation")):
            outputs = of_a_batch(self, MINI_BATCH, weight, training=training)
            rows.append((f"{when} y", [worked.result for worked in outputs]))
            back = backward(self, MINI_BATCH, ARRIVING, weight, training=training)
            gradients.append((f"{when} dx", back))
        batch, trained, *others = aligned([*rows, *gradients])
        lines = [batch, ("", f"mean {figure(mean)}, variance {figure(squares / count)}"), trained]
        if self.track:
            rest, share = figure(1 - part), figure(part)
            unbiased = figure(squares / (count - 1))
            lines += [
                (
                    "",
                    f"running mean {rest}*0 + {share}*{figure(mean)} ="
                    f" {figure(running['running_mean'])}, variance {rest}*1 + {share}*{unbiased} ="
                    f" {figure(running['running_var'])}; the unbiased variance is"
                    f" {figure(squares)}/({count} - 1) = {unbiased}",
                )
            ]
        scale = "weight" if self.affine is True else "1"
        root = f"{scale}/sqrt(variance + {self.eps:g})"
        lines += others
        lines.append(
            ("backward", f"dx = {root}*(dy - mean of dy - n*mean of dy*n), n the normalized x")
        )
        if self.track:
            lines.append(("", f"in evaluation dx = {root}*dy, with the running variance"))
        if self.affine:
            normalized = rows[1][1]  # y in training, with a weight of 1 and a bias of 0
            dw = sum(dy * n for dy, n in zip(ARRIVING, normalized, strict=True))
            by_weight = f"dweight = sum of dy*n = {figure(round(dw, 6))}, "
            by_bias = f"dbias = sum of dy = {figure(sum(ARRIVING))}"
            lines.append(("", (by_weight if self.affine is True else "") + by_bias))
        return lines

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        lines = super().explain(output, *inputs)
        if self.track:
            each = inputs[0][0]
            lines.append(("not trained", f"{each} means, {each} variances, a count of batches"))
        return lines


class GroupNorm(Normalization):
    """Normalizes groups of channels of one image (Wu and He, 2018, arXiv:1803.08494)."""

    autocast: ClassVar[Autocast] = "fp32"
    word: ClassVar[str] = "gn"
    gradient: ClassVar[str] = "as `bn`, over the channels of a group in one image"
    example: ClassVar[str] = "gn 4"
    arithmetic: ClassVar[str] = (
        "y = (x - mean) / sqrt(variance + eps) * weight + bias, by group of channels of one image\n"
        "parameters: 2 * C (none with affine=off)"
    )
    called: ClassVar[str] = "Keras GroupNormalization"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "gn": "GroupNorm(num_groups,num_channels,eps,affine) GroupNormalization(groups,axis,"
        "epsilon) group_norm",
        "gn 1": "GroupNorm1",
    }

    groups: int = count("groups of channels", example="8")
    eps: float = eps()
    affine: bool = switch("a learned scale and bias for each channel", True)

    def output(self, *inputs: Shape) -> Shape:
        check_divisible(inputs[0][0], self.groups, self.word)
        return inputs[0]

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,), fixed=2 * 4 * self.groups)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        channels = inputs[0][0]
        return TorchText(constructor("nn.GroupNorm", self.groups, channels, **self.options()))

    def averaged(self, element: Element) -> Iterable[tuple[int, ...]]:
        inside = element.inputs[0][0] // self.groups
        first = element.channel // inside * inside
        return _map(range(first, first + inside), element.inputs[0])

    def over(self, input_shape: Shape) -> str:
        return f"of {'*'.join(map(str, (input_shape[0] // self.groups, *input_shape[1:])))} numbers"


class LayerNorm(Normalization):
    """Normalizes the channels at each position of a map (as ConvNeXt does), or a vector."""

    autocast: ClassVar[Autocast] = "fp32"
    word: ClassVar[str] = "ln"
    gradient: ClassVar[str] = (
        "as `bn`, over the channels of each position, or the whole map of one image"
    )
    example: ClassVar[str] = "ln"
    arithmetic: ClassVar[str] = (
        "y = (x - mean) / sqrt(variance + eps) * weight + bias, over the channels of each "
        "position\n"
        "parameters: 2 * C (C with affine=weight, none with affine=off)"
    )
    called: ClassVar[str] = "Keras LayerNormalization"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "ln": "LayerNorm(normalized_shape,eps,elementwise_affine) LayerNormalization(axis,"
        "epsilon) LayerNorm2d(num_channels,eps) layer_norm",
    }

    eps: float = eps()
    affine: bool | str = choice(
        "a learned scale and bias for each channel; `weight`: a scale only",
        ["weight"],
        True,
        switches=True,
    )

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,), fixed=2 * 4 * size(inputs[0][1:]))

    def gives_view(self, *inputs: Shape) -> bool:
        return axes_of(inputs[0]) > 0

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        options = self.options()
        options["elementwise_affine"] = (bool(options.pop("affine")[0]), True)
        options["bias"] = (self.affine != "weight", True)
        if len(inputs[0]) == 1:
            return TorchText(constructor("nn.LayerNorm", inputs[0][0], **options))
        axes = axes_of(inputs[0])
        module = constructor(f"LayerNorm{axes}d", inputs[0][0], **options)
        return TorchText(module, helper=LAYER_NORM[axes])

    def averaged(self, element: Element) -> Iterable[tuple[int, ...]]:
        return ((c, *element.position) for c in range(element.inputs[0][0]))

    def over(self, input_shape: Shape) -> str:
        where = " at its position" if axes_of(input_shape) else ""
        return f"of the {input_shape[0]} numbers{where}"


class InstanceNorm(Normalization):
    """Normalizes each channel of one image (Ulyanov et al., 2016, arXiv:1607.08022)."""

    word: ClassVar[str] = "instancenorm"
    gradient: ClassVar[str] = "as `bn`, over the map of a channel in one image"
    example: ClassVar[str] = "instancenorm"
    arithmetic: ClassVar[str] = (
        "y = (x - mean) / sqrt(variance + eps), by channel of one image\n"
        "parameters: none (2 * C with affine=on)"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "instancenorm": "InstanceNorm2d(num_features,eps,momentum,affine) InstanceNorm "
        "InstanceNormalization instance_norm LazyInstanceNorm2d",
    }

    eps: float = eps()
    affine: bool = switch("a learned scale and bias for each channel", False)

    def output(self, *inputs: Shape) -> Shape:
        input_shape = as_map(inputs[0], self.word)
        if size(input_shape[1:]) == 1:
            raise ShapeError(
                f"`{self.word}` of a {by(input_shape[1:])} map gives only zeros: each number is its"
                " own mean",
                "take it out here, or write `ln`, which normalizes over the channels",
            )
        return input_shape

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # Torch computes it as the batch norm of one image with batch*channels channels, and repeats
        # the weights for that.
        channels = inputs[0][0]
        return Kept(inputs=(0,), fixed=2 * 4 * channels, own=channels if self.affine else 0)

    def gives_view(self, *inputs: Shape) -> bool:
        return True

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        options = self.options()
        options["affine"] = (self.affine, False)
        name = f"nn.InstanceNorm{axes_of(inputs[0])}d"
        return TorchText(constructor(name, inputs[0][0], **options))

    def averaged(self, element: Element) -> Iterable[tuple[int, ...]]:
        return _map(range(element.channel, element.channel + 1), element.inputs[0])

    def over(self, input_shape: Shape) -> str:
        return f"of the {'*'.join(map(str, input_shape[1:]))} numbers of a channel"


class LocalResponseNorm(SameShape):
    """Divides by the strength of neighboring channels at the same position (AlexNet)."""

    autocast: ClassVar[Autocast] = "wide"
    word: ClassVar[str] = "lrn"
    gradient: ClassVar[str] = (
        "s = k + alpha / size * sum of x^2\n"
        "dx = dy * s^-beta - 2*alpha*beta/size * x * sum of dy*y/s over the neighboring channels"
    )
    example: ClassVar[str] = "lrn 5"
    arithmetic: ClassVar[str] = (
        "x / (k + alpha / size * sum of x^2 over `size` neighboring channels) ^ beta"
    )
    called: ClassVar[str] = "Caffe LRN"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "lrn": "LocalResponseNorm(size,alpha,beta,k) LRN local_response_normalization LRN2D "
        "local_response_norm CrossMapLRN2d(size,alpha,beta,k)",
    }
    kind: ClassVar[Kind] = "norm"

    size: int = count("number of neighboring channels, with the channel itself in the middle", 5)
    alpha: float = number("factor of the sum of squares", 1e-4)
    beta: float = number("the power", 0.75)
    k: float = number("constant that is added to the sum", 1.0)

    def output(self, *inputs: Shape) -> Shape:
        return as_map(inputs[0], self.word)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """For each element a square, `size - 1` sums, a factor, an addend, a power, a division."""
        return (self.size + 4) * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # The squares padded with zero channels, and the sum before and after the power.
        channels, *sides = inputs[0]
        padded = (channels + self.size - 1) * size(tuple(sides))
        return Kept(inputs=(0,), own=padded + 2 * size(output), scratch=3 * size(output))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        module = constructor(
            "nn.LocalResponseNorm",
            self.size,
            alpha=(self.alpha, 1e-4),
            beta=(self.beta, 0.75),
            k=(self.k, 1.0),
        )
        return TorchText(module)

    def work_out(self, element: Element) -> Worked:
        first = element.channel - self.size // 2
        neighbors = range(max(first, 0), min(first + self.size, element.inputs[0][0]))
        terms = [element.here(channel) for channel in neighbors]
        terms = [term._replace(product=term.value**2) for term in terms]
        squares = sum(term.product for term in terms)
        value = element.here().value
        inside = self.k + self.alpha / self.size * squares
        divisor = power(inside, self.beta)
        group = Group("squares", tuple(terms), "sum", squares, each="{v}^2")
        under = f"({self.k:g} + {self.alpha:g}/{self.size}*{figure(squares)})^{self.beta:g}"
        result = quotient(value, divisor)
        steps = (
            Step("divisor", under, divisor),
            Step("divided", f"{figure(value)}/{figure(divisor)}", result),
        )
        rule = "x/(k + alpha/size * sum of x^2 over neighboring channels)^beta"
        return Worked(element.at, rule, result, (group,), steps)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        squares = f"{self.alpha:g}/{self.size} * the sum of {self.size} squares"
        return [("each number", f"x/({self.k:g} + {squares})^{self.beta:g}")]


def check_divisible(channels: int, groups: int, word: str) -> None:
    """Raises ShapeError if channels cannot be divided into groups."""
    if channels % groups:
        fitting = [n for n in range(1, min(channels, 1024) + 1) if channels % n == 0]
        closest = min(fitting, key=lambda n: (abs(n - groups), n))
        raise ShapeError(
            f"{channels} input channels cannot be divided into {groups} groups",
            f"`{word} {closest}` would",
            change={"groups": closest},
        )


def _map(channels: range, input_shape: Shape) -> Iterable[tuple[int, ...]]:
    """All places of some channels."""
    sides: PerAxis = input_shape[1:] or (1, 1)
    return product(channels, *map(range, sides))


UNSCALED = {
    name: helper(f'''\
class Unscaled{name}(nn.{name}):
    """Batch norm with a learned bias; its scale stays 1."""

    def __init__(
        self,
        channels: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__(channels, eps, momentum, True, track_running_stats)
        del self.weight
        self.register_buffer("weight", torch.ones(channels))
''')
    for name in ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")
}

LAYER_NORM = {
    axes: helper(f'''\
class LayerNorm{axes}d(nn.LayerNorm):
    """Normalizes the channels at each place of a {what}."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute({last})).permute({back})
''')
    for axes, what, last, back in (
        (1, "series", "0, 2, 1", "0, 2, 1"),
        (2, "map", "0, 2, 3, 1", "0, 3, 1, 2"),
        (3, "volume", "0, 2, 3, 4, 1", "0, 4, 1, 2, 3"),
    )
}
