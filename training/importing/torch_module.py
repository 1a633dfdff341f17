"""A module of torch as a network, which can be run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ...compiler.importing.graph import Graph
from ...compiler.importing.tensors.compose import graph_of
from ...compiler.importing.tensors.program import Program
from ...compiler.shapes import Shape
from ..runtime.eval_mode import evaluating
from .aten import program_of
from .dropping import marked
from .exported_module import exported_graph, free_batch, named_leaves, quiet, tensors_of_module
from .imported_weights import WrongPrecision
from .training_mode import minds_training, with_training


def graph_of_module(module: nn.Module, input: Shape, name: str) -> Graph:
    """The network of a module, with its weights, for images of this shape; raises SpecError."""
    graph = graph_of(program_of_module(module, input, name))
    names = [each.name for each in graph.outputs if each.aux is None]
    return graph._replace(run=partial(_run, module, names), double=_exact(graph, module))


def _exact(graph: Graph, module: nn.Module) -> bool:
    """Whether all weights are the module's own: what was computed of them is rounded."""
    own = {each.untyped_storage().data_ptr() for each in tensors_of_module(module).values()}
    weights: Iterator[Any] = (each for layer in graph.layers for each in layer.weights.values())
    return all(each.untyped_storage().data_ptr() in own for each in weights)


def _run(module: nn.Module, names: Sequence[str], batches: Sequence[Any]) -> list[Any]:
    """The outputs of these names, computed as precisely as the inputs are."""
    inputs = [torch.from_numpy(each) for each in batches]
    own = tensors_of_module(module)
    # What modules share, they go on sharing.
    moved = {id(each): _as(each.detach(), inputs[0].dtype) for each in own.values()}
    tensors = {key: moved[id(each)] for key, each in own.items()}
    try:
        with torch.no_grad(), quiet(), evaluating(module):
            outputs = functional_call(module, tensors, tuple(inputs))
    except RuntimeError as error:
        raise WrongPrecision(str(error)) from None
    by_name = dict(named_leaves(outputs))
    return [by_name[name] for name in names]


def _as(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.cpu().to(dtype) if tensor.is_floating_point() else tensor.cpu().clone()


def program_of_module(module: nn.Module, input: Shape, name: str) -> Program:
    """The calls of a module on images of this shape; raises SpecError."""
    batch = _batch(module, input)
    first = next(module.parameters(), torch.zeros(()))
    dtype = first.dtype if first.is_floating_point() else torch.float32
    # Nothing reads its values, so it is never filled, and takes no memory.
    example = torch.empty(batch, *input, dtype=dtype, device=first.device)
    with evaluating(module), marked(module):
        program = program_of(exported_graph(module, example, name))
        if not minds_training(module):
            return program
        module.train()
        return with_training(program, lambda: exported_graph(module, example, name))


def _batch(module: nn.Module, input: Shape) -> int:
    shapes = [each.shape for each in tensors_of_module(module).values()]
    return free_batch({*input, *chain.from_iterable(shapes)})
