"""`dotcnn.from_module`: a module of torch as a spec, held against the module."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ...compiler.importing.import_network import Imported, folded
from ...compiler.shapes import Shape
from ...dsl.diagnostics import Diagnostic, SpecError
from .imported_weights import compared
from .torch_module import graph_of_module

_MOST_AXES = 3
"""Spatial ones."""
_MOST_NUMBERS = 2**31
"""Of an image."""


def imported_module(module: nn.Module, example: object, name: str, partial: bool) -> Imported:
    """Raises SpecError."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"from_module() takes a torch.nn.Module, not {type(module).__name__}")
    module = _inner(module)
    kind = type(module).__name__
    _refuse_empty(module, kind)
    graph = graph_of_module(module, shape_of(module, example), name or kind)
    imported = folded(graph, f"{kind} (torch module)", kind, partial=partial)
    return compared(imported)


def _inner(module: nn.Module) -> nn.Module:
    """Without the wrappers that compile a module or run it on several devices."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def _refuse_empty(module: nn.Module, kind: str) -> None:
    """Refuses a module whose weights have no values, or no shapes."""
    for key, tensor in (*module.named_parameters(), *module.named_buffers()):
        if is_lazy(tensor):
            help = "run it on one batch before"
            raise _wrong(f"the module `{kind}` does not know the shape of its `{key}` yet", help)
        if tensor.is_meta:
            message = f"the weights of the module `{kind}` have no values: `{key}` is on `meta`"
            raise _wrong(message, "to_empty(device='cpu') gives them some")
        if tensor.is_complex():
            raise _wrong(f"the module `{kind}` has complex numbers: `{key}`")


def shape_of(module: nn.Module, example: object) -> Shape:
    """Of one image, without the batch."""
    kind = type(module).__name__
    if example is None:
        example = usual_input(module)
        if example is None:
            message = f"the size of the images is not known, which the module `{kind}` takes"
            raise _wrong(message, "from_module(module, (3, 224, 224))")
    if isinstance(example, Tensor):
        if not example.is_floating_point():
            message = f"the module `{kind}` takes numbers of type {_type(example)}, not images"
            raise _wrong(message, "a network of the language takes real numbers")
        example = tuple(example.shape[1:])
    given: list[Any] = list(example) if isinstance(example, Sequence) else []
    if any(isinstance(each, Tensor) for each in given):
        raise _wrong(f"the module `{kind}` takes {len(given)} inputs; one can be imported")
    if not given or not all(type(each) is int for each in given):
        raise TypeError(f"example is a batch or the shape of an image, not {example!r:.60}")
    if prod(given) > _MOST_NUMBERS:
        raise _wrong(f"an image of {'x'.join(map(str, given))} is too large to be imported")
    if len(given) > 1 + _MOST_AXES or min(given) < 1:
        text = "x".join(map(str, given))
        message = f"{text} is not the shape of an image, which is channels x height x width"
        raise _wrong(message, "without the batch: from_module(module, (3, 224, 224))")
    return tuple(given)


def usual_input(module: nn.Module) -> Shape | None:
    """The size that the module was made for, where it says so, as those of timm do."""
    for name in ("pretrained_cfg", "default_cfg"):
        told: Any = getattr(module, name, None)
        size = told.get("input_size") if isinstance(told, dict) else None
        if isinstance(size, Sequence) and all(type(each) is int for each in size):
            return tuple(size)
    return None


def _type(tensor: Tensor) -> str:
    return re.sub(r"^torch\.", "", str(tensor.dtype))


def _wrong(message: str, help: str = "") -> SpecError:
    return SpecError([Diagnostic("import", message, help=help)])
