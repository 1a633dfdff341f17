"""An exported graph of ATen functions, whether torch.export made it just now or a .pt2 file has it:
what aten.py writes as a Program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

Shape = tuple[int, ...]


class Ref(NamedTuple):
    """A tensor of the graph, where it is an argument."""

    name: str


class Out(NamedTuple):
    """A tensor that a step gives; one that nothing looks at has no name."""

    name: str
    shape: Shape


class Step(NamedTuple):
    """A call of a function."""

    target: str
    """With its overload: `aten.conv2d.default`."""
    arguments: Mapping[str, Any]
    """By their names in the function's signature, defaults and all. Tensors are Ref."""
    outputs: Sequence[Out]
    path: str
    """Of the module that calls it: `layer1.0.conv2`."""
    several: bool = False
    """Whether it gives a tuple or a list."""


class Held(NamedTuple):
    """A tensor that belongs to the module."""

    value: Tensor
    name: str
    trained: bool


class AtenGraph(NamedTuple):
    name: str
    inputs: Sequence[Out]
    held: Mapping[str, Held]
    steps: Sequence[Step]
    results: Sequence[tuple[str, str]]
    """The name of each in the graph, and the name that it has for the user."""
    batch: int


def function_of(target: str) -> str:
    """`conv2d` for `aten.conv2d.default`, `relu` for `aten.relu_.default`."""
    parts = target.split(".")
    name = parts[1] if len(parts) > 1 else parts[0]
    return name.removesuffix("_") if not name.startswith("_") or name.count("_") > 1 else name
