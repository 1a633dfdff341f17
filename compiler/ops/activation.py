"""Activation layers: elementwise functions. Each counts as one elementwise operation
per element, whatever its formula.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

from ..language.kinds import choice, number
from ..shapes import Shape, size, text
from .base import (
    Autocast,
    Constructor,
    Kept,
    Kind,
    Pointwise,
    TorchText,
    Weight,
    constructor,
)
from .worked import Element, Step, Worked, bracketed, figure, sigmoid


class Activation(Pointwise):
    """An activation."""

    kind: ClassVar[Kind] = "activation"

    formula: ClassVar[str] = ""
    """The formula for an element x; arguments are in braces."""
    keeps: ClassVar[Literal["input", "output"]] = "input"
    """The tensor that the gradient is computed from; in place, that is the output."""
    suits: ClassVar[str] = "he"

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # In place, both are the same memory.
        if self.keeps == "input" or self.inplace:
            return Kept(inputs=(0,))
        return Kept(output=True)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(self.module(inputs[0]))

    def module(self, input_shape: Shape) -> Constructor:
        """The constructor of the torch module."""
        raise NotImplementedError

    def rule(self) -> str:
        """The formula with its arguments."""
        values = {name: f"{v:g}" for name, v in self.arguments.items() if isinstance(v, float)}
        return self.formula.format(**values)

    def value(self, x: float, element: Element) -> tuple[str, float]:
        """The formula with its numbers, and the result."""
        raise NotImplementedError

    def work_out(self, element: Element) -> Worked:
        term = element.here()
        how, result = self.value(term.value, element)
        if math.isnan(term.value):
            result = term.value
        step = Step(self.word, how, result)
        return element.computed(self.rule(), "function", term, step)

    def _inplace(self) -> tuple[bool, bool]:
        return self.inplace, False

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        numbers = f"{size(output):,}"
        if len(output) > 1:
            numbers = f"{'*'.join(map(str, output))} = {numbers}"
        return [
            ("each number", self.rule()),
            ("shape", f"stays {text(output)}"),
            ("operations", f"one for each of {numbers}"),
        ]


class ReLU(Activation):
    """Rectifier: negative numbers become zero."""

    word: ClassVar[str] = "relu"
    gradient: ClassVar[str] = "dx = dy where x > 0, else 0"
    example: ClassVar[str] = "relu"
    called: ClassVar[str] = "Keras ReLU, Caffe ReLU"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "relu": "ReLU(inplace) RectifiedLinear rectify rectifier relu_ ReluLayer",
    }
    formula: ClassVar[str] = "max(0, x)"
    keeps: ClassVar[Literal["input", "output"]] = "output"
    in_place: ClassVar[bool] = True

    def value(self, x: float, element: Element) -> tuple[str, float]:
        return f"max(0, {figure(x)})", max(0.0, x)

    def module(self, input_shape: Shape) -> Constructor:
        return constructor("nn.ReLU", inplace=self._inplace())


class Abs(Activation):
    """The absolute value: the strength of a response, whatever its sign (Jarrett et al., 2009)."""

    word: ClassVar[str] = "abs"
    gradient: ClassVar[str] = "dx = dy * sign(x)"
    example: ClassVar[str] = "filter sobel_x, abs"
    called: ClassVar[str] = "Caffe AbsVal"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "abs": "AbsVal absolute absolute_value fabs convertScaleAbs imabs",
    }
    formula: ClassVar[str] = "|x|"
    torch_calls: ClassVar[tuple[str, ...]] = ("abs",)

    def value(self, x: float, element: Element) -> tuple[str, float]:
        return f"|{figure(x)}|", abs(x)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(call="{0}.abs()")


class Square(Activation):
    """The square; after `relu`, the squared rectifier of Primer and MetaFormer."""

    word: ClassVar[str] = "square"
    gradient: ClassVar[str] = "dx = dy * 2*x"
    example: ClassVar[str] = "relu, square"
    elsewhere: ClassVar[Mapping[str, str]] = {"square": "Square squared"}
    formula: ClassVar[str] = "x^2"
    after_activation: ClassVar[bool] = True
    torch_calls: ClassVar[tuple[str, ...]] = ("square",)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,), scratch=2 * size(output))

    def value(self, x: float, element: Element) -> tuple[str, float]:
        return f"{bracketed(x)}^2", x * x

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(call="{0}.square()")


class ReLU6(Activation):
    """Rectifier that stops at 6."""

    word: ClassVar[str] = "relu6"
    gradient: ClassVar[str] = "dx = dy where 0 < x < 6, else 0"
    example: ClassVar[str] = "relu6"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "relu6": "ReLU6(inplace) relu_6 ReLU(6) ReLU(6.0) ReLU(6.) ReLU(max_value=6) "
        "ReLU(max_value=6.0)",
    }
    formula: ClassVar[str] = "min(max(0, x), 6)"

    # In place, torch keeps a copy of the input for the backward pass: in training that saves no
    # memory and costs a copy; in evaluation it saves both. silu, mish, hardsigmoid and hardswish
    # are alike, and are not run in place, since training takes longer than evaluation.
    in_place: ClassVar[bool] = True

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(own=size(output)) if self.inplace else Kept(inputs=(0,))

    def value(self, x: float, element: Element) -> tuple[str, float]:
        return f"min(max(0, {figure(x)}), 6)", min(max(0.0, x), 6.0)

    def module(self, input_shape: Shape) -> Constructor:
        return constructor("nn.ReLU6", inplace=self._inplace())


class Leaky(Activation):
    """Rectifier that scales negative numbers down instead of removing them."""

    word: ClassVar[str] = "leaky"
    gradient: ClassVar[str] = "dx = dy where x > 0, else slope*dy"
    example: ClassVar[str] = "leaky 0.1"
    called: ClassVar[str] = "Keras LeakyReLU"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "leaky": "LeakyReLU(negative_slope,inplace) leaky_relu(negative_slope) lrelu LReLU",
    }
    formula: ClassVar[str] = "x where x > 0, else {slope}*x"
    in_place: ClassVar[bool] = True

    # At least 0: otherwise the gradient could not be computed from the output, whose sign would
    # differ.
    slope: float = number("slope of the negative side", 0.01, minimum=0)

    @property
    def leak(self) -> float:
        return self.slope

    def value(self, x: float, element: Element) -> tuple[str, float]:
        return _leaking(x, self.slope)

    def module(self, input_shape: Shape) -> Constructor:
        slope = (self.slope, 0.01)
        return constructor("nn.LeakyReLU", negative_slope=slope, inplace=self._inplace())


class PReLU(Activation):
    """Leaky rectifier with a learned slope (He et al., 2015, arXiv:1502.01852)."""

    autocast: ClassVar[Autocast] = "low"
    word: ClassVar[str] = "prelu"
    gradient: ClassVar[str] = (
        "dx = dy where x > 0, else a*dy\nda = sum of dy*x where x <= 0, by channel"
    )
    example: ClassVar[str] = "prelu per=channel"
    called: ClassVar[str] = "Keras PReLU, Caffe PReLU"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "prelu": "PReLU(num_parameters,init) ParametricReLU parametric_relu",
    }
    formula: ClassVar[str] = "x where x > 0, else a*x with a learned, initially {init}"

    per: str = choice(
        "one slope for the `layer`, or for each `channel`", ["layer", "channel"], "layer"
    )
    init: float = number("initial slope of the negative side", 0.25)

    @property
    def leak(self) -> float:
        return self.init

    def _slopes(self, input_shape: Shape) -> int:
        return input_shape[0] if self.per == "channel" else 1

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("weight", (self._slopes(inputs[0]),)),)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # The gradient of a slope has the full size before it is summed.
        return Kept(inputs=(0,), scratch=size(output))

    def value(self, x: float, element: Element) -> tuple[str, float]:
        own = element.channel if self._slopes(element.inputs[0]) > 1 else 0
        return _leaking(x, element.weight("weight", (own,)))

    def module(self, input_shape: Shape) -> Constructor:
        slopes = self._slopes(input_shape)
        several = [] if slopes == 1 else [slopes]
        return constructor("nn.PReLU", *several, init=(self.init, 0.25))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        slopes = self._slopes(inputs[0])
        what = f"{slopes:,}: a slope for each channel" if self.per == "channel" else "1: the slope"
        return [*super().explain(output, *inputs), ("parameters", what)]


class ELU(Activation):
    """Exponential linear unit (Clevert et al., 2015, arXiv:1511.07289)."""

    word: ClassVar[str] = "elu"
    gradient: ClassVar[str] = "dx = dy where x > 0, else dy * alpha*exp(x)"
    example: ClassVar[str] = "elu"
    called: ClassVar[str] = "Keras ELU, Caffe ELU"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "elu": "ELU(alpha,inplace)",
    }
    formula: ClassVar[str] = "x where x > 0, else {alpha}*(exp(x) - 1)"
    in_place: ClassVar[bool] = True

    alpha: float = number("minus the limit for x towards -infinity", 1.0, minimum=0)

    def value(self, x: float, element: Element) -> tuple[str, float]:
        if x > 0:
            return figure(x), x
        return f"{self.alpha:g}*(exp({figure(x)}) - 1)", self.alpha * math.expm1(x)

    def module(self, input_shape: Shape) -> Constructor:
        return constructor("nn.ELU", alpha=(self.alpha, 1.0), inplace=self._inplace())


class SELU(Activation):
    """ELU, scaled for self-normalizing networks (Klambauer et al., arXiv:1706.02515)."""

    word: ClassVar[str] = "selu"
    gradient: ClassVar[str] = "dx = dy * 1.0507 where x > 0, else dy * 1.0507*1.6733*exp(x)"
    example: ClassVar[str] = "selu"
    suits: ClassVar[str] = "lecun"
    formula: ClassVar[str] = "1.0507*x where x > 0, else 1.0507*1.6733*(exp(x) - 1)"
    in_place: ClassVar[bool] = True

    def value(self, x: float, element: Element) -> tuple[str, float]:
        scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
        if x > 0:
            return f"1.0507*{figure(x)}", scale * x
        return f"1.0507*1.6733*(exp({figure(x)}) - 1)", scale * alpha * math.expm1(x)

    def module(self, input_shape: Shape) -> Constructor:
        return constructor("nn.SELU", inplace=self._inplace())


class GELU(Activation):
    """Gaussian error linear unit (Hendrycks and Gimpel, 2016, arXiv:1606.08415)."""

    word: ClassVar[str] = "gelu"
    gradient: ClassVar[str] = (
        "dx = dy * (P(x) + x * exp(-x^2/2) / sqrt(2*pi)), with P the normal distribution"
    )
    example: ClassVar[str] = "gelu"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "gelu": "GELU(approximate)",
    }
    suits: ClassVar[str] = "truncated_normal"
    fades: ClassVar[float] = 0.38  # with 256 filters; with fewer, these initial weights take more

    approximate: str = choice("`tanh`: a faster approximation", ["none", "tanh"], "none")

    def value(self, x: float, element: Element) -> tuple[str, float]:
        shown = figure(x)
        if self.approximate == "none":
            share = (1 + math.erf(x / math.sqrt(2))) / 2
            return f"{shown}*P(N <= {shown})", x * share
        inside = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
        cube = f"{bracketed(x)}^3"
        text = f"{shown}/2*(1 + tanh(0.7979*({shown} + 0.044715*{cube})))"
        return text, x / 2 * (1 + math.tanh(inside))

    def module(self, input_shape: Shape) -> Constructor:
        return constructor("nn.GELU", approximate=(self.approximate, "none"))

    def rule(self) -> str:
        if self.approximate == "none":
            return "x*P(N <= x), N normally distributed"
        return "x/2*(1 + tanh(0.7979*(x + 0.044715*x^3)))"


class SiLU(Activation):
    """Sigmoid linear unit, also called swish (Ramachandran et al., 2017, arXiv:1710.05941)."""

    word: ClassVar[str] = "silu"
    gradient: ClassVar[str] = "dx = dy * s * (1 + x * (1 - s)), with s = sigmoid(x)"
    example: ClassVar[str] = "silu"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "silu": "SiLU(inplace) swish Swish",
    }
    formula: ClassVar[str] = "x*sigmoid(x)"
    fades: ClassVar[float] = 0.16

    def value(self, x: float, element: Element) -> tuple[str, float]:
        return f"{figure(x)}*sigmoid({figure(x)})", x * sigmoid(x)

    def module(self, input_shape: Shape) -> Constructor:
        return constructor("nn.SiLU")


class Mish(Activation):
    """Smooth rectifier that dips below zero (Misra, 2019, arXiv:1908.08681)."""

    word: ClassVar[str] = "mish"
    gradient: ClassVar[str] = (
        "dx = dy * (t + x * (1 - t^2) * sigmoid(x)), with t = tanh(log(1 + exp(x)))"
    )
    example: ClassVar[str] = "mish"
    formula: ClassVar[str] = "x*tanh(log(1 + exp(x)))"
    fades: ClassVar[float] = 0.07

    def value(self, x: float, element: Element) -> tuple[str, float]:
        return f"{figure(x)}*tanh(log(1 + exp({figure(x)})))", x * math.tanh(_softplus(x))

    def module(self, input_shape: Shape) -> Constructor:
        return constructor("nn.Mish")


class Softplus(Activation):
    """Rectifier with its corner rounded off."""

    autocast: ClassVar[Autocast] = "fp32"
    word: ClassVar[str] = "softplus"
    gradient: ClassVar[str] = "dx = dy * sigmoid(beta*x)"
    example: ClassVar[str] = "softplus"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "softplus": "Softplus(beta,threshold) BNLL",
    }
    formula: ClassVar[str] = "log(1 + exp({beta}*x))/{beta}"

    beta: float = number("how sharp the corner is", 1.0, minimum=0, above=True)
    threshold: float = number("above this value of beta*x, the identity is used", 20.0)

    def rule(self) -> str:
        x = "x" if self.beta == 1 else f"{self.beta:g}*x"
        by = "" if self.beta == 1 else f"/{self.beta:g}"
        return f"log(1 + exp({x})){by}, x where {x} > {self.threshold:g}"

    def value(self, x: float, element: Element) -> tuple[str, float]:
        if x * self.beta > self.threshold:
            return figure(x), x
        inside = figure(x) if self.beta == 1 else f"{self.beta:g}*{bracketed(x)}"
        by = "" if self.beta == 1 else f"/{self.beta:g}"
        return f"log(1 + exp({inside})){by}", _softplus(self.beta * x) / self.beta

    def module(self, input_shape: Shape) -> Constructor:
        beta, threshold = (self.beta, 1.0), (self.threshold, 20.0)
        return constructor("nn.Softplus", beta=beta, threshold=threshold)


class Sigmoid(Activation):
    """Squeezes each number between 0 and 1."""

    word: ClassVar[str] = "sigmoid"
    gradient: ClassVar[str] = "dx = dy * y * (1 - y)"
    example: ClassVar[str] = "sigmoid"
    called: ClassVar[str] = "Caffe Sigmoid"
    independent: ClassVar[bool] = True
    suits: ClassVar[str] = "xavier"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "sigmoid": "Sigmoid logistic Logistic",
    }
    formula: ClassVar[str] = "1/(1 + exp(-x))"
    fades: ClassVar[float] = 0.65
    keeps: ClassVar[Literal["input", "output"]] = "output"

    @property
    def probabilities(self) -> bool:
        return True

    def value(self, x: float, element: Element) -> tuple[str, float]:
        return f"1/(1 + exp({figure(-x)}))", sigmoid(x)

    def module(self, input_shape: Shape) -> Constructor:
        return constructor("nn.Sigmoid")


class Tanh(Activation):
    """Squeezes each number between -1 and 1."""

    word: ClassVar[str] = "tanh"
    gradient: ClassVar[str] = "dx = dy * (1 - y^2)"
    example: ClassVar[str] = "tanh"
    called: ClassVar[str] = "Caffe TanH"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "tanh": "Tanh TanH hyperbolic_tangent",
    }
    suits: ClassVar[str] = "xavier"
    formula: ClassVar[str] = "(exp(x) - exp(-x))/(exp(x) + exp(-x))"
    keeps: ClassVar[Literal["input", "output"]] = "output"

    def value(self, x: float, element: Element) -> tuple[str, float]:
        return f"tanh({figure(x)})", math.tanh(x)

    def module(self, input_shape: Shape) -> Constructor:
        return constructor("nn.Tanh")


class Softsign(Activation):
    """Squeezes each number between -1 and 1, more slowly than tanh."""

    word: ClassVar[str] = "softsign"
    gradient: ClassVar[str] = "dx = dy / (1 + |x|)^2"
    example: ClassVar[str] = "softsign"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "softsign": "Softsign",
    }
    suits: ClassVar[str] = "xavier"
    formula: ClassVar[str] = "x/(1 + |x|)"

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # torch has it as several operations: the divisor is kept, too.
        return Kept(inputs=(0,), own=size(output), scratch=2 * size(output))

    def value(self, x: float, element: Element) -> tuple[str, float]:
        return f"{figure(x)}/(1 + {figure(abs(x))})", x / (1 + abs(x))

    def module(self, input_shape: Shape) -> Constructor:
        return constructor("nn.Softsign")


class Hardsigmoid(Activation):
    """Sigmoid made of straight lines."""

    word: ClassVar[str] = "hardsigmoid"
    gradient: ClassVar[str] = "dx = dy / 6 where -3 < x < 3, else 0"
    example: ClassVar[str] = "hardsigmoid"
    suits: ClassVar[str] = "xavier"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "hardsigmoid": "Hardsigmoid(inplace) hard_sigmoid hsigmoid h_sigmoid",
    }
    formula: ClassVar[str] = "min(max(0, x + 3), 6)/6"
    fades: ClassVar[float] = 0.8

    def value(self, x: float, element: Element) -> tuple[str, float]:
        return f"min(max(0, {figure(x)} + 3), 6)/6", min(max(0.0, x + 3), 6.0) / 6

    def module(self, input_shape: Shape) -> Constructor:
        return constructor("nn.Hardsigmoid")


class Hardswish(Activation):
    """Swish with a sigmoid made of straight lines (Howard et al., 2019, arXiv:1905.02244)."""

    word: ClassVar[str] = "hardswish"
    gradient: ClassVar[str] = "dx = dy * (2*x + 3)/6 where -3 < x < 3; dy above, 0 below"
    example: ClassVar[str] = "hardswish"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "hardswish": "Hardswish(inplace) hard_swish hswish h_swish hard_silu",
    }
    formula: ClassVar[str] = "x*min(max(0, x + 3), 6)/6"

    def value(self, x: float, element: Element) -> tuple[str, float]:
        shown = figure(x)
        return f"{shown}*min(max(0, {shown} + 3), 6)/6", x * min(max(0.0, x + 3), 6.0) / 6

    def module(self, input_shape: Shape) -> Constructor:
        return constructor("nn.Hardswish")


def _leaking(x: float, slope: float) -> tuple[str, float]:
    if x > 0:
        return figure(x), x
    return f"{figure(slope)}*{bracketed(x)}", slope * x


def _softplus(x: float) -> float:
    """log(1 + exp(x)) without overflow."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
