"""The nodes of an ONNX model with their places: each is one line of a text that messages show,
`Conv_17: Conv(x, w) -> y`. Nodes are put in an order of computation here, since not every tool
writes them so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from ....dsl.diagnostics import Diagnostic, SpecError
from ....dsl.source import Source, Span

MAX_NODES = 50_000
"""As many as are read, those in functions once for each call."""
_LONGEST, _SHOWN = 60, 6
_STANDARD = ("", "ai.onnx")

Key = tuple[str, str]
"""Of a function: its domain and name."""


class Node:
    """A node of a graph or of a function."""

    def __init__(self, proto: Any, span: Span, bound: Mapping[str, Any] | None = None) -> None:
        self.proto = proto
        self.op = _text(proto.op_type)
        self.domain = "" if proto.domain in _STANDARD else _text(proto.domain)
        self.name = _text(proto.name)
        self.inputs = [_text(each) for each in proto.input]
        self.outputs = [_text(each) for each in proto.output]
        self.span = span
        self.bound = bound or {}
        """What the attributes of a function are in this call of it."""

    @cached_property
    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for each in self.proto.attribute:
            if each.ref_attr_name:
                if each.ref_attr_name in self.bound:
                    found[each.name] = self.bound[each.ref_attr_name]
            else:
                found[each.name] = _value(each)
        return found

    def get(self, name: str, usual: Any = None) -> Any:
        return self.attributes.get(name, usual)

    def word(self, name: str, usual: str) -> str:
        value = self.attributes.get(name, usual)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def ints(self, name: str) -> list[int] | None:
        value = self.attributes.get(name)
        if value is None:
            return None
        return [int(each) for each in value] if isinstance(value, (list, tuple)) else [int(value)]

    @property
    def metadata(self) -> dict[str, str]:
        return {each.key: each.value for each in getattr(self.proto, "metadata_props", ())}

    def bind(self, bound: Mapping[str, Any]) -> Node:
        return Node(self.proto, self.span, bound)


def _value(attribute: Any) -> Any:
    kinds = {1: "f", 2: "i", 3: "s", 4: "t", 5: "g"}
    single = kinds.get(attribute.type)
    if single is not None:
        return getattr(attribute, single)
    many = {6: "floats", 7: "ints", 8: "strings"}.get(attribute.type)
    if many is not None:
        return list(getattr(attribute, many))
    for name in ("ints", "floats", "strings"):  # the first version of the format has no types
        if attribute.type == 0 and len(getattr(attribute, name)):
            return list(getattr(attribute, name))
    for name, field in (("t", "t"), ("s", "s"), ("i", "i"), ("f", "f")):
        if attribute.type == 0 and attribute.HasField(name):
            return getattr(attribute, field)
    return None


class Body:
    """The nodes of a graph or a function, in an order of computation."""

    def __init__(
        self,
        inputs: list[str],
        outputs: list[str],
        nodes: list[Node],
        attributes: Mapping[str, Any],
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.nodes = nodes
        self.attributes = attributes
        """The defaults of a function's attributes."""

    def bound(self, given: Mapping[str, Any]) -> list[Node]:
        """The nodes of a call of the function."""
        if not self._takes_attributes:
            return self.nodes
        attributes = {**self.attributes, **given}
        return [each.bind(attributes) for each in self.nodes]

    @cached_property
    def _takes_attributes(self) -> bool:
        return any(each.ref_attr_name for node in self.nodes for each in node.proto.attribute)

    @cached_property
    def uses(self) -> dict[str, int]:
        """How often each name is read."""
        count: dict[str, int] = {}
        for node in self.nodes:
            for name in node.inputs:
                count[name] = count.get(name, 0) + 1
        for name in self.outputs:
            count[name] = count.get(name, 0) + 1
        return count


