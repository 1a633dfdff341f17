"""The fully connected layer, `fc`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from ..language.kinds import count, switch
from ..shapes import Shape, ShapeError, size, text
from .base import (
    ANY_AXES,
    EVERYTHING,
    Autocast,
    Kept,
    Kind,
    Op,
    TorchText,
    Weight,
    Window,
    constructor,
)
from .worked import Element, Worked, products, summed


class Linear(Op):
    """Fully connected: every output is a weighted sum of all inputs."""

    autocast: ClassVar[Autocast] = "low"
    word: ClassVar[str] = "fc"
    gradient: ClassVar[str] = (
        "dx = dy * weights, transposed\n"
        "dweight = the product of each dy and each x, summed over the batch; dbias = sum of dy"
    )
    example: ClassVar[str] = "flatten, fc 10"
    arithmetic: ClassVar[str] = (
        "y = W * x + b, of all N inputs\n"
        "parameters: N * out, + out with bias\n"
        "multiply-adds: N * out"
    )
    called: ClassVar[str] = "Keras Dense, Caffe InnerProduct"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "fc": "Linear(in_features,out_features,bias) Dense(units,activation,use_bias) "
        "LazyLinear(out_features,bias) fully_connected InnerProduct inner_product connected Gemm "
        "conn dense_layer FullyConnected fullyConnectedLayer LinBnDrop(n_in,n_out)",
    }
    kind: ClassVar[Kind] = "linear"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES

    out: int = count("number of outputs: `fc classes` for the last layer of a classifier")
    bias: bool = switch("a learned bias for each output", True)

    def output(self, *inputs: Shape) -> Shape:
        # Torch would silently use the last axis of a map, its width, as the features.
        if len(inputs[0]) != 1:
            channels, *sides = inputs[0]
            pooled = f", or `pool avg global, flatten` for {channels:,}" if size(inputs[0]) else ""
            raise ShapeError(
                f"`{self.word}` takes a vector, and its input is {text(inputs[0])}",
                f"write `flatten` before it, for {'*'.join(map(str, inputs[0]))} ="
                f" {size(inputs[0]):,} numbers" + (pooled if size(tuple(sides)) > 1 else ""),
                before="flatten",
            )
        return (self.out,)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        weight = Weight("weight", (self.out, inputs[0][0]))
        return (weight, Weight("bias", (self.out,))) if self.bias else (weight,)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return self.out * inputs[0][0]

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """One addition for each output if there is a bias."""
        return self.out if self.bias else 0

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        return EVERYTHING

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        bias = (self.bias, True)
        return TorchText(constructor("nn.Linear", inputs[0][0], self.out, bias=bias))

    def work_out(self, element: Element) -> Worked:
        (inputs,) = element.inputs[0]
        own = element.channel
        terms = [
            element.term(number, element.position, element.weight("weight", (own, number)))
            for number in range(inputs)
        ]
        bias = element.weight("bias", (own,)) if self.bias else None
        rule = f"sum of value*weight over {inputs:,} inputs" + (", + bias" if self.bias else "")
        return summed(element, [products("inputs", terms)], bias, rule)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        weights = self.out * inputs[0][0]
        product = f"{inputs[0][0]} inputs * {self.out} outputs = {weights:,}"
        bias = f"; + {self.out} biases = {weights + self.out:,}" if self.bias else ""
        return [("parameters", product + bias), ("multiply-adds", product)]
