"""Goes through an exported graph of torch and collects its calls; what each function becomes is in
aten.py. Changes of layout of a weight (a reshape, a transposition) are made here; what is computed
without any input or weight is computed here, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...compiler.importing.tensors.program import Call, Constant, Operand, Program, Result
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source, Span
from .aten_graph import AtenGraph, Ref, Shape, Step, function_of

MOST_NUMBERS = 2**26
"""Numbers of a table that is computed here."""

Given = dict[str, Any]
"""The arguments of a function, tensors in the place of their names."""
Lowered = Operand | list[Operand]
Function = Callable[["Lowering", Given, Step], Lowered]


class Lowering:
    """The calls of one graph."""

    def __init__(self, graph: AtenGraph, functions: Mapping[str, Function]) -> None:
        self.graph = graph
        self.functions = functions
        self.calls: list[Call] = []
        self.values: dict[str, Operand] = {}
        self.storage: dict[str, str] = {}
        """The tensor that another is a view of, by their names in the graph."""
        self.stale: dict[str, str] = {}
        """Tensors whose storage was changed through another one, and the function that did it."""
        self.trained = {held.name for held in graph.held.values() if held.trained}
        self.holders: dict[Call, str] = {}
        """The module that used a weight first: what layers share, the language cannot say."""
        self.remarks: dict[str, None] = {}
        self.path = ""
        lines = [_line(step) for step in graph.steps]
        self.source = Source(graph.name, "".join(lines) or "\n")
        self.spans: list[Span] = []
        start = 0
        for line in lines:
            self.spans.append(self.source.span(start, start + len(line) - 1))
            start += len(line)
        self.span = self.source.span(0, 0)

    def program(self) -> Program:
        for name, held in self.graph.held.items():
            self.values[name] = Constant(held.value, held.name)
        for out in self.graph.inputs:
            self.values[out.name] = self._append("input", (), {}, out.shape, out.name)
        for step, span in zip(self.graph.steps, self.spans, strict=True):
            self.span, self.path = span, step.path
            self._step(step)
        return self._finished()

    def _finished(self) -> Program:
        results: list[Result] = []
        for name, called in self.graph.results:
            value = self.value(Ref(name))
            if not isinstance(value, Call) or value.function == "input":
                what = f" for `{called}`" if called else ""
                message = f"the module `{self.graph.name}` computes nothing{what}"
                raise SpecError([Diagnostic("import", message)])
            results.append(Result(value, called))
        # The main one is taken to be what is computed last.
        results.sort(key=lambda each: each.call.index)
        calls = used(self.calls, [each.call for each in results])
        return Program(
            self.graph.name, calls, results, self.graph.batch, [*self.remarks], self.holders
        )

    # ---- one step --------------------------------------------------------------------------------

    def _step(self, step: Step) -> None:
        function = function_of(step.target)
        given = {name: self.value(value) for name, value in step.arguments.items()}
        tensors = tensors_of(given)
        in_place = _changes(step)
        table = all(self.is_table(each) for each in tensors)
        if in_place:
            self._keeps_state(step, function)
        parametrized = function not in self.functions and not any(
            isinstance(each, Call) for each in tensors
        )
        parametrized = parametrized and function in COMPUTED
        if parametrized and not table:
            self.remarks[f"how `{function.strip('_')}` computes weights"] = None
        if table or parametrized:
            results: Lowered = self._computed(step, given, function)
        else:
            lower = self.functions.get(function)
            results = lower(self, given, step) if lower else self.named(step, function, tensors)
        found = results if isinstance(results, list) else [results]
        for out, value in zip(step.outputs, found, strict=False):
            self.values[out.name] = value
        self._aliases(step, function, in_place and not table)

    def _keeps_state(self, step: Step, function: str) -> None:
        """Refuses a change of what belongs to the module."""
        first = next((v for v in step.arguments.values() if isinstance(v, Ref)), None)
        root = self.storage.get(first.name, first.name) if first else ""
        if root in self.graph.held:
            name = self.graph.held[root].name
            message = f"`{function}` changes `{name}`, which then is another one for the next image"
            raise SpecError([Diagnostic("import", message, self.span)])

    def _aliases(self, step: Step, function: str, in_place: bool) -> None:
        """Follows what shares memory with what, since functions may change a tensor in place."""
        first = next((v for v in step.arguments.values() if isinstance(v, Ref)), None)
        if first is None:
            return
        root = self.storage.get(first.name, first.name)
        if in_place:
            changed = self.values[step.outputs[0].name] if step.outputs else None
            for name in [name for name, of in self.storage.items() if of == root] + [root]:
                if name != first.name:
                    self.stale[name] = function
            self.values[first.name] = changed
        if in_place or function in _VIEWS:
            for out in step.outputs:
                self.storage[out.name] = root

    def value(self, given: Any) -> Any:
        """An argument with its tensors in the place of their names."""
        if isinstance(given, Ref):
            if given.name in self.stale:
                function = self.stale[given.name]
                message = (
                    f"`{function}` changes a part of a tensor in place, and more is read of it"
                )
                raise SpecError([Diagnostic("import", message, self.span)])
            return self.values[given.name]
        return [self.value(each) for each in given] if isinstance(given, list | tuple) else given

    def is_table(self, value: Operand) -> bool:
        """Whether it is a tensor that nobody trains."""
        return isinstance(value, Constant) and value.name not in self.trained

    def _computed(self, step: Step, given: Given, function: str) -> Lowered:
        """What a function gives whose operands are known."""
        if function not in COMPUTED:
            return self.named(step, function, tensors_of(given))
        self.refuse_large(step)
        _, name, overload = step.target.split(".")
        call = getattr(getattr(torch.ops.aten, name), overload)
        try:
            arguments = {key: _plain(value) for key, value in given.items()}
            with torch.no_grad():
                made = call(**arguments)
        except Exception as error:  # noqa: BLE001 - arguments of a file may be anything
            message = f"`{function}` cannot be computed: {str(error).partition(chr(10))[0]}"
            raise SpecError([Diagnostic("import", message, self.span)]) from None
        several = list(made) if step.several else [made]
        return [Constant(each, step.outputs[n].name) for n, each in enumerate(several)]

    def refuse_large(self, step: Step) -> None:
        """Refuses a table that needs much memory."""
        if any(math.prod(out.shape) > MOST_NUMBERS for out in step.outputs):
            function = function_of(step.target)
            message = f"`{function}` would make a table of more than {MOST_NUMBERS:,} numbers"
            raise SpecError([Diagnostic("limit", message, self.span)])

    # ---- for the functions below -----------------------------------------------------------------

    def call(
        self, function: str, operands: Sequence[Operand], shape: Sequence[int], **settings: Any
    ) -> Call:
        return self._append(function, tuple(operands), settings, tuple(shape), self.path)

    def _append(
        self, function: str, operands: tuple[Operand, ...], settings: Given, shape: Shape, name: str
    ) -> Call:
        made = Call(len(self.calls), function, operands, settings, shape, name, self.span)
        self.calls.append(made)
        weight = operands[1] if function in _WEIGHED else None
        if isinstance(weight, Constant) and weight.name in self.trained:
            self.holders[made] = weight.name
        return made

    def named(self, step: Step, function: str, operands: Sequence[Operand]) -> Lowered:
        """What the table of programs lacks, by the name that it has in torch."""
        made: list[Operand] = [self.call(function, operands, out.shape) for out in step.outputs]
        return made

    def reshape(self, x: Operand, to: Sequence[int]) -> Operand:
        to = tuple(to)
        if shape(x) == to:
            return x
        if isinstance(x, Constant):
            return Constant(tensor_of(x).reshape(to), x.name)
        return self.call("reshape", [x], to, to=to)

    def permute(self, x: Operand, axes: Sequence[int]) -> Operand:
        axes = tuple(axis % len(shape(x)) for axis in axes)
        if axes == tuple(range(len(axes))):
            return x
        if isinstance(x, Constant):
            return Constant(tensor_of(x).permute(axes), x.name)
        return self.call("permute", [x], [shape(x)[axis] for axis in axes], axes=axes)

    def expand(self, x: Operand, to: Sequence[int]) -> Operand:
        to = tuple(to)
        x = self.reshape(x, (1,) * (len(to) - len(shape(x))) + shape(x))
        if shape(x) == to:
            return x
        if isinstance(x, Constant):
            return Constant(tensor_of(x).expand(to), x.name)
        return self.call("expand", [x], to, to=to)

    def slice(self, x: Operand, axis: int, start: int, stop: int, step: int = 1) -> Operand:
        size = shape(x)[axis]
        if (start, stop, step) == (0, size, 1):
            return x
        if isinstance(x, Constant):
            index = [slice(None)] * axis + [slice(start, stop, step)]
            return Constant(tensor_of(x)[tuple(index)], x.name)
        to = list(shape(x))
        to[axis] = len(range(start, stop, step))
        return self.call("slice", [x], to, axis=axis, start=start, stop=stop, step=step)

    def select(self, x: Operand, axis: int, index: int) -> Operand:
        to = [size for n, size in enumerate(shape(x)) if n != axis]
        index %= shape(x)[axis]
        if isinstance(x, Constant):
            return Constant(tensor_of(x).select(axis, index), x.name)
        return self.call("select", [x], to, axis=axis, index=index)

    def concat(self, parts: Sequence[Operand], axis: int) -> Operand:
        if len(parts) == 1:
            return parts[0]
        to = list(shape(parts[0]))
        to[axis] = sum(shape(each)[axis] for each in parts)
        return self.call("concat", parts, to, axis=axis)

    def matmul(self, a: Operand, b: Operand) -> Operand:
        one, two = shape(a), shape(b)
        many: Shape = torch.broadcast_shapes(one[:-2], two[:-2])  # type: ignore[no-untyped-call]
        to = (*many, *one[-2:-1], *two[-1:]) if len(two) > 1 else one[:-1]
        return self.call("matmul", [a, b], to)

    def scaled(self, x: Operand, factor: float) -> Operand:
        return x if factor == 1 else self.call("mul", [x, float(factor)], shape(x))


def shape(x: Operand) -> Shape:
    return x.shape if isinstance(x, Call | Constant) else ()


def _line(step: Step) -> str:
    """What stands for the source of a module in messages."""
    given = ", ".join("×".join(map(str, out.shape)) or "a number" for out in step.outputs[:3])
    return f"{step.path or '(the module itself)'}: {function_of(step.target)} -> {given}\n"


def tensors_of(given: Given) -> list[Operand]:
    found: list[Operand] = []
    for value in given.values():
        several = value if isinstance(value, list) else [value]
        found += [each for each in several if isinstance(each, Call | Constant)]
    return found


def _changes(step: Step) -> bool:
    """Whether it changes its first operand in place."""
    name = step.target.split(".")[1] if "." in step.target else step.target
    return name.endswith("_") and not name.startswith("__") and name != "detach_"


def _plain(value: Any) -> Any:
    if isinstance(value, Constant):
        return value.value
    return [_plain(each) for each in value] if isinstance(value, list) else value


def tensor_of(x: Constant) -> Tensor:
    value = x.value
    assert isinstance(value, Tensor)
    return value.detach()


def used(calls: Sequence[Call], results: Sequence[Call]) -> list[Call]:
    """The calls that a result depends on, and what goes in."""
    found = {id(each) for each in calls if each.function == "input"}
    stack = list(results)
    while stack:
        call = stack.pop()
        if id(call) not in found:
            found.add(id(call))
            stack += [each for each in call.operands if isinstance(each, Call)]
    kept = [call for call in calls if id(call) in found]
    for index, call in enumerate(kept):
        call.index = index
    return kept


UNARY = (
    "relu", "relu6", "selu", "mish", "sigmoid", "tanh", "hardsigmoid", "hardswish", "silu", "exp",
    "log", "sqrt", "rsqrt", "neg", "abs", "reciprocal", "erf", "sin", "cos",
)  # fmt: skip
"""Functions of one tensor, the same there and here."""

_WEIGHED = {
    "conv", "deconv", "linear", "batch_norm", "layer_norm", "group_norm", "instance_norm",
    "rms_norm", "prelu",
}  # fmt: skip
"""Functions whose second operand is a weight."""

_VIEWS = {
    "view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as",
    "permute", "transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT", "movedim", "moveaxis",
    "expand", "expand_as", "broadcast_to", "split", "split_with_sizes", "chunk", "tensor_split",
    "unbind", "slice", "narrow", "select", "contiguous", "detach", "alias", "to", "type_as",
    "float", "double", "dropout", "feature_dropout",
}  # fmt: skip
"""What may give a tensor in the memory of its operand."""

COMPUTED = {
    *_VIEWS, *UNARY, "arange", "zeros", "ones", "full", "zeros_like", "ones_like", "full_like",
    "eye", "linspace", "scalar_tensor", "lift_fresh_copy", "clone", "_to_copy", "index",
    "index_select", "add", "sub", "rsub", "mul", "div", "pow", "floor_divide", "remainder",
    "maximum", "minimum", "clamp", "cat", "stack", "meshgrid", "sum", "mean", "amax", "amin",
    "cumsum", "flip", "roll", "tril", "triu", "where", "eq", "ne", "lt", "le", "gt", "ge",
    "logical_and", "logical_or", "logical_not", "bitwise_not", "bitwise_and", "bitwise_or",
    "masked_fill", "floor", "ceil", "round", "sign", "repeat", "outer", "new_zeros", "new_ones",
    "new_full", "pad", "constant_pad_nd", "matmul", "softmax", "int", "long", "bool", "argsort",
    "repeat_interleave", "tile", "linalg_vector_norm", "einsum", "atan2", "log1p", "expm1", "fill",
    "copy", "_weight_norm", "mv", "dot", "vdot",
}  # fmt: skip
"""Functions that are computed here where their operands are known."""
