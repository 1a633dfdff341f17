"""Builds the dataflow graph of a module by symbolic tracing (torch.fx), without running it."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, fx, nn
from torch.utils._pytree import tree_leaves

from .builder import Builder, Value
from .flow import Flow
from .operations import plain, settings_of_call, settings_of_object


class CannotTrace(Exception):
    """A module cannot be traced in this way; the message says why."""


def traced(module: nn.Module) -> Flow:
    """Raises CannotTrace if the module's Python code depends on the values of tensors."""
    try:
        with in_training(module):
            graph = _Tracer().trace(module)
    except Exception as error:  # noqa: BLE001 - this runs code of the module
        raise CannotTrace(in_a_line(error)) from None
    return _flow(module, graph)


@contextmanager
def in_training(module: nn.Module) -> Iterator[None]:
    """Sets training mode, because only then auxiliary heads run; restores the mode of each part."""
    modes = {inner: inner.training for inner in module.modules()}
    module.train()
    try:
        yield
    finally:
        for inner, mode in modes.items():
            inner.training = mode


class _Tracer(fx.Tracer):
    """Traces into all modules that are not torch's own, even if they inherit from one of them."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m).__module__.startswith("torch.nn") and not isinstance(
            m, nn.Sequential | nn.ModuleList | nn.ModuleDict
        )


def _flow(module: nn.Module, graph: fx.Graph) -> Flow:
    shapes = {key: tuple(tensor.shape) for key, tensor in held_by(module)}
    builder = Builder(shapes, module.state_dict().keys())
    values: dict[fx.Node, Value] = {}
    several: dict[fx.Node, list[Value]] = {}
    outputs: list[Value] = []
    for node in graph.nodes:
        operands: list[Value] = []
        for leaf in tree_leaves((node.args, node.kwargs)):
            if isinstance(leaf, fx.Node):
                operands += several.get(leaf) or [values[leaf]]
        name = _name(node)
        if node.op == "placeholder":
            values[node] = builder.input() if _is_data(node) else None
        elif node.op == "output":
            outputs = operands
        elif node.op == "get_attr":
            values[node] = builder.held(str(node.target)) if node.target in shapes else None
        elif node.op == "call_module":
            inner = module.get_submodule(str(node.target))
            own = [f"{node.target}.{key}" for key in _tensors(inner)]
            name = type(inner).__name__
            values[node] = builder.operation(name, operands, settings_of_object(inner), own)
        elif node.target is getattr:
            attribute = str(node.args[1])
            values[node] = builder.operation(attribute, operands)
        elif node.target is operator.getitem:
            values[node] = builder.element(operands[0] if operands else None, node.args[1])
        elif isinstance(node.target, type):  # a named tuple of outputs
            several[node], values[node] = operands, None
        else:
            settings = settings_of_call(plain(name), node.args, node.kwargs)
            values[node] = builder.operation(name, operands, settings)
    return builder.flow(outputs)


def _is_data(node: fx.Node) -> bool:
    """Whether it is the image: arguments with a default (a mask, a flag) are left out."""
    return not node.args or node.args[0] is inspect.Parameter.empty


def _name(node: fx.Node) -> str:
    target: Any = node.target
    return target if isinstance(target, str) else getattr(target, "__name__", str(target))


def _tensors(module: nn.Module) -> list[str]:
    return [*dict(module.named_parameters()), *dict(module.named_buffers())]


def held_by(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """All parameters and buffers; shared ones under each of their names."""
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def in_a_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
