"""The inputs and outputs of a network in reports: their names and shapes."""

from __future__ import annotations

from typing import Any

from ..network import Network
from ..shapes import SAMPLES, Shape, axes_of, text


def input_shapes(network: Network) -> dict[str, Shape]:
    """The shape of each input, by its name; "" for one without."""
    return {node.label or "": node.shape for node in network.inputs}


def output_shapes(network: Network) -> dict[str, Shape]:
    """The shape of each output that exists in evaluation, by its name; "" for one without."""
    return {output.name: output.node.shape for output in network.outputs}


def inputs_text(network: Network) -> str:
    """`input 3x224x224`, or `inputs image 3x224x224, depth 1x224x224`."""
    shapes = input_shapes(network)
    if len(shapes) == 1:
        return f"input {text(network.input.shape)}"
    return "inputs " + ", ".join(f"{name} {text(shape)}" for name, shape in shapes.items())


def sample_word(network: Network) -> str:
    """What one input is called: `image`, or `sample` of series and volumes."""
    return SAMPLES[axes_of(network.input.shape)]


def interface(network: Network) -> dict[str, Any]:
    """The shape of its input as data; of several, by name."""
    if len(network.inputs) == 1:
        return {"input": list(network.input.shape)}
    return {"inputs": {name: list(shape) for name, shape in input_shapes(network).items()}}
