"""Exports a module: torch.export runs it on tensors without values and notes the functions of ATen,
each with the path of the module that called it. Nothing of the module is changed.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node
from torch.utils._pytree import tree_flatten_with_path, tree_map_only, tree_unflatten

from ...dsl.diagnostics import Diagnostic, SpecError
from .aten_graph import AtenGraph, Held, Out, Ref, Step

_PRIMES = (5, 11, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)


def free_batch(sizes: Collection[int]) -> int:
    """A number of images that divides none of these sizes, so that it is known again in a shape."""
    free = (prime for prime in _PRIMES if all(size % prime for size in sizes))
    return next(free, _PRIMES[-1])


def exported_graph(module: nn.Module, example: Tensor, name: str) -> AtenGraph:
    """The graph of a module in the mode that it is in; raises SpecError."""
    try:
        with quiet():
            exported = torch.export.export(module, (example,), strict=False)
            return _graph(module, exported, name, len(example))
    except SpecError:
        raise
    except Exception as error:  # noqa: BLE001 - this runs code of the module
        raise _cannot(name, error, example) from None


def tensors_of_module(module: nn.Module) -> dict[str, Tensor]:
    """All parameters and buffers; shared ones under each of their names."""
    return {
        **dict(module.named_buffers(remove_duplicate=False)),
        **dict(module.named_parameters(remove_duplicate=False)),
    }


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings, prints and logs; attention is written out, and not torch's one function for
    all of it."""
    fast = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(io.StringIO()))
        stack.enter_context(redirect_stderr(io.StringIO()))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        torch.backends.mha.set_fastpath_enabled(False)
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.CRITICAL)
        yield


def _cannot(name: str, error: Exception, example: Tensor) -> SpecError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    why = lines[0] if lines else type(error).__name__
    if "data-dependent" in why or "DataDependent" in type(error).__name__:
        message = f"what the module `{name}` computes depends on the values of its input"
        help = "a network of the language computes the same for every image"
        return SpecError([Diagnostic("import", message, help=help)])
    shape = "x".join(map(str, example.shape[1:]))
    message = f"torch.export cannot follow the module `{name}` on {shape}: {why[:300]}"
    return SpecError([Diagnostic("import", message)])


# ---- its graph -----------------------------------------------------------------------------------


def _graph(module: nn.Module, exported: ExportedProgram, name: str, batch: int) -> AtenGraph:
    tensors = tensors_of_module(module)
    trained = {key for key, _ in module.named_parameters(remove_duplicate=False)}
    first: dict[int, str] = {}
    for key, tensor in tensors.items():
        first.setdefault(id(tensor), key)
    inputs: list[Out] = []
    held: dict[str, Held] = {}
    kinds = {spec.arg.name: spec for spec in exported.graph_signature.input_specs}
    steps: list[Step] = []
    results: list[tuple[str, str]] = []
    for node in exported.graph.nodes:
        if node.op == "placeholder":
            spec = kinds[node.name]
            if spec.kind == InputKind.USER_INPUT:
                inputs.append(Out(node.name, _shape(node.meta["val"])))
            elif spec.target in tensors:
                tensor = tensors[spec.target]
                key = first[id(tensor)]
                held[node.name] = Held(tensor, key, key in trained)
            else:
                held[node.name] = Held(exported.constants[spec.target], spec.target, False)
        elif node.op == "call_function":
            steps += _steps(node, name)
        elif node.op == "output":
            results = _results(node, exported, name)
    return AtenGraph(name, inputs, held, steps, results, batch)


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(map(int, value.shape)) if isinstance(value, Tensor) else ()


def _steps(node: Node, name: str) -> list[Step]:
    target: Any = node.target
    value = node.meta.get("val")
    if not isinstance(target, torch._ops.OpOverload):
        if getattr(target, "__name__", "") == "getitem":
            return []  # an output of the step before
        message = f"`{name}` depends on its data: `{getattr(target, '__name__', target)}`"
        raise SpecError([Diagnostic("import", message)])
    several = isinstance(value, tuple | list)
    if isinstance(value, tuple | list):
        outputs = [Out(f"{node.name}[{n}]", _shape(each)) for n, each in enumerate(value)]
    else:
        outputs = [Out(node.name, _shape(value))]
    arguments: dict[str, Any] = {}
    for n, argument in enumerate(target._schema.arguments):
        if n < len(node.args):
            given = node.args[n]
        else:
            given = node.kwargs.get(argument.name, argument.default_value)
        arguments[argument.name] = tree_map_only(Node, _ref, given)
    path = _path(node)
    return [Step(str(target), arguments, outputs, path, several)]


def _ref(node: Node) -> Ref:
    target: Any = node.target
    if getattr(target, "__name__", "") == "getitem":
        return Ref(f"{node.args[0].name}[{node.args[1]}]")  # type: ignore[union-attr]
    return Ref(node.name)


def _path(node: Node) -> str:
    """The path of the innermost module that calls it."""
    stack = node.meta.get("nn_module_stack") or {}
    path = ""
    for inner, _ in stack.values():
        path = inner
    return path.partition("@")[0]


def named_leaves(outputs: Any) -> list[tuple[str, Any]]:
    """What a module gives: each tensor with its place in dicts and tuples: `logits`, `output1`."""
    leaves = [
        (".".join(map(_key, keys)), leaf) for keys, leaf in tree_flatten_with_path(outputs)[0]
    ]
    return [(f"output{name}" if name[:1].isdigit() else name, leaf) for name, leaf in leaves]


def _key(key: Any) -> str:
    """A step into a dict, a list or a named tuple."""
    return str(next((getattr(key, of) for of in ("key", "idx", "name") if hasattr(key, of)), key))


def _results(node: Node, exported: ExportedProgram, name: str) -> list[tuple[str, str]]:
    specs = exported.graph_signature.output_specs
    mine: Sequence[Any] = node.args[0]  # type: ignore[assignment]
    given = [
        each for each, spec in zip(mine, specs, strict=True) if spec.kind.name == "USER_OUTPUT"
    ]
    spec = exported.call_spec.out_spec
    tree = tree_unflatten(given, spec)
    results: list[tuple[str, str]] = []
    for called, leaf in named_leaves(tree):
        if isinstance(leaf, Node):
            results.append((_ref(leaf).name, called))
        elif leaf is not None:
            message = f"the module `{name}` gives something else than tensors: {leaf!r:.60}"
            raise SpecError([Diagnostic("import", message)])
    return results
