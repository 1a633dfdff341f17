"""The flow of a module by torch.export: what it carries out for an example, on stand-ins."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_leaves

from .builder import Builder, Value
from .flow import Flow
from .operations import plain, settings_of_call
from .traced import CannotFollow, in_a_line, in_training, shapes_of


def exported(module: nn.Module, example: Tensor) -> Flow:
    """Raises CannotFollow for modules that torch.export does not take."""
    try:
        with in_training(module), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(module, (example,), strict=False)
    except Exception as error:  # noqa: BLE001 - it runs foreign code on stand-ins
        raise CannotFollow(in_a_line(error)) from None
    return _flow(module, program)


def _flow(module: nn.Module, program: torch.export.ExportedProgram) -> Flow:
    signature = program.graph_signature
    keys = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    builder = Builder(shapes_of(module))
    values: dict[fx.Node, Value] = {}
    outputs: list[Value] = []
    for node in program.graph.nodes:
        operands = [
            values[leaf]
            for leaf in tree_leaves((node.args, node.kwargs))
            if isinstance(leaf, fx.Node)
        ]
        if node.op == "placeholder":
            if node.name in keys:
                values[node] = builder.held(keys[node.name])
            else:
                values[node] = builder.input() if node.name in signature.user_inputs else None
        elif node.op == "output":
            names = [leaf.name for leaf in tree_leaves(node.args) if isinstance(leaf, fx.Node)]
            wanted = signature.user_outputs
            outputs = [v for n, v in zip(names, operands, strict=True) if n in wanted]
        elif node.op != "call_function":
            values[node] = None
        elif node.target is operator.getitem:
            values[node] = builder.element(operands[0], node.args[1])
        else:
            name = _name(node.target)
            settings = settings_of_call(plain(name), node.args, node.kwargs)
            values[node] = builder.operation(name, operands, settings)
    return builder.flow(outputs)


def _name(target: Any) -> str:
    """`conv2d` of torch.ops.aten.conv2d.default."""
    schema = getattr(target, "_schema", None)
    return str(schema.name).partition("::")[2] if schema else getattr(target, "__name__", "")