class Listing:
    """A model as text, line by line, and its bodies."""

    def __init__(self, model: Any, name: str) -> None:
        graph = model.graph
        count = len(graph.node) + sum(len(each.node) for each in model.functions)
        self._lines: list[str] = []
        self._length = 0
        self.source = Source(name, "")
        if count > MAX_NODES:
            message = f"this network has more than {MAX_NODES:,} nodes"
            raise SpecError([Diagnostic("limit", message, file=name)])
        self._mistakes: list[Diagnostic] = []
        held = {each.name for each in graph.initializer}
        held.update(each.values.name for each in graph.sparse_initializer)
        self.inputs: dict[str, Span] = {}
        for value in graph.input:
            if value.name not in held:
                start = self._line(f"input {_short(value.name)}: {_type(value)}")
                self.inputs[value.name] = Span(self.source, start + 6, self._length - 1)
        graph_nodes = self._listed(graph.node)
        functions: list[tuple[Key, Any, list[Node]]] = []
        for each in model.functions:
            domain = "" if each.domain in _STANDARD else each.domain
            self._line(f"function {_short(each.name)}:")
            functions.append(((domain, each.name), each, self._listed(each.node)))
        for value in graph.output:
            self._line(f"output {_short(value.name)}")
        self.source.text = "".join(self._lines)
        if self._mistakes:
            raise SpecError(self._mistakes[:20])
        self.main = _body(
            [*self.inputs], [each.name for each in graph.output], graph_nodes, {}, held
        )
        self.functions: dict[Key, Body] = {}
        for key, each, nodes in functions:
            usual = {attribute.name: _value(attribute) for attribute in each.attribute_proto}
            self.functions[key] = _body(list(each.input), list(each.output), nodes, usual, ())

    def branch(self, graph: Any, span: Span) -> Body:
        """The body of one branch of an `If`; its nodes have the place of that."""
        nodes = [Node(proto, span) for proto in graph.node]
        return Body([], [each.name for each in graph.output], nodes, {})

    def _listed(self, protos: Sequence[Any]) -> list[Node]:
        nodes: list[Node] = []
        made: dict[str, Node] = {}
        for proto in protos:
            name = f"{_short(proto.name)}: " if proto.name else ""
            word = _short(proto.op_type)
            start = self._line(f"{name}{word}({_named(proto.input)}) -> {_named(proto.output)}")
            start += len(name)
            node = Node(proto, Span(self.source, start, start + len(word)))
            nodes.append(node)
            for output in node.outputs:
                if output and output in made:
                    message = f"`{_short(output)}` is given by two nodes"
                    self._mistakes.append(Diagnostic("onnx", message, node.span))
                made[output] = node
        return nodes

    def _line(self, text: str) -> int:
        start = self._length
        self._lines.append(f"{text}\n")
        self._length += len(text) + 1
        return start


def _text(name: str | bytes) -> str:
    """protobuf gives bytes for a name that is no UTF-8."""
    return name if isinstance(name, str) else name.decode("utf-8", "backslashreplace")


def _short(name: str | bytes) -> str:
    name = _text(name)
    plain = "".join([c if c.isprintable() else "?" for c in name[: _LONGEST + 1]])
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join([_short(each) or "-" for each in names[:_SHOWN]])
    return f"{shown}, …" if len(names) > _SHOWN else shown


def _type(value: Any) -> str:
    dims = value.type.tensor_type.shape.dim
    return "x".join([str(d.dim_value or _short(d.dim_param) or "?") for d in dims[:8]]) or "?"


def _body(
    inputs: list[str],
    outputs: list[str],
    nodes: list[Node],
    attributes: Mapping[str, Any],
    held: Iterable[str],
) -> Body:
    return Body(inputs, outputs, _in_order(nodes, {*inputs, *held, ""}), attributes)


def _in_order(nodes: list[Node], known: set[str]) -> list[Node]:
    """The nodes so that each comes after those that it reads; as they are, if they are so."""
    maker = {name: at for at, node in enumerate(nodes) for name in node.outputs if name}
    ready = set(known)
    for node in nodes:
        if any(name not in ready and name in maker for name in node.inputs):
            break
        ready.update(node.outputs)
    else:
        return nodes
    needs = [[maker[name] for name in node.inputs if name in maker] for node in nodes]
    ordered: list[Node] = []
    state = [0] * len(nodes)
    for first in range(len(nodes)):
        stack = [(first, iter(needs[first]))] if not state[first] else []
        state[first] = state[first] or 1
        while stack:
            at, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                state[at] = 2
                ordered.append(nodes[at])
            elif state[following] == 1:
                message = "this node needs its own output: there is a circle"
                raise SpecError([Diagnostic("onnx", message, nodes[following].span)])
            elif not state[following]:
                state[following] = 1
                stack.append((following, iter(needs[following])))
    return ordered
