"""Layers as torch computes them, and the values that their arguments can have."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..compiler.language.signature import REQUIRED, ArgumentError, Field
from ..compiler.language.values import Word
from ..compiler.ops.base import Op, TorchText, imports_of
from ..compiler.shapes import AllAxes, Shape


class Built(NamedTuple):
    """An operation as torch computes it: the text of the operation, executed."""

    module: nn.Module | None
    forward: Callable[..., Tensor]
    """Takes batched inputs."""

    def state(self) -> dict[str, Tensor]:
        return {} if self.module is None else self.module.state_dict()

    def train(self, mode: bool) -> None:
        if self.module is not None:
            self.module.train(mode)


def build(op: Op, *shapes: Shape, output: Shape | None = None) -> Built:
    """Executes the text; `output` where the operation itself does not want to say."""
    text = op.torch(op.output(*shapes) if output is None else output, *shapes)
    scope: dict[str, Any] = {"torch": torch, "nn": nn, "F": F, "Tensor": Tensor}
    exec(text.helper, scope)
    scope |= imported(op, text)
    module = eval(str(text.module), scope) if text.module else None
    names = [f"x{n}" for n in range(len(shapes))]
    expression = text.call.format(*names, m="m")
    scope["m"] = module
    return Built(module, eval(f"lambda {', '.join(names)}: {expression}", scope))


def imported(op: Op, text: TorchText) -> dict[str, Any]:
    """What the text takes from the plug-in of the layer, by name."""
    found: dict[str, Any] = {}
    for module, name in imports_of(op, text):
        known = import_module(module)
        if not hasattr(known, name):
            raise AssertionError(f"the text of `{op.word}` imports {name}, and {module} has none")
        found[name] = getattr(known, name)
    return found


# ---- arguments ---------------------------------------------------------------------------------

POOL: tuple[Any, ...] = (
    *(1, 2, 3, 4, 0),
    *((1, 2), (3, 1), (2, 3), (0, 1), (3, 2, 1), (1, 2, 2), (0, 1, 1)),
    *(0.5, 0.1, 1.5, 1e-3, -0.5),
    *(False, True),
)
"""Values for every kind of argument; its reader takes out those that are meant for others."""


def values(field: Field, axes: int = 2) -> list[Any]:
    """Some of what an argument can be, its default first; with sizes for a number of axes."""
    words = [Word(word) for word in field.words]
    found = [] if field.default is REQUIRED else [field.default]
    for candidate in (*words, *POOL):
        try:
            value = field.read(candidate)
        except ArgumentError:
            continue
        sizes = isinstance(value, tuple) and not isinstance(value, AllAxes)
        if field.per_axis and sizes and len(value) != axes:
            continue
        if not any(value == other and type(value) is type(other) for other in found):
            found.append(value)
    return found
