"""Reads the nodes of an ONNX model one after another into a program of calls on tensors."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, TypeVar

import numpy

from ....compiler.importing.tensors.program import Call, Constant, Operand, Program, Result
from ....dsl.diagnostics import Diagnostic, SpecError
from ....dsl.source import Span
from .constant_values import TooLarge, Unknown, evaluate, number_type
from .layout import (
    MAX_ELEMENTS,
    CannotSay,
    Flat,
    Held,
    Last,
    Lost,
    Value,
    Wrong,
    broadcast,
    first,
    last,
)
from .onnx_nodes import MAX_NODES, Body, Listing, Node

MAX_DEPTH = 64
"""Of functions that call functions."""
MAX_MISTAKES = 20
QUANTIZED = "the network is quantized; export it as it is before that, in floating point"

Handler = Callable[["Reader", Node, list[Any]], "Value | Sequence[Value | None]"]
Function = TypeVar("Function", bound=Handler)
HANDLERS: dict[tuple[str, str], Handler] = {}
"""By domain and operator."""


def reads(*names: str, domain: str = "") -> Callable[[Function], Function]:
    """Declares the function that reads operators."""

    def declare(function: Function) -> Function:
        for name in names:
            HANDLERS[domain, name] = function
        return function

    return declare


class Reader:
    """The state of reading: the calls so far, and the node that is being read."""

    def __init__(self, model: Any, listing: Listing, inputs: Mapping[str, Value]) -> None:
        self.listing = listing
        self.calls: list[Call] = []
        self.remarks: list[str] = []
        self.mistakes: list[Diagnostic] = []
        self.unsaid: list[Call] = []
        self.opset = max(
            [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")],
            default=1,
        )
        self.tensors = {each.name: each for each in model.graph.initializer}
        self.domains = {node.domain for node in listing.main.nodes}
        self.node = Node(_NO_NODE, Span(listing.source, 0, 0))
        self.path = ""
        self.shared: set[int] = set()
        """Calls that more than one node reads."""
        self.batch = 0
        self._held: dict[str, Held] = {}
        self._inputs = inputs
        self._turned: dict[tuple[int, tuple[int, ...]], Call] = {}
        self._scopes: list[str] = []
        self._paths: dict[int, str] = {}
        self._count = 0
        self._active: list[tuple[str, str]] = []

    # ---- emitting ------------------------------------------------------------------------------

    def call(
        self, function: str, operands: Sequence[Operand], shape: Sequence[int], **settings: Any
    ) -> Call:
        sizes = tuple([int(each) for each in shape])
        if any(each < 1 for each in sizes):
            raise Wrong(f"its result would be of the size {'x'.join(map(str, sizes))}")
        if prod(sizes) > MAX_ELEMENTS:
            raise Wrong("its result has more than 10^15 numbers")
        made = Call(
            len(self.calls), function, tuple(operands), settings, sizes, self.path, self.node.span
        )
        self.calls.append(made)
        return made

    def cannot(self, what: str, why: str, args: Sequence[Value | None]) -> Lost:
        """Writes a call that cannot be said."""
        operands = [
            each.call if isinstance(each, (Last, Flat, Lost)) else each
            for each in args
            if isinstance(each, (Call, Last, Flat, Lost))
        ]
        shape = operands[0].shape if operands else ()
        made = Call(
            len(self.calls),
            what,
            tuple(operands),
            {"why": why} if why else {},
            shape,
            self.path,
            self.node.span,
        )
        self.calls.append(made)
        self.unsaid.append(made)
        return Lost(made)

    def mistake(self, message: str, span: Span | None = None, help: str = "") -> None:
        self.mistakes.append(Diagnostic("onnx", message, span or self.node.span, help=help))
        if len(self.mistakes) >= MAX_MISTAKES:
            raise SpecError(self.mistakes)

    # ---- values --------------------------------------------------------------------------------

    def tensor(self, value: Value | None) -> Call:
        """A value as the file has it, turned around if it has to be."""
        if isinstance(value, Call):
            return value
        if isinstance(value, Last):
            return self.permuted(value.call, last(len(value.call.shape)))
        if isinstance(value, Flat):
            return self.reshaped(self.tensor(Last(value.call)), value.shape)
        raise CannotSay("it works on a constant")

    def operand(self, value: Value | None) -> Operand:
        """A value where a constant may stand too."""
        return self.constant(value) if isinstance(value, Held) else self.tensor(value)

    def constant(self, held: Held) -> Constant | float:
        """A constant; a single number that is not learned is just that."""
        if held.value.size == 1 and not held.learned:
            return float(numpy.ravel(held.value)[0])
        return Constant(held.value, held.name)

    def weight(self, value: Value | None, what: str = "its weights") -> Held:
        if isinstance(value, Held):
            return value
        raise CannotSay(f"{what} are computed by the network")

    def ints(self, value: Value | None) -> list[int] | None:
        """The numbers of a constant; None if there is none."""
        if value is None:
            return None
        if isinstance(value, Held):
            return [int(each) for each in numpy.ravel(value.value)]
        raise CannotSay("its sizes depend on what the network computes")

    def number(self, value: Value | None) -> float | None:
        if value is None:
            return None
        if isinstance(value, Held) and value.value.size == 1:
            return float(numpy.ravel(value.value)[0])
        raise CannotSay("its numbers depend on what the network computes")

    def arrays(self, args: Sequence[Value | None]) -> list[Any]:
        """The constants among the arguments, and None for others."""
        return [each.value if isinstance(each, Held) else None for each in args]

    def permuted(self, call: Call, axes: Sequence[int]) -> Call:
        if list(axes) == sorted(axes):
            return call
        key = call.index, tuple(axes)
        if key not in self._turned:
            shape = [call.shape[axis] for axis in axes]
            long = [axis for axis in axes if call.shape[axis] > 1]
            if long == sorted(long):  # only axes of size 1 move
                self._turned[key] = self.reshaped(call, shape)
            else:
                self._turned[key] = self.call("permute", [call], shape, axes=tuple(axes))
        return self._turned[key]

    def reshaped(self, call: Call, shape: Sequence[int]) -> Call:
        if tuple(shape) == call.shape:
            return call
        source = call
        if call.function == "reshape" and isinstance(call.operands[0], Call):
            source = call.operands[0]
            if tuple(shape) == source.shape:
                return source
        return self.call("reshape", [source], shape, to=tuple(shape))

    def turned(self, value: Value, axes: Sequence[int]) -> Value:
        """A transposed value."""
        rank = len(axes)
        if isinstance(value, Last):
            order = [last(rank)[axis] for axis in axes]
            if order == sorted(order):
                return value.call
            return self.turned(value.call, order)
        call = self.tensor(value)
        if list(axes) == last(rank) and (rank > 3 or (rank == 3 and self.series)):
            return Last(call)
        return self.permuted(call, axes)

    series = False
    """Whether it reads series with their channels last."""

    # ---- the walk ------------------------------------------------------------------------------

    def run(
        self, body: Body, scope: dict[str, Value | None], nodes: Sequence[Node] | None = None
    ) -> list[Value | None]:
        """Reads the nodes of a body; what its outputs are."""
        uses = body.uses
        for node in body.nodes if nodes is None else nodes:
            self._count += 1
            if self._count > MAX_NODES:
                message = f"this network has more than {MAX_NODES:,} nodes, with its functions"
                raise SpecError([Diagnostic("limit", message, node.span)])
            self.node = node
            self.path = self._path_of(node)
            results = self._node(node, scope)
            for at, name in enumerate(node.outputs):
                if at >= len(results) and name and uses.get(name):
                    why = f"something reads its output number {at + 1}"
                    scope[name] = self.cannot(node.op, why, [])
                elif at < len(results) and name:
                    result = results[at]
                    scope[name] = result
                    call = getattr(result, "call", result)
                    if isinstance(call, Call) and uses.get(name, 0) != 1:
                        self.shared.add(call.index)
        found: list[Value | None] = []
        for name in body.outputs:
            try:
                found.append(self._named(name, scope))
            except Wrong:
                self.mistake(f"no node gives the output `{_short(name)}`")
                found.append(None)
        return found

    def _named(self, name: str, scope: dict[str, Value | None]) -> Value | None:
        if not name:
            return None
        if name in scope:
            return scope[name]
        if name in self._held:
            return self._held[name]
        tensor = self.tensors.get(name)
        if tensor is not None:
            held = Held(array_of(tensor), name, tensor.data_type in (1, 10, 11, 16))
            self._held[name] = held
            return held
        if name in self._inputs:
            return self._inputs[name]
        raise Wrong(f"it reads `{_short(name)}`, which no node before it gives")

    def _node(self, node: Node, scope: dict[str, Value | None]) -> Sequence[Value | None]:
        args: list[Value | None] = []
        try:
            args = [self._named(name, scope) for name in node.inputs]
            while args and args[-1] is None:
                args.pop()
            return self._read(node, args, scope)
        except CannotSay as error:
            lost: Value | None = self.cannot(error.what or node.op, error.why, args)
        except Wrong as error:
            self.mistake(str(error))
            lost = None
        except TooLarge:
            lost = self.cannot(node.op, "it computes too many numbers from constants", args)
        except (IndexError, AttributeError, AssertionError):
            self.mistake("this node has not the inputs or attributes that it needs")
            lost = None
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            text = str(error).partition("\n")[0][:120]
            self.mistake(f"this node does not fit: {text}")
            lost = None
        if lost is None:
            lost = Lost(Call(-1, "", (), {}, (), "", node.span))
        return [lost] * len(node.outputs)

    def _read(
        self, node: Node, args: list[Value | None], scope: dict[str, Value | None]
    ) -> Sequence[Value | None]:
        gone = next((each for each in args if isinstance(each, Lost)), None)
        function = self.listing.functions.get((node.domain, node.op))
        handler = HANDLERS.get((node.domain, node.op))
        if function is not None and handler is None:
            return self._function(node, function, args)
        if gone is not None:
            if handler is None and node.op not in _SIMPLE and node.op != "If":
                return [self.cannot(node.op, why_not(node), args)] * len(node.outputs)
            return [gone] * len(node.outputs)
        if node.op == "If" and not node.domain:
            return self._if(node, args, scope)
        if node.op == "Constant" and not node.domain:
            return [Held(_constant(node), node.outputs[0] if node.outputs else "")]
        if node.op == "Shape" and args and args[0] is not None and not node.domain:
            from .constant_values import shape_of

            return [Held(shape_of(node, args[0].shape))]
        if node.op == "Size" and args and args[0] is not None and not node.domain:
            return [Held(numpy.array(prod(args[0].shape), numpy.int64))]
        if all(each is None or isinstance(each, Held) for each in args):
            held = [each for each in args if isinstance(each, Held)]
            name = next((each.name for each in held if each.learned), "")
            learned = any(each.learned for each in held)
            try:
                values = evaluate(node, self.arrays(args), self.opset)
                grown = self._expanded(node, held, values)
                if grown is not None:
                    return [grown]
                return [Held(numpy.asarray(each), name, learned) for each in values]
            except Unknown:
                if handler is None or not held:
                    raise CannotSay(why_not(node)) from None
        if handler is None:
            raise CannotSay(why_not(node))
        result = handler(self, node, args)
        return result if isinstance(result, (list, tuple)) and not _is_value(result) else [result]  # type: ignore[list-item]

    def _expanded(self, node: Node, held: list[Held], values: list[Any]) -> Value | None:
        """A learned constant that is repeated for each image, as class tokens are."""
        if node.op != "Expand" or not held[0].learned or self.batch < 2:
            return None
        shape = values[0].shape
        if shape[:1] != (self.batch,) or held[0].shape != (1, *shape[1:]):
            return None
        return self.call("expand", [Constant(held[0].value, held[0].name)], shape, to=shape)

    def _function(
        self, node: Node, body: Body, args: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        key = node.domain, node.op
        if key in self._active or len(self._active) >= MAX_DEPTH:
            raise Wrong(f"the function `{_short(node.op)}` calls itself")
        padded = [*args, *[None] * (len(body.inputs) - len(args))]
        scope: dict[str, Value | None] = dict(zip(body.inputs, padded, strict=False))
        self._active.append(key)
        self._scopes.append(self.path)
        try:
            return self.run(body, scope, body.bound(node.attributes))
        finally:
            self._active.pop()
            self._scopes.pop()

    def _if(
        self, node: Node, args: Sequence[Value | None], scope: dict[str, Value | None]
    ) -> Sequence[Value | None]:
        """The branch that is taken, where that is known."""
        condition = args[0] if args else None
        if not isinstance(condition, Held) or condition.value.size != 1:
            raise CannotSay("which branch it takes depends on the image")
        taken = "then_branch" if numpy.ravel(condition.value)[0] else "else_branch"
        graph = node.get(taken)
        if graph is None or len(self._active) >= MAX_DEPTH:
            raise Wrong("it has no such branch")
        for tensor in graph.initializer:
            self._held[tensor.name] = Held(array_of(tensor), tensor.name)
        self._active.append(("", ""))
        try:
            return self.run(self.listing.branch(graph, node.span), dict(scope))
        finally:
            self._active.pop()

    # ---- names ---------------------------------------------------------------------------------

    def _path_of(self, node: Node) -> str:
        """The path of the module that a node belongs to, as far as the file says it."""
        own = self._paths.get(id(node.proto))
        if own is None:
            own = _scope(node) or _weighted(node, self.tensors) or module_path(node.name, node.op)
            self._paths[id(node.proto)] = own
        outer = self._scopes[-1] if self._scopes else ""
        return own if not outer or own.startswith(outer) else f"{outer}.{own}" if own else outer

    # ---- the end -------------------------------------------------------------------------------

    def program(self, name: str, results: list[Result]) -> Program:
        if self.mistakes:
            raise SpecError(self.mistakes)
        return Program(name, self.calls, results, self.batch or 1, self.remarks)


class _NoNode:
    op_type = domain = name = ""
    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    attribute: tuple[Any, ...] = ()


_NO_NODE = _NoNode()
_SIMPLE = frozenset(
    {"Constant", "Shape", "Size", "Range", "Where", "Equal", "Less", "Greater", "Not"}
)


def _is_value(result: object) -> bool:
    return isinstance(result, (Held, Last, Flat, Lost))


def why_not(node: Node) -> str:
    """Why an operator cannot be said."""
    op = node.op
    if op in _QUANTIZED or op.startswith(("QLinear", "QAttention", "QGemm")):
        return QUANTIZED
    if op in ("Loop", "Scan"):
        return "it repeats as often as the image makes it"
    if op in ("LSTM", "GRU", "RNN"):
        return "the language has no recurrent layers"
    if op in ("NonMaxSuppression", "TopK", "RoiAlign", "MaxRoiPool", "NonZero"):
        return "it picks from its input by what it computes, after the network proper"
    if op == "ArgMax":
        return "it picks the class, which `cnn predict` does"
    if node.domain not in ("", "ai.onnx"):
        return f"it is an operator of `{node.domain[:60]}`, not of ONNX"
    return "the language has no such layer"


_QUANTIZED = frozenset(
    "QuantizeLinear DequantizeLinear DynamicQuantizeLinear ConvInteger MatMulInteger Quant"
    " BipolarQuant IntQuant FloatQuant Trunc MultiThreshold Int8Conv Int8Quantize FakeQuantize"
    " DynamicQuantizeMatMul MatMulIntegerToFloat MatMulNBits".split()
)


# ---- constants ---------------------------------------------------------------------------------


def array_of(tensor: Any) -> Any:
    """The values of a tensor; raises Wrong for one that does not hold what it says."""
    from onnx import numpy_helper

    name = _short(tensor.name) or "a constant"
    shape = tuple(tensor.dims)
    size = prod(shape)
    if tensor.data_type == 8:
        raise CannotSay("it has text in it")
    if any(each < 0 for each in shape) or len(shape) > 12:
        raise Wrong(f"`{name}` has an impossible shape")
    if tensor.data_location == 1:
        raise Wrong(f"`{name}` is in another file, which is allowed for weights alone")
    try:
        width = number_type_of(tensor)
    except (KeyError, ValueError, TypeError):
        raise Wrong(f"`{name}` has an unknown type, {tensor.data_type}") from None
    if tensor.HasField("raw_data"):
        has, needed = len(tensor.raw_data), -(-size * width // 8)
        if has != needed:
            raise Wrong(f"`{name}` has {has:,} bytes, and its shape needs {needed:,}")
    else:
        lists = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data,
                 tensor.uint64_data)  # fmt: skip
        has = max(len(each) for each in lists)
        if has < size and not (width < 8 and has * 8 // width >= size):
            raise Wrong(f"`{name}` has {has:,} numbers, and its shape needs {size:,}")
    try:
        array = numpy_helper.to_array(tensor)
    except Exception as error:  # noqa: BLE001 (whatever the library raises for damaged tensors)
        raise Wrong(f"`{name}` cannot be read: {str(error)[:100]}") from None
    if tensor.data_type in (10, 16) or str(array.dtype) == "bfloat16":
        return array.astype(numpy.float32)
    return array


def number_type_of(tensor: Any) -> int:
    """The bits of each number of a tensor."""
    narrow = {16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2}
    if tensor.data_type in narrow:
        return narrow[tensor.data_type]
    if tensor.data_type == 10:
        return 16
    return int(number_type(tensor.data_type).itemsize) * 8


def _constant(node: Node) -> Any:
    for name, value in node.attributes.items():
        if name == "value":
            return array_of(value)
        if name in ("value_float", "value_floats"):
            return numpy.array(value, numpy.float32)
        if name in ("value_int", "value_ints"):
            return numpy.array(value, numpy.int64)
    raise CannotSay("it has text, or a sparse tensor, in it")


# ---- names of modules --------------------------------------------------------------------------

_ROLE = re.compile(
    r"(.+)[./](weight|bias|running_mean|running_var|gamma|beta|kernel|w|b|W|B|scale|alpha)(:0)?$"
)
_SUFFIX = re.compile(r"__\d+$")


def _scope(node: Node) -> str:
    """`layer1.0.conv1`, from what torch's newer exporter says of a node."""
    text = node.metadata.get("pkg.torch.onnx.name_scopes", "")
    if not text or len(text) > 2000:
        return ""
    try:
        scopes = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return ""
    named = [each for each in scopes if isinstance(each, str)] if isinstance(scopes, list) else []
    return named[-2] if len(named) > 1 else ""


def _weighted(node: Node, tensors: Mapping[str, Any]) -> str:
    """`layer1.0.conv1`, from the name of a weight."""
    if node.name.startswith("/"):
        return ""
    for name in node.inputs:
        if name in tensors and "::" not in name:
            match = _ROLE.match(name)
            if match is not None:
                return match[1].replace("/", ".")
    return ""


def module_path(name: str, op: str) -> str:
    """`layer1.0.conv1`, from `/layer1/layer1.0/conv1/Conv`."""
    parts = [part for part in name[:300].split("/") if part]
    if not name.startswith("/"):
        alone = _SUFFIX.sub("", name[:300])
        if len(parts) < 2:
            kind = re.match(r"(?:node_)?([A-Za-z]*)", alone)
            plain = kind[1].lower() if kind is not None else ""
            return "" if not plain or plain == op.lower() or op.lower() in alone.lower() else alone
        return ".".join(_SUFFIX.sub("", part) for part in parts if part != op)
    path: list[str] = []
    for part in parts[:-1]:
        if path and part.startswith(f"{path[-1]}."):
            path[-1] = part
        else:
            path.append(part)
    return ".".join(path)


def _short(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:59]}…"


__all__ = ["HANDLERS", "Reader", "broadcast", "first", "reads"]
